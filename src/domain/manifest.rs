//! Entries of `data-manifest.toml`: every file that hardset needs and that is not part of it.
//!
//! Does not look for files or fetch them; `assets` does.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Sha256;

/// One external file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataEntry {
    /// The name by which recipes and `hardset fetch` know it.
    pub id: String,
    /// Its file name in a data directory.
    pub file: String,
    /// Its size, where known.
    pub bytes: Option<u64>,
    /// Its hash; `None` where the first fetch pins it.
    pub sha256: Option<Sha256>,
    /// Its licence, as an SPDX expression or in words.
    pub licence: String,
    /// Where it can be fetched from; `None` for a file that people must provide.
    pub source: Option<DataSource>,
}

/// A diffusion model: files of one repository of the Hugging Face hub, in the diffusers layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelEntry {
    /// The name by which recipes know it.
    pub id: String,
    /// Its licence, as an SPDX expression or in words.
    pub licence: String,
    /// `owner/name`.
    pub repo: String,
    /// Branch, tag or commit.
    pub revision: String,
    /// Its files.
    pub files: Vec<ModelFile>,
}

/// One file of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    /// Its path in the repository and in the model's folder.
    pub path: String,
    /// Its size, where known.
    pub bytes: Option<u64>,
    /// Its hash; `None` where the first fetch pins it.
    pub sha256: Option<Sha256>,
}

impl ModelEntry {
    /// The entry of one of its files, which is at `models/<id>/<path>` in the cache.
    pub fn file(&self, file: &ModelFile) -> DataEntry {
        DataEntry {
            id: format!("{}/{}", self.id, file.path),
            file: format!("models/{}/{}", self.id, file.path),
            bytes: file.bytes,
            sha256: file.sha256,
            licence: self.licence.clone(),
            source: Some(DataSource::Hub {
                repo: self.repo.clone(),
                revision: self.revision.clone(),
                path: file.path.clone(),
            }),
        }
    }
}

/// Where a file can be fetched from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataSource {
    /// A file of a repository on the Hugging Face hub.
    Hub {
        /// `owner/name`.
        repo: String,
        /// Branch, tag or commit.
        revision: String,
        /// The file's path inside the repository.
        path: String,
    },
    /// A file inside a Python wheel.
    Pip(PipWheel),
}

/// A Python package of one version, whose wheels are pinned by hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PipWheel {
    /// Name of the package.
    pub package: String,
    /// Its version.
    pub version: String,
    /// CPython version of the wheels, such as `3.12`; the library inside does not depend on it.
    pub python: String,
    /// The wheel for each `<os>-<arch>`.
    pub wheels: BTreeMap<String, PipPlatform>,
}

/// The wheel for one platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PipPlatform {
    /// pip's platform tag, such as `manylinux_2_28_x86_64`.
    pub platform: String,
    /// Hash of the wheel.
    pub sha256: Sha256,
}
