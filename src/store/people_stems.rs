//! The names that units of people's part of a run have, so that files of people are not taken for ours.

/// Whether a unit's stem is a round's: five digits.
pub(super) fn is_round(stem: &str) -> bool {
    stem.len() == 5 && stem.bytes().all(|b| b.is_ascii_digit())
}

/// Whether a unit's stem is that of an input of answers: a hash of 16 digits, or the id of a server's database.
pub(super) fn is_input(stem: &str) -> bool {
    let id = stem.strip_prefix("server-");
    let is_id = id.is_some_and(|id| !id.is_empty() && id.len() <= 16);
    (is_id || stem.len() == 16) && id.unwrap_or(stem).bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_people_are_not_ours() {
        assert!(is_round("00012") && is_input("0123456789abcdef") && is_input("server-0a1b2c3d"));
        for stem in ["12", "0001x", "000123", "project-3"] {
            assert!(!is_round(stem) && !is_input(stem), "{stem}");
        }
    }
}
