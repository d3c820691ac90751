//! The layout of an evaluation's folder (`docs/evaluation.md`): the record, tables of results, documents, and the runs
//! in which targets scored the pools.
//!
//! Holds always: an evaluation never starts in a folder with other files, because it would mix with them; the record is
//! written before what follows from it, so that a folder that was left half made is known.

use std::fs;
use std::path::{Path, PathBuf};

use super::unfinished::remove_abandoned;
use super::{Lock, RunDir, StoreError, hash_file, seal, write_whole};
use crate::domain::{EvaluationRecord, FormatVersion, PoolRole};

/// The format of evaluations.
pub const EVALUATION_FORMAT: FormatVersion = FormatVersion { major: 1, minor: 0 };

const RECORD: &str = "evaluation.toml";
const RUNS: &str = "runs";

/// An evaluation's folder.
#[derive(Debug, Clone)]
pub struct EvaluationDir(PathBuf);

impl EvaluationDir {
    /// The folder at `path`, which need not exist yet.
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// The evaluation at `path`, if its record exists.
    pub fn find(path: &Path) -> Option<Self> {
        path.join(RECORD).is_file().then(|| Self(path.to_owned()))
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Creates the folder and locks it; an error if it holds other files.
    pub fn create(&self) -> Result<Lock, StoreError> {
        if let Some(found) = self.foreign() {
            return Err(StoreError::NotOurs { path: self.0.display().to_string(), found });
        }
        let lock = Lock::take_new(&self.0)?;
        self.sweep()?;
        Ok(lock)
    }

    /// Removes the unfinished files of killed processes; the runs inside sweep themselves.
    fn sweep(&self) -> Result<(), StoreError> {
        let mut folders = vec![self.0.clone(), self.0.join("answers"), self.0.join("compare")];
        for target in fs::read_dir(self.0.join("results")).into_iter().flatten().flatten() {
            folders.push(target.path());
            folders.extend([PoolRole::Clean, PoolRole::Ood].map(|role| target.path().join(role.name())));
        }
        for folder in folders.iter().filter(|folder| folder.is_dir()) {
            remove_abandoned(folder)?;
        }
        Ok(())
    }

    /// Whether something else than an evaluation lies there.
    pub fn is_taken(&self) -> bool {
        self.foreign().is_some()
    }

    /// Whether an evaluation was begun there that has no record yet.
    pub fn is_begun(path: &Path) -> bool {
        Self::find(path).is_none()
            && RunDir::at(&path.join(RUNS).join(PoolRole::Pool.name())).spec_if_any().is_ok_and(|spec| spec.is_some())
    }

    /// A file that is there although there is no evaluation.
    fn foreign(&self) -> Option<String> {
        if self.0.join(RECORD).is_file() || self.0.join(RUNS).is_dir() {
            return None;
        }
        if self.0.symlink_metadata().is_ok() && !self.0.is_dir() {
            return Some("it is not a folder".to_owned());
        }
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        let mut names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.find(|name| name != "lock")
    }

    /// The run in which the targets score a pool.
    pub fn run(&self, role: PoolRole) -> RunDir {
        RunDir::at(&self.0.join(RUNS).join(role.name()))
    }

    /// The folder of one target's results.
    pub fn target(&self, name: &str) -> PathBuf {
        self.0.join("results").join(name)
    }

    /// The table of a target's results on shard `shard` of a pool.
    pub fn results(&self, target: &str, role: PoolRole, shard: usize) -> PathBuf {
        let folder = self.target(target);
        let folder = if role == PoolRole::Pool { folder } else { folder.join(role.name()) };
        folder.join(format!("{shard:05}.parquet"))
    }

    /// The path of a file inside, with `/` between parts.
    pub fn name_of(&self, path: &Path) -> String {
        let inside = path.strip_prefix(&self.0).unwrap_or(path);
        inside.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
    }

    /// The table at `path`, if it has the hash of the record; Parquet with flipped bits may be read as other rows, or
    /// end the program.
    pub fn checked(&self, path: &Path, record: &EvaluationRecord) -> Result<PathBuf, StoreError> {
        let wanted = record.tables.get(&self.name_of(path));
        let problem = match hash_file(path) {
            Ok((_, found)) if Some(&found) == wanted => return Ok(path.to_owned()),
            Ok(_) if wanted.is_none() => "evaluation.toml does not have it".to_owned(),
            Ok(_) => "its SHA-256 is not the one in evaluation.toml".to_owned(),
            Err(error) => format!("it cannot be read: {error}"),
        };
        let remedy = "run the same `hardset evaluate` again".to_owned();
        Err(StoreError::Damaged { path: path.display().to_string(), problem, remedy })
    }

    /// The tables of a target's results on a pool, in order, as the record has them.
    pub fn tables(&self, target: &str, role: PoolRole, record: &EvaluationRecord) -> Vec<PathBuf> {
        let is_one = |path: &PathBuf| record.tables.contains_key(&self.name_of(path));
        (0..).map(|shard: usize| self.results(target, role, shard)).take_while(is_one).collect()
    }

    /// What the images of a pool show.
    pub fn images(&self, role: PoolRole) -> PathBuf {
        self.0.join(match role {
            PoolRole::Pool => "images.parquet",
            PoolRole::Clean => "images.clean.parquet",
            PoolRole::Ood => "images.ood.parquet",
        })
    }

    /// Folders of results that are of no target of the record.
    pub fn strangers(&self, record: &EvaluationRecord) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.0.join("results")).into_iter().flatten().flatten();
        let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        found.retain(|path| !record.targets.iter().any(|target| self.target(&target.name) == *path));
        found.sort();
        found
    }

    /// The results of one target for others.
    pub fn target_json(&self, target: &str) -> PathBuf {
        self.target(target).join("results.json")
    }

    /// What the surrogates gave for the images that they mined.
    pub fn miners(&self) -> PathBuf {
        self.0.join("surrogates.parquet")
    }

    /// Removes the pages of `compare`, if what they show has changed; they are made again by the same commands.
    pub fn remove_comparisons(&self, is_changed: bool) -> Result<(), StoreError> {
        let folder = self.0.join("compare");
        if !is_changed || !folder.is_dir() {
            return Ok(());
        }
        fs::remove_dir_all(&folder).map_err(StoreError::io("remove", &folder))
    }

    /// The scored answers of a chat model.
    pub fn answers(&self, name: &str) -> PathBuf {
        self.0.join("answers").join(format!("{name}.csv"))
    }

    /// A document of the evaluation.
    pub fn document(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The record.
    pub fn record(&self) -> Result<EvaluationRecord, StoreError> {
        let path = self.0.join(RECORD);
        let damaged = |problem: String| StoreError::Damaged {
            path: path.display().to_string(),
            problem: problem.trim().to_owned(),
            remedy: "run the same `hardset evaluate` again with --out of a new folder".to_owned(),
        };
        let bytes = fs::read(&path).map_err(StoreError::io("read", &path))?;
        let document = seal::open_toml(&bytes).map_err(damaged)?;
        let table: toml::Table = toml::from_str(document).map_err(|e| damaged(e.to_string()))?;
        let format: Option<FormatVersion> = table.get("format").cloned().and_then(|found| found.try_into().ok());
        match format {
            Some(found) if EVALUATION_FORMAT.can_read(found) => {}
            found => {
                let tool = table.get("tool").and_then(toml::Value::as_str);
                let found = found.map_or_else(|| "no valid format".to_owned(), |found| found.to_string());
                return Err(StoreError::format(&path, found, tool, EVALUATION_FORMAT));
            }
        }
        toml::from_str(document).map_err(|e| damaged(e.to_string()))
    }

    /// The record, if there is one.
    pub fn record_if_any(&self) -> Result<Option<EvaluationRecord>, StoreError> {
        Self::find(&self.0).map(|found| found.record()).transpose()
    }

    /// Writes the record, unless the same is there.
    pub fn write_record(&self, record: &EvaluationRecord) -> Result<(), StoreError> {
        let path = self.0.join(RECORD);
        let text = toml::to_string(record).map_err(|e| StoreError::io("write", &path)(std::io::Error::other(e)))?;
        write_if_changed(&path, seal::seal_toml(&text).as_bytes())
    }
}

/// Writes `bytes` to `path`, whole or not at all, unless they are there.
pub fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let is_there = fs::metadata(path).is_ok_and(|there| there.len() == bytes.len() as u64)
        && fs::read(path).is_ok_and(|there| there == bytes);
    if is_there { Ok(()) } else { write_whole(path, bytes) }
}
