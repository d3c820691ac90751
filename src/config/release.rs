//! The section `[release]` of a recipe: checks.

use super::{ConfigError, Override};
use crate::domain::{ReleaseSpec, is_date, is_web_address};

/// The largest distance that can be asked for: hashes of unrelated images differ in about 32 of 64 bits.
const MAX_DISTANCE: u32 = 16;
/// The longest text, in bytes: more than any description needs.
const MAX_TEXT: usize = 10_000;

/// Checks the section of the recipe `file`.
pub fn check(spec: ReleaseSpec, file: &str) -> Result<ReleaseSpec, ConfigError> {
    let refuse = |key: &str, problem: String| Err(ConfigError::value(file, &format!("release.{key}"), problem));
    if let Err(error) = semver::Version::parse(&spec.version) {
        return refuse(
            "version",
            format!("is `{}`, which is not a semantic version such as 1.0.0: {error}", spec.version),
        );
    }
    if spec.license.trim().is_empty() {
        return refuse("license", "is empty; name a licence, or write \"unknown\"".to_owned());
    }
    if let Some(date) = spec.date.as_deref().filter(|date| !is_date(date)) {
        return refuse("date", format!("is `{date}`, which is not a date such as \"2026-12-01\""));
    }
    if let Some(page) = spec.homepage.as_deref().filter(|page| !is_web_address(page)) {
        return refuse(
            "homepage",
            format!("is `{page}`; write an http or https address without blanks, quotes and brackets"),
        );
    }
    if spec.max_distance > MAX_DISTANCE {
        return refuse("max_distance", format!("is outside 0 to {MAX_DISTANCE}"));
    }
    let texts = [Some(&spec.title), Some(&spec.license), spec.description.as_ref()].into_iter().flatten();
    let longest = texts.chain(&spec.authors).chain(&spec.cite).map(String::len).max().unwrap_or(0);
    if longest > MAX_TEXT {
        return refuse("description", format!("or another text has {longest} bytes, more than {MAX_TEXT}"));
    }
    Ok(spec)
}

impl Override {
    /// A stored section with some keys changed; `overrides` name them in full (`release.version`).
    pub fn release(spec: &ReleaseSpec, overrides: &[Self], file: &str) -> Result<ReleaseSpec, ConfigError> {
        check(Self::section("release", spec, overrides, file)?, file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> Result<ReleaseSpec, String> {
        check(toml::from_str(text).map_err(|e| e.to_string())?, "x.toml").map_err(|e| e.to_string())
    }

    #[test]
    fn an_empty_section_is_a_first_release_without_near_duplicates() {
        let spec = checked("").unwrap();
        assert_eq!((spec.version.as_str(), spec.license.as_str(), spec.max_distance), ("1.0.0", "unknown", 4));
    }

    #[test]
    fn a_date_is_text_or_tomls_own() {
        for text in ["date = '2026-12-01'", "date = 2026-12-01"] {
            assert_eq!(checked(text).unwrap().date.as_deref(), Some("2026-12-01"));
        }
        let change: Override = "release.date=2026-12-02".parse().unwrap();
        let spec = Override::release(&ReleaseSpec::default(), &[change], "spec.toml").unwrap();
        assert_eq!(spec.date.as_deref(), Some("2026-12-02"));
        assert!(toml::to_string(&spec).unwrap().contains("date = \"2026-12-02\""), "it is stored as text");
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_key() {
        for (text, key) in [
            ("version = '1.0'", "release.version"),
            ("version = '../1'", "release.version"),
            ("license = ' '", "release.license"),
            ("date = '2026-02-30'", "release.date"),
            ("date = 2026-12-01T10:00:00Z", "release.date"),
            ("date = 7", "a date or time"),
            ("date = { a = '2026-12-01' }", "a table is not a date"),
            ("homepage = 'javascript:x'", "release.homepage"),
            ("homepage = 'https://a b'", "release.homepage"),
            ("max_distance = 17", "release.max_distance"),
            ("near_duplicates = 'sometimes'", "near_duplicates"),
            ("surprise = 1", "surprise"),
        ] {
            let message = checked(text).unwrap_err();
            assert!(message.contains(key), "{text}: {message}");
        }
    }

    #[test]
    fn a_stored_section_takes_changes_of_its_own_keys_only() {
        let change = |text: &str| Override::release(&ReleaseSpec::default(), &[text.parse().unwrap()], "spec.toml");
        assert_eq!(change("release.version=1.1.0").unwrap().version, "1.1.0");
        assert!(change("annotate.image_px=64").unwrap_err().to_string().contains("[release]"));
    }
}
