//! The layout of a run directory (`docs/run-directory.md`), its spec and its locks; people's part is in `people_dir`.
//!
//! Holds always: a run never starts in a folder with other files, because it removes unfinished files there.

use std::fs;
use std::path::{Path, PathBuf};

use super::atomic::link_whole;
use super::people_stems::{is_input, is_round};
use super::unfinished::{files, remove_abandoned};
use super::unit::{MAKE_AGAIN, Stems, remove_unnamed};
use super::{FORMAT, Lock, ShardRecord, StoreError, Unit, hash_file, spec_file};
use crate::domain::{ItemId, RunSpec, Sha256};

/// A run directory.
#[derive(Debug, Clone)]
pub struct RunDir(PathBuf);

impl RunDir {
    /// The directory at `path`, which need not exist yet.
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Creates the folder and locks it.
    pub fn create(&self) -> Result<Lock, StoreError> {
        fs::create_dir_all(&self.0).map_err(StoreError::io("make folder", &self.0))?;
        self.refuse_foreign()?;
        let lock = Lock::take(&self.0)?;
        self.check_can_change()?;
        Ok(lock)
    }

    /// An error if the folder holds files but no run.
    fn refuse_foreign(&self) -> Result<(), StoreError> {
        if self.spec_path().is_file() {
            return Ok(());
        }
        let ours = |name: &str| name == "lock" || name.starts_with("spec.toml");
        let entries = fs::read_dir(&self.0).map_err(StoreError::io("read", &self.0))?.flatten();
        let mut names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        match names.find(|name| !ours(name)) {
            Some(found) => Err(StoreError::Foreign { path: self.0.display().to_string(), found }),
            None => Ok(()),
        }
    }

    /// Whether another process has the run's lock, and may be about to write the record of a file that is there.
    pub fn is_at_work(&self) -> bool {
        Lock::is_held(&self.0)
    }

    /// Locks an existing run.
    pub fn lock(&self) -> Result<Lock, StoreError> {
        if !self.spec_path().is_file() {
            return Err(StoreError::NotARun { path: self.0.display().to_string() });
        }
        let lock = Lock::take(&self.0)?;
        self.check_can_change()?;
        Ok(lock)
    }

    /// The stored spec, if there is one.
    pub fn spec_if_any(&self) -> Result<Option<RunSpec>, StoreError> {
        self.spec_path().is_file().then(|| self.spec()).transpose()
    }

    /// The stored spec.
    pub fn spec(&self) -> Result<RunSpec, StoreError> {
        let path = self.spec_path();
        if !path.is_file() {
            return Err(StoreError::NotARun { path: self.0.display().to_string() });
        }
        spec_file::read(&path)
    }

    /// Stores the spec, unless the same spec is stored already; it has this program's format from now on.
    pub fn write_spec(&self, spec: &RunSpec) -> Result<(), StoreError> {
        spec_file::write(&self.spec_path(), &RunSpec { format: FORMAT, ..spec.clone() })
    }

    /// An error for a run of a newer minor version, which this program could read but not change.
    fn check_can_change(&self) -> Result<(), StoreError> {
        match self.spec_if_any()? {
            Some(spec) if !FORMAT.can_change(spec.format) => Err(StoreError::NewerMinor {
                path: self.0.display().to_string(),
                found: spec.format,
                own: FORMAT,
                tool: spec.tool,
            }),
            _ => Ok(()),
        }
    }

    /// The SHA-256 of the stored spec's file.
    pub fn spec_sha256(&self) -> Result<Sha256, StoreError> {
        let path = self.spec_path();
        hash_file(&path).map(|(_, sha256)| sha256).map_err(StoreError::io("read", &path))
    }

    fn spec_path(&self) -> PathBuf {
        self.0.join("spec.toml")
    }

    /// The plan: `plan.<hash>.parquet` and its record.
    pub fn plan(&self) -> Unit {
        Unit { dir: self.0.clone(), stem: "plan".to_owned(), remedy: MAKE_AGAIN }
    }

    /// Whether there are images, which are made only after the plan.
    pub fn has_images(&self) -> bool {
        self.0.join("images").is_dir()
    }

    /// The images of shard `index`.
    pub fn images(&self, index: usize) -> Unit {
        shard(self.0.join("images"), index)
    }

    /// The predictions of surrogate `name` for shard `index`.
    pub fn predictions(&self, name: &str, index: usize) -> Unit {
        shard(self.0.join("predictions").join(name), index)
    }

