//! A run's secret: makes opaque names that nobody without the secret can make.
//!
//! Source: HMAC-SHA-256 (RFC 2104). Holds always: a tag reveals nothing about its value to somebody without the secret,
//! because people must not learn which task is a sentinel; tags for different purposes are unrelated.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};

use super::Sha256;

/// The letters of names for people, one for each hexadecimal digit: consonants only.
///
/// A name without digits, signs and vowels is no number, date, truth value or formula to a spreadsheet, which would
/// otherwise write `123e4` back as 1230000, `0012` as 12 and `dec1` as a date; and it is no word.
const LETTERS: &[u8; 16] = b"bcdfghjklmnpqrst";

/// 32 random bytes that never leave the run.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; 32]);

impl Secret {
    /// A secret from random bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The tag of `value` for `purpose`: 64 hexadecimal digits.
    pub fn tag(&self, purpose: &str, value: &str) -> String {
        let tag: [u8; 32] = self.mac(purpose, value).finalize().into_bytes().into();
        tag.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The first 16 digits of the tag: a name.
    pub fn name(&self, purpose: &str, value: &str) -> String {
        self.tag(purpose, value)[..16].to_owned()
    }

    /// A name of `letters` letters (16 at most are of use) for people: four bits of the tag in each.
    pub fn word(&self, purpose: &str, value: &str, letters: usize) -> String {
        let tag: [u8; 32] = self.mac(purpose, value).finalize().into_bytes().into();
        let digits = tag.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        digits.take(letters).map(|digit| char::from(LETTERS[usize::from(digit)])).collect()
    }

    /// 64 bits of the tag: the key of a stream of random numbers.
    pub fn seed(&self, purpose: &str, value: &str) -> u64 {
        u64::from_str_radix(&self.name(purpose, value), 16).unwrap_or_default()
    }

    /// Whether `tag` is the tag of `value`, or at least its first 16 digits; compared in constant time.
    pub fn verifies(&self, purpose: &str, value: &str, tag: &str) -> bool {
        let digits = tag.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap_or_default());
        let bytes: Result<Vec<u8>, _> = digits.map(|pair| u8::from_str_radix(pair, 16)).collect();
        let long_enough = (16..=32).contains(&(tag.len() / 2));
        bytes.is_ok_and(|bytes| long_enough && self.mac(purpose, value).verify_truncated_left(&bytes).is_ok())
    }

    fn mac(&self, purpose: &str, value: &str) -> Hmac<sha2::Sha256> {
        // HMAC pads a shorter key with zeros; a key of the full length cannot fail.
        let mut key = [0; 64];
        key[..32].copy_from_slice(&self.0);
        let mut mac = Hmac::<sha2::Sha256>::new(&key.into());
        mac.update(&(purpose.len() as u64).to_le_bytes());
        mac.update(purpose.as_bytes());
        mac.update(value.as_bytes());
        mac
    }

    /// A public hash that distinguishes two secrets.
    pub fn fingerprint(&self) -> Sha256 {
        Sha256::of(self.tag("fingerprint", "").as_bytes())
    }
}

/// Never printed.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_depend_on_secret_purpose_and_value() {
        let secret = Secret::new([7; 32]);
        let tags =
            [secret.tag("a", "b"), secret.tag("a", "c"), secret.tag("ab", ""), Secret::new([8; 32]).tag("a", "b")];
        assert!((0..4).all(|at| !tags[at + 1..].contains(&tags[at])), "{tags:?}");
        assert_eq!(tags[0], secret.tag("a", "b"));
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }

    #[test]
    fn a_tag_or_its_half_verifies_and_nothing_else_does() {
        let secret = Secret::new([7; 32]);
        let tag = secret.tag("person", "ada");
        assert!(secret.verifies("person", "ada", &tag) && secret.verifies("person", "ada", &tag[..32]));
        let other = secret.tag("person", "bob");
        for wrong in ["", "zz", &tag[..2], &tag[..31], &other, &format!("{tag}00"), "é", &"+1".repeat(16)] {
            assert!(!secret.verifies("person", "ada", wrong), "{wrong}");
        }
    }
}
