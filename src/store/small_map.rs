//! Small tables of names and values in the cache, as TOML: hashes of fetched files, measured rates.
//!
//! Holds always: a file that cannot be read counts as empty, because its contents can be made again; a written file is
//! whole.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{StoreError, write_whole};

/// The table in the file at `path`.
pub fn read_map<T: DeserializeOwned>(path: &Path) -> BTreeMap<String, T> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    toml::from_str(&text).unwrap_or_default()
}

/// Writes the table.
pub fn write_map<T: Serialize>(path: &Path, map: &BTreeMap<String, T>) -> Result<(), StoreError> {
    let text = toml::to_string(map).map_err(|e| StoreError::io("write", path)(std::io::Error::other(e)))?;
    write_whole(path, text.as_bytes())
}
