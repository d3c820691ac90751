//! Hashes of files whose manifest entry has none, as first fetched: `pins.toml` in the cache.

use std::collections::BTreeMap;
use std::path::Path;

use crate::domain::Sha256;
use crate::store::{StoreError, write_whole};

const NAME: &str = "pins.toml";

type Pins = BTreeMap<String, Sha256>;

fn read(cache: &Path) -> Pins {
    let text = std::fs::read_to_string(cache.join(NAME)).unwrap_or_default();
    toml::from_str(&text).unwrap_or_default()
}

/// The pin of entry `id`.
pub(super) fn pinned(cache: &Path, id: &str) -> Option<Sha256> {
    read(cache).get(id).copied()
}

/// Pins entry `id`; a pin that stands is kept.
pub(super) fn pin(cache: &Path, id: &str, hash: Sha256) -> Result<(), StoreError> {
    let mut pins = read(cache);
    pins.entry(id.to_owned()).or_insert(hash);
    let path = cache.join(NAME);
    let text = toml::to_string(&pins).map_err(|e| StoreError::io("write", &path)(std::io::Error::other(e)))?;
    write_whole(&path, text.as_bytes())
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
