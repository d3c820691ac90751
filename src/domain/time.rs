//! Times, as answers carry them, and dates.

use std::fmt;

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use serde::de::{Deserializer, Error, MapAccess, Visitor};

/// How a time is written, after `T`s and blanks were made the same; an offset may follow.
const FORMATS: [&str; 2] = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"];

/// Milliseconds since 1970 (UTC) of an RFC 3339 date and time (`2026-11-22T14:00:00.5+01:00`; a blank may replace the
/// `T`, no offset means UTC, seconds may be missing); `None` for any other text.
pub fn parse_time(text: &str) -> Option<i64> {
    let text = text.trim();
    let (date, clock) = (text.get(..10)?, text.get(11..)?);
    let separated = matches!(text.as_bytes()[10], b'T' | b't' | b' ');
    if !separated || !has_shape_of_date(date) || clock.contains(char::is_whitespace) {
        return None;
    }
    let text = format!("{date}T{clock}");
    for format in FORMATS {
        if let Ok(moment) = DateTime::parse_from_str(&text, &format!("{format}%#z")) {
            return Some(moment.timestamp_millis());
        }
        if let Ok(moment) = NaiveDateTime::parse_from_str(&text, format) {
            return Some(moment.and_utc().timestamp_millis());
        }
    }
    None
}

/// Whether `text` is a date of the Gregorian calendar as `YYYY-MM-DD`, from year 1 on.
pub fn is_date(text: &str) -> bool {
    let is_in_calendar = NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok();
    has_shape_of_date(text) && !text.starts_with("0000") && is_in_calendar
}

/// `YYYY-MM-DD` with digits for the letters.
fn has_shape_of_date(text: &str) -> bool {
    let is_right = |at: usize, byte: u8| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() };
    text.len() == 10 && text.bytes().enumerate().all(|(at, byte)| is_right(at, byte))
}

/// Reads a date or time that is written as text, or as TOML's own type, which the crate `toml` hands over as a map of
/// one entry.
pub(super) fn text_of_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    deserializer.deserialize_any(TextOfTime).map(Some)
}

struct TextOfTime;

impl<'de> Visitor<'de> for TextOfTime {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a date or time")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<String, A::Error> {
        match map.next_entry::<String, String>()? {
            Some((key, text)) if key.starts_with("$__toml") => Ok(text),
            Some(_) | None => Err(A::Error::custom("a table is not a date or time")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_offsets() {
        for (text, ms) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-11-22T14:05:06.25Z", 1_795_356_306_250),
            ("2026-11-22 15:05:06.250000+01:00", 1_795_356_306_250),
            ("2026-11-22t14:05:06.25z", 1_795_356_306_250),
            ("2026-11-22T08:35:06.2509999-0530", 1_795_356_306_250),
            ("2026-11-22T15:05:06.25+01", 1_795_356_306_250),
            ("2024-02-29T23:59", 1_709_251_140_000),
            ("2024-02-29T23:59Z", 1_709_251_140_000),
            ("2024-02-29T23:58:60", 1_709_251_140_000),
        ] {
            assert_eq!(parse_time(text), Some(ms), "{text}");
        }
    }

    #[test]
    fn other_texts_are_not_times() {
        for text in [
            "",
            "yesterday",
            "2026-13-01T00:00:00Z",
            "2026-11-22",
            "2026-11-22T25:00:00Z",
            "2026-02-31T10:00:00Z",
            "2025-02-29T10:00:00Z",
            "2026-04-31 10:00",
            "2026-11-22T10:60:00Z",
            "2026-11-22T 1:00:00Z",
            "2026-11-22T10:00:00 +01:00",
            "2026-11-22T10:00:00.Z",
            "2026-11-22x10:00:00Z",
            "2026-11-22T\u{e9}",
            "2026-1é-22T10:00:00Z",
        ] {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (text, is) in [
            ("2026-11-22", true),
            ("2024-02-29", true),
            ("2026-02-29", false),
            ("1900-02-29", false),
            ("2026-12-31", true),
            ("2026-13-01", false),
            ("2026-00-10", false),
            ("2026-1-010", false),
            ("0000-01-01", false),
            ("2026-11-2é", false),
            ("", false),
        ] {
            assert_eq!(is_date(text), is, "{text}");
        }
    }
}
