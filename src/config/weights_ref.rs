//! How a surrogate's TOML names a file of a model: by id in the data manifest, or by path.

use std::path::PathBuf;

use serde::Deserialize;

use super::{ConfigError, lookup::TomlFile, manifest};
use crate::domain::{DataEntry, Sha256};

/// How a surrogate's TOML names its weights.
#[derive(Debug, Clone, PartialEq)]
pub enum WeightsRef {
    /// By id in the data manifest.
    Entry(DataEntry),
    /// By path, with an optional hash.
    Path {
        /// The file.
        path: PathBuf,
        /// The hash that the file must have.
        sha256: Option<Sha256>,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWeights {
    id: Option<String>,
    path: Option<PathBuf>,
    sha256: Option<Sha256>,
}

impl RawWeights {
    /// A file that is named by its path alone.
    pub(super) fn at(path: PathBuf) -> Self {
        Self { id: None, path: Some(path), sha256: None }
    }

    /// The file that the key `key` of `found` names.
    pub(super) fn resolve(self, key: &str, found: &TomlFile) -> Result<WeightsRef, ConfigError> {
        match (self.id, self.path) {
            (Some(_), None) if self.sha256.is_some() => Err(ConfigError::value(
                &found.file,
                &format!("{key}.sha256"),
                "belongs to `path`; with `id` the data manifest gives the hash",
            )),
            (Some(id), None) => manifest::entry(&id, &found.dir, &found.file).map(WeightsRef::Entry),
            (None, Some(path)) => Ok(WeightsRef::Path { path: found.dir.join(path), sha256: self.sha256 }),
            _ => Err(ConfigError::value(&found.file, key, "needs either `id` (in data-manifest.toml) or `path`")),
        }
    }
}
