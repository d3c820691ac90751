//! The folders of a run in which its shards lie: `images/NNN/`, `predictions/<surrogate>/NNN/`.
//!
//! Holds always: what is there of many shards is asked by one listing of each folder.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ffi::OsStr;
use std::ops::Range;
use std::path::Path;

use super::unit::Stems;
use super::{RunDir, StoreError, Unit};
use crate::domain::Sha256;

/// Shards in one folder.
const SHARDS_PER_FOLDER: usize = 1000;

impl RunDir {
    /// The shards below `shards` whose images have no record, by one listing of each folder.
    pub fn unrecorded_images(&self, shards: usize) -> Result<BTreeSet<usize>, StoreError> {
        self.unrecorded_shards(&self.path().join("images"), shards)
    }

    /// The same of the predictions of surrogate `name`.
    pub fn unrecorded_predictions(&self, name: &str, shards: usize) -> Result<BTreeSet<usize>, StoreError> {
        self.unrecorded_shards(&self.path().join("predictions").join(name), shards)
    }

    /// The folders that `shards` shards fill, and the shards in each.
    pub fn shard_folders(shards: usize) -> impl Iterator<Item = (usize, Range<usize>)> {
        let last = move |folder: usize| (SHARDS_PER_FOLDER * (folder + 1)).min(shards);
        (0..shards.div_ceil(SHARDS_PER_FOLDER)).map(move |folder| (folder, SHARDS_PER_FOLDER * folder..last(folder)))
    }

    /// By shard the hashes of the records of the images in a folder of shards, if the files that they name are there;
    /// by one listing.
    pub fn held_images(&self, folder: usize) -> Result<BTreeMap<usize, Sha256>, StoreError> {
        self.held(&self.path().join("images"), folder)
    }

    /// The same of the predictions of surrogate `name`.
    pub fn held_predictions(&self, name: &str, folder: usize) -> Result<BTreeMap<usize, Sha256>, StoreError> {
        self.held(&self.path().join("predictions").join(name), folder)
    }

    fn held(&self, dir: &Path, folder: usize) -> Result<BTreeMap<usize, Sha256>, StoreError> {
        let dir = dir.join(format!("{folder:03}"));
        let paths = self.paths(&dir)?;
        let names: HashSet<&OsStr> = paths.iter().filter_map(|path| path.file_name()).collect();
        let mut held = BTreeMap::new();
        for stem in Stems::of(&paths, |_| true).recorded {
            let record = self.unit(dir.clone(), &stem).record()?;
            let whole = record.filter(|record| record.files.iter().all(|file| names.contains(OsStr::new(&file.name))));
            held.extend(stem.parse().ok().zip(whole.map(|record| record.hash())));
        }
        Ok(held)
    }

    fn unrecorded_shards(&self, dir: &Path, shards: usize) -> Result<BTreeSet<usize>, StoreError> {
        let mut unrecorded: BTreeSet<usize> = (0..shards).collect();
        for folder in 0..shards.div_ceil(SHARDS_PER_FOLDER) {
            for stem in Stems::of(&self.paths(&dir.join(format!("{folder:03}")))?, |_| true).recorded {
                stem.parse().ok().map(|shard: usize| unrecorded.remove(&shard));
            }
        }
        Ok(unrecorded)
    }

    /// The unit of shard `index`: in folders of a thousand, because file systems slow down with larger ones.
    pub(super) fn shard(&self, dir: &Path, index: usize) -> Unit {
        self.unit(dir.join(format!("{:03}", index / SHARDS_PER_FOLDER)), &format!("{index:06}"))
    }
}
