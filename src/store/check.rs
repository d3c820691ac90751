//! Whether a file is what its record says.

use std::fs;
use std::path::Path;

use super::FileRecord;
use super::hashing::hash_once;
use crate::domain::Sha256;

/// How thoroughly the files of a unit are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Checks the sizes of its files.
    Sizes,
    /// Also checks the hash of every file.
    Hashes,
}

/// What is wrong with the file at `path`, if anything is.
pub(super) fn file_problem(path: &Path, expected: &FileRecord, check: Check) -> Option<String> {
    let size = match fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) => return Some(error.to_string()),
    };
    if size != expected.bytes {
        return Some(format!("it has {size} bytes instead of {}", expected.bytes));
    }
    if check == Check::Sizes {
        return None;
    }
    match hash_once(path) {
        Ok(hash) if hash == expected.sha256 => None,
        Ok(hash) => Some(other_hash(hash, expected)),
        Err(error) => Some(error.to_string()),
    }
}

/// The words for a file whose hash is `found`.
pub(super) fn other_hash(found: Sha256, expected: &FileRecord) -> String {
    format!("its SHA-256 is {} instead of {}", found.short(), expected.sha256.short())
}
