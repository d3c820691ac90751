//! Hashes files, each only once in a process while nobody writes to it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::SystemTime;

use crate::domain::Sha256;
use crate::input;

/// The size in bytes and the SHA-256 of the regular file at `path`, whose bytes are never all in memory.
pub fn hash_file(path: &Path) -> std::io::Result<(u64, Sha256)> {
    let mut file = input::open(path)?;
    let sha256 = Sha256::of_reader(&mut file)?;
    Ok((file.metadata()?.len(), sha256))
}

/// Files whose hashes are remembered: about 20 MB.
const REMEMBERED: usize = 1 << 16;

/// The hash that a file had when it had this size and was last written at this time.
struct Remembered {
    bytes: u64,
    written: SystemTime,
    sha256: Sha256,
}

static HASHES: LazyLock<Mutex<HashMap<PathBuf, Remembered>>> = LazyLock::new(Mutex::default);

/// The SHA-256 of the file at `path`, which a build asks for several times.
pub fn hash_once(path: &Path) -> std::io::Result<Sha256> {
    let metadata = path.metadata()?;
    let (bytes, written) = (metadata.len(), metadata.modified()?);
    let known = |found: &Remembered| (found.bytes == bytes && found.written == written).then_some(found.sha256);
    if let Some(sha256) = HASHES.lock().unwrap_or_else(PoisonError::into_inner).get(path).and_then(known) {
        return Ok(sha256);
    }
    let (_, sha256) = hash_file(path)?;
    remember(path, Remembered { bytes, written, sha256 });
    Ok(sha256)
}

/// Notes the hash of the file at `path`, which this process has just written.
pub(super) fn written(path: &Path, sha256: Sha256) {
    // Without its time it is hashed when somebody asks.
    if let Ok(metadata) = path.metadata()
        && let Ok(written) = metadata.modified()
    {
        remember(path, Remembered { bytes: metadata.len(), written, sha256 });
    }
}

fn remember(path: &Path, hash: Remembered) {
    let mut hashes = HASHES.lock().unwrap_or_else(PoisonError::into_inner);
    if hashes.len() < REMEMBERED {
        hashes.insert(path.to_owned(), hash);
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn a_file_that_was_written_again_is_hashed_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let hash = || hash_once(&path).unwrap();
        for content in ["one", "two", "three"] {
            std::fs::write(&path, content).unwrap();
            // Some file systems know only whole ticks of a clock.
            let later = SystemTime::now() + std::time::Duration::from_secs(content.len() as u64);
            File::options().write(true).open(&path).unwrap().set_modified(later).unwrap();
            assert_eq!([hash(), hash()], [Sha256::of(content.as_bytes()); 2]);
        }
    }
}