    /// The table of the mining with this id.
    pub fn mined(&self, id: &str) -> Unit {
        Unit { dir: self.0.join("mined"), stem: id.to_owned(), remedy: MAKE_AGAIN }
    }

    /// The sorted ids of all minings.
    pub fn minings(&self) -> Result<Vec<String>, StoreError> {
        let stems = Stems::below(&self.0.join("mined"), |stem| stem.contains("-of-"))?;
        Ok(stems.recorded.into_iter().collect())
    }

    /// The table of the current mining, for people: a hard link. hardset reads [`RunDir::mined`].
    pub fn manifest(&self) -> PathBuf {
        self.0.join("manifest.parquet")
    }

    /// Makes the mining with this id and record the current one.
    pub fn set_manifest(&self, id: &str, record: &ShardRecord) -> Result<(), StoreError> {
        link_whole(&self.mined(id).file(record, "parquet")?, &self.manifest())
    }

    /// Lost items: `dropped.<hash>.parquet` and its record.
    pub fn dropped(&self) -> Unit {
        Unit { dir: self.0.clone(), stem: "dropped".to_owned(), remedy: MAKE_AGAIN }
    }

    /// The table of lost items, for people: a hard link. hardset reads [`RunDir::dropped`].
    pub fn dropped_table(&self) -> PathBuf {
        self.0.join("dropped.parquet")
    }

    /// Gives people the table of lost items with this record.
    pub fn set_dropped(&self, record: &ShardRecord) -> Result<(), StoreError> {
        link_whole(&self.dropped().file(record, "parquet")?, &self.dropped_table())
    }

    /// The report's page.
    pub fn report(&self) -> PathBuf {
        self.0.join("report").join("index.html")
    }

    /// Files of the plan, minings, lost items, rounds, answers and verdicts that have no record, with what people can
    /// do. A shard without a record is not done yet, whatever files it has.
    pub fn unrecorded(&self) -> Result<Vec<StoreError>, StoreError> {
        let mut found = Vec::new();
        let kinds: [(Unit, IsOurs); 5] = [
            (self.plan(), |stem| stem == "plan" || stem == "dropped"),
            (self.mined(""), |stem| stem.contains("-of-")),
            (self.round(0), is_round),
            (self.answers(""), is_input),
            (self.verdicts(), |stem| stem == "all"),
        ];
        for (unit, is_ours) in kinds {
            let (stems, problem) = (Stems::below(&unit.dir, is_ours)?, "it has no record");
            let lacking = stems.filed.iter().filter(|(stem, _)| !stems.recorded.contains(*stem));
            found.extend(lacking.map(|(_, path)| unit.damaged(path, problem.to_owned())));
        }
        Ok(found)
    }

    /// File name of an item's image in a shard.
    pub fn member(item: ItemId) -> String {
        format!("{item}.png")
    }

    /// Removes what killed processes left: unfinished files, and files that no record names. Only for the holder of the
    /// run's lock.
    pub fn sweep(&self) -> Result<(), StoreError> {
        let mut folders = vec![self.0.clone()];
        folders.extend(["mined", "report", "batches", "answers", "verdicts"].map(|name| self.0.join(name)));
        let mut of_shards = vec![self.0.join("images"), self.batches().join("images")];
        of_shards.extend(self.predicted().into_iter().map(|name| self.0.join("predictions").join(name)));
        for folder in of_shards {
            folders.extend(files(&folder)?.into_iter().filter(|path| path.is_dir()));
        }
        for job in files(&self.0.join("jobs"))? {
            folders.extend(["", "ranks", "live", "devices"].map(|name| job.join(name)));
        }
        for folder in folders.iter().filter(|folder| folder.is_dir()) {
            remove_abandoned(folder)?;
            remove_unnamed(folder)?;
        }
        Ok(())
    }

    /// The sorted names of the surrogates that have predictions.
    pub fn predicted(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.join("predictions")).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries
            .filter(|entry| entry.path().is_dir())
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

/// Whether a stem is that of one of our units.
type IsOurs = fn(&str) -> bool;

/// Shards in one folder.
const SHARDS_PER_FOLDER: usize = 1000;

/// The unit of shard `index`: in folders of a thousand, because file systems slow down with larger ones.
fn shard(dir: PathBuf, index: usize) -> Unit {
    let dir = dir.join(format!("{:03}", index / SHARDS_PER_FOLDER));
    Unit { dir, stem: format!("{index:06}"), remedy: MAKE_AGAIN }
}
