//! Small tables of names and values in a run, as TOML with a hash ([`super::seal`]).
//!
//! Unlike the tables in the cache ([`super::small_map`]) they cannot be made again. Holds always: a damaged one is an
//! error, never an empty one.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::if_any::read_if_any;
use super::{StoreError, seal};

/// The table in the file at `path`; `None` if there is no file.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<BTreeMap<String, T>>, StoreError> {
    let Some(bytes) = read_if_any(path).map_err(|error| unreadable(path, error))? else { return Ok(None) };
    let document = seal::open_toml(&bytes).map_err(|problem| damaged(path, &problem))?;
    toml::from_str(document).map(Some).map_err(|e| damaged(path, &e.to_string()))
}

/// The text of the table.
pub(super) fn text<T: Serialize>(path: &Path, map: &BTreeMap<String, T>) -> Result<String, StoreError> {
    let document = toml::to_string(map).map_err(|e| StoreError::io("write", path)(std::io::Error::other(e)))?;
    Ok(seal::seal_toml(&document))
}

/// An error for a file that cannot be read: one that this user may not read is not damaged.
pub(super) fn unreadable(path: &Path, error: std::io::Error) -> StoreError {
    match error.kind() {
        std::io::ErrorKind::PermissionDenied => StoreError::io("read", path)(error),
        _ => damaged(path, &error.to_string()),
    }
}

/// An error for a file that only a copy of the run can give back.
pub(super) fn damaged(path: &Path, problem: &str) -> StoreError {
    StoreError::Damaged {
        path: path.display().to_string(),
        problem: problem.trim().to_owned(),
        remedy: "restore it from a copy of the run".to_owned(),
    }
}
