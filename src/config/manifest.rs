//! `data-manifest.toml`: every external file, by id.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::ConfigError;
use super::lookup::{Found, real_path};
use crate::domain::{DataEntry, DataSource, PipWheel, Sha256};

const NAME: &str = "data-manifest.toml";
const BUILT_IN: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/data-manifest.toml"));

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawManifest {
    file: Vec<RawEntry>,
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

impl RawEntry {
    fn check(self, file: &str) -> Result<DataEntry, ConfigError> {
        let plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.+".contains(c));
        let word = |text: &str| !text.is_empty() && !text.starts_with('.') && plain(text);
        let pip_words =
            self.pip.as_ref().is_none_or(|pip| word(&pip.package) && word(&pip.version) && word(&pip.python));
        if !word(&self.file) || !pip_words {
            let problem = "has a file, package or version that is no plain word (letters, digits, `-`, `_`, `.`, `+`)";
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

/// All entries that count for a file in folder `from`, by id: of the manifests in that folder and above it, the nearest
/// first, then the built-in ones.
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
                    "stands twice; every id must be unique",
                ));
            }
            entries.entry(entry.id.clone()).or_insert(entry);
        }
    }
    Ok(entries)
}

/// The entry `id` as seen from folder `from`; `file` is who names it, for messages.
pub fn entry(id: &str, from: &Path, file: &str) -> Result<DataEntry, ConfigError> {
    let mut entries = all_entries(from)?;
    let known = entries.keys().cloned().collect::<Vec<_>>().join(", ");
    let unknown = || ConfigError::UnknownData { id: id.to_owned(), from: file.to_owned(), known };
    entries.remove(id).ok_or_else(unknown)
}

fn manifests(from: &Path) -> Result<Vec<Found>, ConfigError> {
    let absolute = real_path(from);
    let places = absolute.ancestors().map(|dir| dir.join(NAME)).filter(|path| path.is_file());
    let mut found = places.map(|path| Found::read(&path)).collect::<Result<Vec<_>, _>>()?;
    found.push(Found {
        file: format!("built-in {NAME}"),
        text: BUILT_IN.to_owned(),
        dir: PathBuf::from("."),
        stem: "data-manifest".to_owned(),
    });
    Ok(found)
}
