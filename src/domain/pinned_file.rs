//! A file outside the run, pinned by its hash.
//!
//! Does not read the file: `assets` does. Holds always: size and hash are those of the moment when the recipe was
//! resolved, because a changed file must be noticed.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Sha256;

/// A file, with the hash that it had when the recipe was resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinnedFile {
    /// Where it was found.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Its hash.
    pub sha256: Sha256,
}
