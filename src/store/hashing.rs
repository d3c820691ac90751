//! Hashes files.

use std::fs::File;
use std::path::Path;

use crate::domain::Sha256;

/// The size in bytes and the SHA-256 of the file at `path`, whose bytes are never all in memory.
pub fn hash_file(path: &Path) -> std::io::Result<(u64, Sha256)> {
    let mut file = File::open(path)?;
    let sha256 = Sha256::of_reader(&mut file)?;
    Ok((file.metadata()?.len(), sha256))
}
