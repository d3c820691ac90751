//! Keys: hashes of named, typed fields, which say whether a result is the one of these inputs.
//!
//! Does not know what is keyed. Holds always: the bytes that are hashed are laid down here and never follow from how a
//! value is printed or stored, because a key must stay the same when code around it changes. Two different lists of
//! fields never have the same bytes: names, types and lengths are hashed too.
//!
//! Layout, integers little-endian: a field is its name (u64 length, UTF-8) and its value (a type byte, then the value):
//! `t` text (u64 length, UTF-8), `u` integer (u64), `r` real (the bits of an f64; -0 as 0), `b` boolean (one byte),
//! `h` hash (32 bytes), `-` no value, `l` list (u64 count, values). The first field is `kind`, the second `version`.

use sha2::Digest;

use super::Sha256;

/// Collects the fields of a key, in the order in which they are given.
pub struct Key(sha2::Sha256);

/// A value that can be a field.
pub trait KeyValue {
    /// Appends type and value to `bytes`.
    fn write(&self, bytes: &mut Vec<u8>);
}

impl Key {
    /// The key of a `kind` of result. `version`: raised when the same inputs can give another result.
    pub fn new(kind: &str, version: u32) -> Self {
        Self(sha2::Sha256::new()).field("kind", kind).field("version", version)
    }

    /// Adds one field.
    #[must_use]
    pub fn field(mut self, name: &str, value: impl KeyValue) -> Self {
        let mut bytes = Vec::with_capacity(64);
        write_text(name, &mut bytes);
        value.write(&mut bytes);
        self.0.update(&bytes);
        self
    }

    /// Adds a list; `of` names what it lists.
    #[must_use]
    pub fn list<T: KeyValue>(self, of: &str, values: impl IntoIterator<Item = T>) -> Self {
        let values: Vec<T> = values.into_iter().collect();
        self.field(of, values.as_slice())
    }

    /// The key.
    pub fn finish(self) -> Sha256 {
        Sha256::from_bytes(self.0.finalize().into())
    }
}

fn write_text(text: &str, bytes: &mut Vec<u8>) {
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text.as_bytes());
}

impl KeyValue for &str {
    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.push(b't');
        write_text(self, bytes);
    }
}

impl KeyValue for &String {
    fn write(&self, bytes: &mut Vec<u8>) {
        self.as_str().write(bytes);
    }
}

impl KeyValue for String {
    fn write(&self, bytes: &mut Vec<u8>) {
        self.as_str().write(bytes);
    }
}

impl KeyValue for u64 {
    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.push(b'u');
        bytes.extend(self.to_le_bytes());
    }
}

impl KeyValue for u32 {
    fn write(&self, bytes: &mut Vec<u8>) {
        u64::from(*self).write(bytes);
    }
}

impl KeyValue for f64 {
    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.push(b'r');
        // The sum turns -0 into 0, which compares equal to it.
        bytes.extend((self + 0.0).to_bits().to_le_bytes());
    }
}

impl KeyValue for bool {
    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend([b'b', u8::from(*self)]);
    }
}

impl KeyValue for Sha256 {
    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.push(b'h');
        bytes.extend(self.bytes());
    }
}

impl<T: KeyValue> KeyValue for Option<T> {
    fn write(&self, bytes: &mut Vec<u8>) {
        match self {
            Some(value) => value.write(bytes),
            None => bytes.push(b'-'),
        }
    }
}

impl<T: KeyValue> KeyValue for &[T] {
    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.push(b'l');
        bytes.extend((self.len() as u64).to_le_bytes());
        self.iter().for_each(|value| value.write(bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_hash_of_the_bytes_that_are_laid_down() {
        let key = Key::new("plan", 2).field("seed", 7_u64).field("none", None::<u64>).field("on", true);
        let mut bytes = Vec::new();
        let mut field = |name: &str, value: &[u8]| {
            bytes.extend((name.len() as u64).to_le_bytes());
            bytes.extend(name.as_bytes());
            bytes.extend(value);
        };
        field("kind", b"t\x04\0\0\0\0\0\0\0plan");
        field("version", b"u\x02\0\0\0\0\0\0\0");
        field("seed", b"u\x07\0\0\0\0\0\0\0");
        field("none", b"-");
        field("on", b"b\x01");
        assert_eq!(key.finish(), Sha256::of(&bytes));
    }

    #[test]
    fn different_fields_have_different_keys() {
        let of = |value: &dyn Fn(Key) -> Key| value(Key::new("x", 1)).finish();
        let keys = [
            of(&|key| key.field("a", "bc")),
            of(&|key| key.field("ab", "c")),
            of(&|key| key.field("a", 1_u64)),
            of(&|key| key.field("a", 1.0)),
            of(&|key| key.field("a", "1")),
            of(&|key| key.field("a", true)),
            of(&|key| key.field("a", None::<&str>)),
            of(&|key| key.field("a", "")),
            of(&|key| key.list("a", ["b", "c"])),
            of(&|key| key.list("a", ["bc"])),
            of(&|key| key.list("a", Vec::<&str>::new())),
            Key::new("x", 2).field("a", "bc").finish(),
        ];
        let mut distinct = keys.to_vec();
        distinct.sort();
        distinct.dedup();
        assert_eq!(distinct.len(), keys.len());
        assert_eq!(of(&|key| key.field("a", -0.0)), of(&|key| key.field("a", 0.0)));
    }

    #[test]
    fn some_keys_are_pinned_because_runs_on_disk_have_them() {
        let key = Key::new("predictions", 2)
            .field("surrogate", Sha256::of(b"abc"))
            .field("share", 0.1)
            .list("ids", [1_u32, 2])
            .field("name", Some("é"));
        assert_eq!(key.finish().to_string(), "300fe4d893050c317fb66a5525151216287f28765702f006d6636c6c0c3e450e");
    }
}
