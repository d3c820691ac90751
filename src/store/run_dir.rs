//! The layout of a run directory (`docs/run-directory.md`), its spec and its locks; people's part is in `people_dir`.
//!
//! Holds always: a run never starts in a folder with other files, because it removes unfinished files there. A run in
//! a bucket has its folder in a cache ([`Home`]); its lock keeps this machine's other processes away, no other machine.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::atomic::{PendingFile, link_whole, write_whole};
use super::if_any::read_if_any;
use super::people_stems::{is_input, is_round};
use super::unfinished::{files, remove_abandoned};
use super::unit::{MAKE_AGAIN, Stems, remove_unnamed};
use super::{FORMAT, Home, LastShard, Lock, ShardRecord, StoreError, Unit, hash_file, spec_file};
use crate::domain::{ItemId, RunSpec, Sha256};

/// A run directory.
#[derive(Debug, Clone)]
pub struct RunDir {
    path: PathBuf,
    /// Where it really is, if `path` is a cache.
    home: Option<Home>,
}

impl RunDir {
    /// The directory at `path`, which need not exist yet.
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), home: None }
    }

    /// The run in a bucket.
    pub fn in_bucket(home: Home) -> Self {
        Self { path: home.cache().to_owned(), home: Some(home) }
    }

    /// The path of its folder; of a run in a bucket, that of its cache.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where it is, as people write it.
    pub fn place(&self) -> &Path {
        self.home.as_ref().map_or(&self.path, Home::url)
    }

    /// Where one of its files is, for people.
    pub fn address(&self, path: &Path) -> PathBuf {
        self.home.as_ref().map_or_else(|| path.to_owned(), |home| home.address(path))
    }

    /// Its home, if that is a bucket.
    pub fn home(&self) -> Option<&Home> {
        self.home.as_ref()
    }

    /// Sends the file at `path` to the run's home, if it has one and the file is in the run.
    pub fn send(&self, path: &Path) -> Result<(), StoreError> {
        let home = self.home.as_ref().filter(|_| path.starts_with(&self.path));
        home.map_or(Ok(()), |home| home.send(path))
    }

    /// Makes the file at `path`, which is in the run and of which no record says what it is, that of the run's home.
    pub fn refresh(&self, path: &Path) -> Result<(), StoreError> {
        self.home.as_ref().map_or(Ok(()), |home| home.refresh(path))
    }

    /// Reads `bytes` bytes of a shard's file from `offset` on: of one in the run, wherever that is, or of another one.
    pub fn read_member(&self, last: &LastShard, path: &Path, offset: u64, bytes: u64) -> Result<Vec<u8>, StoreError> {
        match &self.home {
            Some(home) if path.starts_with(&self.path) && !path.is_file() => {
                home.read_range(path, offset..offset + bytes)
            }
            _ => last.read_member(path, offset, bytes),
        }
    }

    /// The paths of the files and folders that the run has in `folder`, which may not be there.
    pub(super) fn paths(&self, folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
        self.home.as_ref().map_or_else(|| files(folder), |home| home.paths(folder))
    }

    /// The bytes of a small file that is in the run, or would be.
    pub(super) fn read_small(&self, path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
        match &self.home {
            Some(home) => home.read(path),
            None => read_if_any(path).map_err(StoreError::io("read", path)),
        }
    }

    /// As [`RunDir::read_small`], of a file of which the cache of a run in a bucket needs no copy.
    pub(super) fn read_once(&self, path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
        match &self.home {
            Some(home) => home.read_once(path),
            None => self.read_small(path),
        }
    }

    /// Writes a small file of the run.
    pub(super) fn write_small(&self, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        let Some(home) = &self.home else { return write_whole(path, bytes) };
        let mut file = PendingFile::create(path)?;
        file.write_all(bytes).map_err(StoreError::io("write", path))?;
        // From a name of its own: others on this machine have the same cache, and remove what the bucket has not.
        home.send_from(file.unfinished()?, path)?;
        file.commit()
    }

    /// Whether there is a spec. That of a run in a bucket is in the cache afterwards.
    fn has_spec(&self) -> Result<bool, StoreError> {
        let path = self.spec_path();
        match &self.home {
            Some(home) => home.read(&path).map(|found| found.is_some()),
            None => Ok(path.is_file()),
        }
    }

    pub(super) fn unit(&self, dir: PathBuf, stem: &str) -> Unit {
        Unit { dir, stem: stem.to_owned(), remedy: MAKE_AGAIN, home: self.home.clone() }
    }

    /// Creates the folder and locks it.
    pub fn create(&self) -> Result<Lock, StoreError> {
        fs::create_dir_all(&self.path).map_err(StoreError::io("make folder", &self.path))?;
        self.refuse_foreign()?;
        let lock = Lock::take(&self.path)?;
        self.check_can_change()?;
        Ok(lock)
    }

    /// An error if the folder holds files but no run.
    fn refuse_foreign(&self) -> Result<(), StoreError> {
        if self.has_spec()? {
            return Ok(());
        }
        let ours = |name: &str| name == "lock" || name.starts_with("spec.toml");
        let paths = self.paths(&self.path)?;
        let mut names = paths.iter().map(|path| path.file_name().unwrap_or_default().to_string_lossy().into_owned());
        match names.find(|name| !ours(name)) {
            Some(found) => Err(StoreError::Foreign { path: self.place().display().to_string(), found }),
            None => Ok(()),
        }
    }

    /// Whether another process has the run's lock, and may be about to write the record of a file that is there.
    pub fn is_at_work(&self) -> bool {
        Lock::is_held(&self.path)
    }

    /// Locks an existing run.
    pub fn lock(&self) -> Result<Lock, StoreError> {
        if !self.has_spec()? {
            return Err(StoreError::NotARun { path: self.place().display().to_string() });
        }
        let lock = Lock::take(&self.path)?;
        self.check_can_change()?;
        Ok(lock)
    }

    /// The stored spec, if there is one.
    pub fn spec_if_any(&self) -> Result<Option<RunSpec>, StoreError> {
        if self.has_spec()? { spec_file::read(&self.spec_path()).map(Some) } else { Ok(None) }
    }

    /// The stored spec.
    pub fn spec(&self) -> Result<RunSpec, StoreError> {
        let spec = self.spec_if_any()?;
        spec.ok_or_else(|| StoreError::NotARun { path: self.place().display().to_string() })
    }

    /// Stores the spec, unless the same spec is stored already; it has this program's format from now on.
    pub fn write_spec(&self, spec: &RunSpec) -> Result<(), StoreError> {
        let path = self.spec_path();
        self.has_spec()?;
        if spec_file::write(&path, &RunSpec { format: FORMAT, ..spec.clone() })? { self.send(&path) } else { Ok(()) }
    }

    /// An error for a run of a newer minor version, which this program could read but not change.
    fn check_can_change(&self) -> Result<(), StoreError> {
        match self.spec_if_any()? {
            Some(spec) if !FORMAT.can_change(spec.format) => Err(StoreError::NewerMinor {
                path: self.place().display().to_string(),
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
        self.has_spec()?;
        hash_file(&path).map(|(_, sha256)| sha256).map_err(StoreError::io("read", &path))
    }

    fn spec_path(&self) -> PathBuf {
        self.path.join("spec.toml")
    }

    /// The plan: `plan.<hash>.parquet` and its record.
    pub fn plan(&self) -> Unit {
        self.unit(self.path.clone(), "plan")
    }

    /// Whether there are images, which are made only after the plan.
    pub fn has_images(&self) -> bool {
        let folder = self.path.join("images");
        match &self.home {
            // A bucket that cannot be listed now says so when a record is read.
            Some(home) => home.paths(&folder).map_or(true, |found| !found.is_empty()),
            None => folder.is_dir(),
        }
    }

    /// The images of shard `index`.
    pub fn images(&self, index: usize) -> Unit {
        self.shard(&self.path.join("images"), index)
    }

    /// The predictions of surrogate `name` for shard `index`.
    pub fn predictions(&self, name: &str, index: usize) -> Unit {
        self.shard(&self.path.join("predictions").join(name), index)
    }

    /// The table of the mining with this id.
    pub fn mined(&self, id: &str) -> Unit {
        self.unit(self.path.join("mined"), id)
    }

    /// The sorted ids of all minings.
    pub fn minings(&self) -> Result<Vec<String>, StoreError> {
        let stems = Stems::of(&self.paths(&self.path.join("mined"))?, |stem| stem.contains("-of-"));
        Ok(stems.recorded.into_iter().collect())
    }

    /// The table of the current mining, for people: a hard link. hardset reads [`RunDir::mined`].
    pub fn manifest(&self) -> PathBuf {
        self.path.join("manifest.parquet")
    }

    /// Makes the mining with this id and record the current one.
    pub fn set_manifest(&self, id: &str, record: &ShardRecord) -> Result<(), StoreError> {
        link_whole(&self.mined(id).file(record, "parquet")?, &self.manifest())?;
        self.send(&self.manifest())
    }

    /// Lost items: `dropped.<hash>.parquet` and its record.
    pub fn dropped(&self) -> Unit {
        self.unit(self.path.clone(), "dropped")
    }

    /// The table of lost items, for people: a hard link. hardset reads [`RunDir::dropped`].
    pub fn dropped_table(&self) -> PathBuf {
        self.path.join("dropped.parquet")
    }

    /// Gives people the table of lost items with this record.
    pub fn set_dropped(&self, record: &ShardRecord) -> Result<(), StoreError> {
        link_whole(&self.dropped().file(record, "parquet")?, &self.dropped_table())?;
        self.send(&self.dropped_table())
    }

    /// The report's page.
    pub fn report(&self) -> PathBuf {
        self.path.join("report").join("index.html")
    }

    /// Files of the plan, minings, lost items, rounds, answers and verdicts that have no record, with what people can
    /// do. A shard without a record is not done yet, whatever files it has.
    pub fn unrecorded(&self) -> Result<Vec<StoreError>, StoreError> {
        let mut found = Vec::new();
        // A cache has what this machine has not sent yet, and other machines may be about to send their records.
        if self.home.is_some() {
            return Ok(found);
        }
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

    /// Removes what killed processes left: unfinished files, and files that no record names; of a run in a bucket, from
    /// the cache. Only for the holder of the run's lock.
    pub fn sweep(&self) -> Result<(), StoreError> {
        let mut folders = vec![self.path.clone()];
        folders.extend(["mined", "report", "batches", "answers", "verdicts"].map(|name| self.path.join(name)));
        let mut of_shards = vec![self.path.join("images"), self.batches().join("images")];
        of_shards.extend(files(&self.path.join("predictions"))?.into_iter().filter(|path| path.is_dir()));
        for folder in of_shards {
            folders.extend(files(&folder)?.into_iter().filter(|path| path.is_dir()));
        }
        for job in files(&self.path.join("jobs"))? {
            folders.extend(["", "ranks", "live", "devices"].map(|name| job.join(name)));
        }
        for folder in folders.iter().filter(|folder| folder.is_dir()) {
            remove_abandoned(folder)?;
            remove_unnamed(folder)?;
        }
        Ok(())
    }

    /// The sorted names of the surrogates that have predictions.
    pub fn predicted(&self) -> Result<Vec<String>, StoreError> {
        let paths = self.paths(&self.path.join("predictions"))?;
        // What a bucket has there are folders.
        let folders = paths.iter().filter(|path| self.home.is_some() || path.is_dir());
        let mut names: Vec<String> =
            folders.map(|path| path.file_name().unwrap_or_default().to_string_lossy().into_owned()).collect();
        names.sort();
        Ok(names)
    }

    /// An error if people's part is in a bucket, where only other programs can have put it.
    pub(super) fn refuse_people_in_bucket(&self) -> Result<(), StoreError> {
        let Some(home) = &self.home else { return Ok(()) };
        for name in ["batches", "answers", "verdicts"] {
            if !home.paths(&self.path.join(name))?.is_empty() {
                let path = self.place().display().to_string();
                return Err(StoreError::InBucket { path, what: "what people have done in a run" });
            }
        }
        Ok(())
    }
}

/// Whether a stem is that of one of our units.
type IsOurs = fn(&str) -> bool;
