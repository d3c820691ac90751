//! Hashes of fetched files whose manifest entry has no hash: `pins.toml` in the cache.

use std::path::Path;

use crate::domain::Sha256;
use crate::store::{StoreError, read_map, write_map};

const NAME: &str = "pins.toml";

/// The pinned hash of entry `id`.
pub(super) fn pinned(cache: &Path, id: &str) -> Option<Sha256> {
    read_map(&cache.join(NAME)).remove(id)
}

/// Pins entry `id`; an existing pin stays.
pub(super) fn pin(cache: &Path, id: &str, hash: Sha256) -> Result<(), StoreError> {
    let path = cache.join(NAME);
    let mut pins = read_map(&path);
    pins.entry(id.to_owned()).or_insert(hash);
    write_map(&path, &pins)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_pin_stays() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(pinned(dir.path(), "a"), None);
        pin(dir.path(), "a", Sha256::of(b"1")).unwrap();
        pin(dir.path(), "a", Sha256::of(b"2")).unwrap();
        pin(dir.path(), "b", Sha256::of(b"3")).unwrap();
        assert_eq!(
            (pinned(dir.path(), "a"), pinned(dir.path(), "b")),
            (Some(Sha256::of(b"1")), Some(Sha256::of(b"3")))
        );
    }
}
