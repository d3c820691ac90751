//! The changes since an older release, image for image.
//!
//! Holds always: images are compared by their hashes, because items have other numbers in another run.

use std::collections::BTreeMap;
use std::path::Path;

use semver::Version;

use super::ReleaseError;
use super::evidence::ChosenItem;
use crate::domain::{BaseRecord, ReleaseRecord, ReleaseSpec};
use crate::render::release::{Changes, Relabelled};
use crate::store::{ReleaseDir, StoreError};
use crate::table::ReleaseFile;

/// An older release.
pub struct Base {
    record: ReleaseRecord,
    /// Categories by the images' hashes.
    images: BTreeMap<String, String>,
}

impl Base {
    /// Reads the release at `path`; an error unless its version is lower than that of `release`.
    pub fn read(path: &Path, release: &ReleaseSpec) -> Result<Self, ReleaseError> {
        let none = || StoreError::NotARelease { path: path.display().to_string() };
        let folder = ReleaseDir::find(path).ok_or_else(none)?;
        let record = folder.record()?;
        let newer = Version::parse(&record.version).ok().zip(Version::parse(&release.version).ok());
        if newer.is_none_or(|(old, new)| new <= old) {
            return Err(ReleaseError::Version { old: record.version, new: release.version.clone() });
        }
        let mut images = BTreeMap::new();
        for file in &record.files {
            let (path, mut rows) = (folder.data(file)?, 0);
            ReleaseFile::open(&path)?.rows(false, |row| {
                rows += 1;
                images.insert(row.sha256, row.category);
            })?;
            if rows != file.images {
                let problem = format!("has {rows} rows, but its release.json says {}", file.images);
                return Err(ReleaseError::BaseDamaged { file: path.display().to_string(), problem });
            }
        }
        Ok(Self { record, images })
    }

    /// The changes in a release of `chosen` under the recipe `name`: their numbers, and image for image.
    pub fn changes(&self, name: &str, release: &ReleaseSpec, chosen: &[ChosenItem]) -> (BaseRecord, Changes) {
        let new: BTreeMap<String, &String> =
            chosen.iter().map(|item| (item.image.sha256.to_string(), &item.hard.category)).collect();
        let relabelled = self.images.iter().filter_map(|(item, from)| {
            let to = *new.get(item)?;
            (to != from).then(|| Relabelled { item: item.clone(), from: from.clone(), to: to.clone() })
        });
        let relabelled: Vec<Relabelled> = relabelled.collect();
        let added: Vec<String> = new.keys().filter(|item| !self.images.contains_key(*item)).cloned().collect();
        let removed: Vec<String> = self.images.keys().filter(|item| !new.contains_key(*item)).cloned().collect();
        let record = BaseRecord {
            name: (self.record.name != name).then(|| self.record.name.clone()),
            version: self.record.version.clone(),
            key: self.record.key,
            added: added.len() as u64,
            removed: removed.len() as u64,
            relabelled: relabelled.len() as u64,
        };
        let changes = Changes {
            title: if release.title.trim().is_empty() { name.to_owned() } else { release.title.clone() },
            version: release.version.clone(),
            base_version: record.called(),
            added,
            removed,
            relabelled,
        };
        (record, changes)
    }
}
