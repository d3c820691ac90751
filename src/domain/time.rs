//! Moments and dates in answers and recipes.

/// Milliseconds since 1970 (UTC) of an RFC 3339 date and time such as `2026-11-22T14:00:00.5+01:00`; `None` for any
/// other text. A blank may replace the `T`; without an offset the time is UTC.
pub fn parse_time(text: &str) -> Option<i64> {
    let text = text.trim();
    let (date, rest) = (text.get(..10)?, text.get(11..)?);
    let mut numbers = date.splitn(3, '-').map(digits);
    let (year, month, day) = (numbers.next()??, numbers.next()??, numbers.next()??);
    let separated = matches!(text.as_bytes()[10], b'T' | b't' | b' ');
    let sign = rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len());
    let (clock, offset) = rest.split_at(sign);
    if !separated || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let seconds = days(year, month, day) * 86_400;
    Some(seconds * 1000 + clock_ms(clock)? - offset_minutes(offset)? * 60_000)
}

/// Whether `text` is a date of the Gregorian calendar as `YYYY-MM-DD`, from year 1 on.
pub fn is_date(text: &str) -> bool {
    let mut numbers = text.splitn(3, '-').map(|part| digits(part).filter(|_| part.len() == 2 || part.len() == 4));
    let (Some(Some(year)), Some(Some(month)), Some(Some(day))) = (numbers.next(), numbers.next(), numbers.next())
    else {
        return false;
    };
    if text.len() != 10 || text.as_bytes()[4] != b'-' || year < 1 || !(1..=12).contains(&month) {
        return false;
    }
    let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    let days_of_month = days(next_year, next_month, 1) - days(year, month, 1);
    (1..=days_of_month).contains(&day)
}

/// A number of one to four decimal digits.
fn digits(text: &str) -> Option<i64> {
    if text.len() > 4 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// `14:00:00.25` in milliseconds.
fn clock_ms(clock: &str) -> Option<i64> {
    let (whole, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let mut parts = whole.splitn(3, ':').map(digits);
    let (hours, minutes, seconds) = (parts.next()??, parts.next()??, parts.next().unwrap_or(Some(0))?);
    let fraction = fraction.get(..fraction.len().min(3))?;
    let ms = digits(fraction)? * 10_i64.pow(3 - fraction.len() as u32);
    (hours < 24 && minutes < 60 && seconds <= 60).then_some(((hours * 60 + minutes) * 60 + seconds) * 1000 + ms)
}

/// `Z`, `+01:00`, `-0530` or nothing.
fn offset_minutes(offset: &str) -> Option<i64> {
    let sign = match offset.get(..1) {
        None | Some("Z" | "z") => return (offset.len() <= 1).then_some(0),
        Some("-") => -1,
        Some(_) => 1,
    };
    let plain = offset[1..].replace(':', "");
    let (hours, minutes) = (plain.get(..2)?, plain.get(2..)?);
    Some(sign * (digits(hours)? * 60 + if minutes.is_empty() { 0 } else { digits(minutes)? }))
}

/// Days from 1970-01-01 to a date of the Gregorian calendar. Source: H. Hinnant, "chrono-compatible low-level date
/// algorithms", `days_from_civil`.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_with_their_offsets() {
        for (text, ms) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-11-22T14:05:06.25Z", 1_795_356_306_250),
            ("2026-11-22 15:05:06.250000+01:00", 1_795_356_306_250),
            ("2024-02-29T23:59", 1_709_251_140_000),
        ] {
            assert_eq!(parse_time(text), Some(ms), "{text}");
        }
    }

    #[test]
    fn other_texts_are_no_moments() {
        for text in [
            "",
            "yesterday",
            "2026-13-01T00:00:00Z",
            "2026-11-22",
            "2026-11-22T25:00:00Z",
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
