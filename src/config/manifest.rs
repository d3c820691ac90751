//! `data-manifest.toml`: every external file, by id.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::ConfigError;
use super::lookup::{TomlFile, real_path};
use crate::domain::{DataEntry, DataSource, ModelEntry, ModelFile, PipWheel, Sha256};

const NAME: &str = "data-manifest.toml";
const BUILT_IN: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/data-manifest.toml"));

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawManifest {
    #[serde(default)]
    file: Vec<RawEntry>,
    #[serde(default)]
    model: Vec<RawModel>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawModel {
    id: String,
    licence: String,
    hub: RawModelHub,
    files: Vec<ModelFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawModelHub {
    repo: String,
    revision: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEntry {
    id: String,
    file: String,
    bytes: Option<u64>,
    sha256: Option<Sha256>,
    licence: String,
    hub: Option<RawHub>,
    pip: Option<PipWheel>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHub {
    repo: String,
    revision: String,
    path: String,
}

/// All entries that apply to a file in folder `from`, by id. The manifest in that folder comes first, then those in the
/// folders above it, then the built-in one.
pub fn all_entries(from: &Path) -> Result<BTreeMap<String, DataEntry>, ConfigError> {
    let mut entries = BTreeMap::new();
    for found in manifests(from)? {
        let raw: RawManifest = found.parse()?;
        let mut seen = BTreeSet::new();
        for entry in raw.file {
            let entry = entry.check(&found.file)?;
            if !seen.insert(entry.id.clone()) {
                return Err(ConfigError::value(
                    &found.file,
                    &format!("file.{}", entry.id),
                    "is listed twice; every id must be unique",
                ));
            }
            entries.entry(entry.id.clone()).or_insert(entry);
        }
    }
    Ok(entries)
}

/// The diffusion model `id` from the nearest manifest that lists it: in the working directory, above it, or built in.
pub fn model_entry(id: &str) -> Result<Option<ModelEntry>, ConfigError> {
    for found in manifests(Path::new("."))? {
        let raw: RawManifest = found.parse()?;
        let models = raw.model.into_iter().map(|model| model.check(&found.file)).collect::<Result<Vec<_>, _>>()?;
        let mut named = models.into_iter().filter(|model| model.id == id);
        match (named.next(), named.next()) {
            (Some(model), None) => return Ok(Some(model)),
            (Some(_), Some(_)) => {
                let key = format!("model.{id}");
                return Err(ConfigError::value(&found.file, &key, "is listed twice; every id must be unique"));
            }
            (None, _) => {}
        }
    }
    Ok(None)
}

/// The entry `id` that applies in folder `from`; `file` is the file that names it, for messages.
pub fn entry(id: &str, from: &Path, file: &str) -> Result<DataEntry, ConfigError> {
    let mut entries = all_entries(from)?;
    let known = entries.keys().cloned().collect::<Vec<_>>().join(", ");
    let unknown = || ConfigError::UnknownData { id: id.to_owned(), from: file.to_owned(), known };
    entries.remove(id).ok_or_else(unknown)
}

fn manifests(from: &Path) -> Result<Vec<TomlFile>, ConfigError> {
    let absolute = real_path(from);
    let places = absolute.ancestors().map(|dir| dir.join(NAME)).filter(|path| path.is_file());
    let mut found = places.map(|path| TomlFile::read(&path)).collect::<Result<Vec<_>, _>>()?;
    found.push(TomlFile {
        file: format!("built-in {NAME}"),
        text: BUILT_IN.to_owned(),
        dir: PathBuf::from("."),
        stem: "data-manifest".to_owned(),
    });
    Ok(found)
}

impl RawModel {
    fn check(self, file: &str) -> Result<ModelEntry, ConfigError> {
        let refuse = |problem: &str| Err(ConfigError::value(file, &format!("model.{}", self.id), problem));
        if !is_word(&self.id) || self.files.is_empty() {
            return refuse("has no files, or its id has other characters than letters, digits, `-`, `_`, `.` and `+`");
        }
        if !self.files.iter().all(|file| file.path.split('/').all(is_word)) {
            return refuse(
                "has a file whose path has other characters than letters, digits, `-`, `_`, `.`, `+` and `/`",
            );
        }
        let RawModelHub { repo, revision } = self.hub;
        Ok(ModelEntry { id: self.id, licence: self.licence, repo, revision, files: self.files })
    }
}

impl RawEntry {
    fn check(self, file: &str) -> Result<DataEntry, ConfigError> {
        let pip_words =
            self.pip.as_ref().is_none_or(|pip| is_word(&pip.package) && is_word(&pip.version) && is_word(&pip.python));
        if !is_word(&self.file) || !pip_words {
            let problem =
                "has a file, package or version with other characters than letters, digits, `-`, `_`, `.` and `+`";
            return Err(ConfigError::value(file, &format!("file.{}", self.id), problem));
        }
        let source = match (self.hub, self.pip) {
            (Some(_), Some(_)) => {
                let key = format!("file.{}", self.id);
                return Err(ConfigError::value(file, &key, "names both `hub` and `pip`; keep one"));
            }
            (Some(hub), None) => Some(DataSource::Hub { repo: hub.repo, revision: hub.revision, path: hub.path }),
            (None, pip) => pip.map(DataSource::Pip),
        };
        Ok(DataEntry {
            id: self.id,
            file: self.file,
            bytes: self.bytes,
            sha256: self.sha256,
            licence: self.licence,
            source,
        })
    }
}

/// Whether `text` is safe as the name of a file on every system.
fn is_word(text: &str) -> bool {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.+".contains(c));
    !text.is_empty() && !text.starts_with('.') && plain
}
