//! Rows of classes on disk: `class-rows/KEY.rows` in the program's cache.
//!
//! Layout: SHA-256 of all that follows (32 bytes), then the numbers as f32, little-endian. Holds always: a file whose
//! bytes are not those of its hash counts as absent, because a damaged one would change every score.

use std::path::{Path, PathBuf};

use crate::domain::Sha256;
use crate::input;
use crate::store::{StoreError, write_whole};

/// The largest file: a hundred thousand classes with rows of 2,048 numbers.
const MOST_BYTES: u64 = 1 << 30;

fn path(cache: &Path, key: Sha256) -> PathBuf {
    cache.join("class-rows").join(format!("{key}.rows"))
}

/// The numbers under `key`, if they are there and whole.
pub fn read(cache: &Path, key: Sha256) -> Option<Vec<f32>> {
    let bytes = input::read(&path(cache, key), MOST_BYTES).ok()?;
    let (hash, numbers) = bytes.split_at_checked(32)?;
    if hash != Sha256::of(numbers).bytes().as_slice() || numbers.is_empty() || !numbers.len().is_multiple_of(4) {
        return None;
    }
    Some(numbers.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}

/// Keeps `numbers` under `key`.
pub fn write(cache: &Path, key: Sha256, numbers: &[f32]) -> Result<(), StoreError> {
    let numbers: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    let bytes = [Sha256::of(&numbers).bytes().as_slice(), &numbers].concat();
    write_whole(&path(cache, key), &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_file_counts_as_absent() {
        let dir = tempfile::tempdir().unwrap();
        let key = Sha256::of(b"key");
        assert_eq!(read(dir.path(), key), None);
        write(dir.path(), key, &[1.0, -2.5]).unwrap();
        assert_eq!(read(dir.path(), key), Some(vec![1.0, -2.5]));
        let file = path(dir.path(), key);
        let whole = std::fs::read(&file).unwrap();
        for damaged in [&whole[..whole.len() - 4], &whole[..40], &whole[..32], &whole[..3], b""] {
            std::fs::write(&file, damaged).unwrap();
            assert_eq!(read(dir.path(), key), None, "{} bytes", damaged.len());
        }
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            std::fs::write(&file, damaged).unwrap();
            assert_eq!(read(dir.path(), key), None, "byte {at}");
        }
    }
}
