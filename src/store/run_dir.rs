//! The layout of a run directory (`docs/run-directory.md`), its spec and its locks.
//!
//! Holds always: a run never starts in a folder with other files, because it removes unfinished files there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::atomic::{UNFINISHED, link_whole, write_whole};
use super::{Lock, StoreError, Unit, read_map, write_map};
use crate::domain::{ItemId, RunSpec};

/// Version of the layout; raised when older programs could misread a run.
pub const FORMAT: u32 = 1;

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
        Lock::take(&self.0)
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

    /// Locks an existing run.
    pub fn lock(&self) -> Result<Lock, StoreError> {
        if !self.spec_path().is_file() {
            return Err(StoreError::NotARun { path: self.0.display().to_string() });
        }
        Lock::take(&self.0)
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
        let text = fs::read_to_string(&path).map_err(StoreError::io("read", &path))?;
        self.check_format(&text)?;
        toml::from_str(&text).map_err(|e| StoreError::Damaged {
            path: path.display().to_string(),
            problem: e.to_string().trim().to_owned(),
            remedy: "restore it, or start again with another --run-dir".to_owned(),
        })
    }

    fn check_format(&self, text: &str) -> Result<(), StoreError> {
        let table: toml::Table = toml::from_str(text).unwrap_or_default();
        let found = table.get("format").and_then(toml::Value::as_integer).unwrap_or(i64::from(FORMAT)) as u32;
        let tool = table.get("tool").and_then(toml::Value::as_str).unwrap_or("unknown").to_owned();
        if found != FORMAT {
            return Err(StoreError::Format { path: self.0.display().to_string(), found, wanted: FORMAT, tool });
        }
        Ok(())
    }

    /// Stores the spec, unless the same spec is stored already.
    pub fn write_spec(&self, spec: &RunSpec) -> Result<(), StoreError> {
        let path = self.spec_path();
        let text = toml::to_string(spec).map_err(|e| StoreError::io("write", &path)(std::io::Error::other(e)))?;
        match fs::read_to_string(&path) {
            Ok(stored) if stored == text => Ok(()),
            _ => write_whole(&path, text.as_bytes()),
        }
    }

    fn spec_path(&self) -> PathBuf {
        self.0.join("spec.toml")
    }

    /// The plan: `plan.parquet` and its record.
    pub fn plan(&self) -> Unit {
        Unit { dir: self.0.clone(), stem: "plan".to_owned() }
    }

    /// The images of shard `index`.
    pub fn images(&self, index: usize) -> Unit {
        Unit::shard(self.0.join("images"), index)
    }

    /// The predictions of surrogate `name` for shard `index`.
    pub fn predictions(&self, name: &str, index: usize) -> Unit {
        Unit::shard(self.0.join("predictions").join(name), index)
    }

    /// The table of the mining with this id.
    pub fn mined(&self, id: &str) -> PathBuf {
        self.0.join("mined").join(format!("{id}.parquet"))
    }

    /// The table of the current mining.
    pub fn manifest(&self) -> PathBuf {
        self.0.join("manifest.parquet")
    }

    /// Makes the mining with this id the current one.
    pub fn set_manifest(&self, id: &str) -> Result<(), StoreError> {
        link_whole(&self.mined(id), &self.manifest())
    }

    /// The table of lost items.
    pub fn dropped(&self) -> PathBuf {
        self.0.join("dropped.parquet")
    }

    /// The report's page.
    pub fn report(&self) -> PathBuf {
        self.0.join("report").join("index.html")
    }

    /// The folder of task sheets and of their secrets.
    pub fn batches(&self) -> PathBuf {
        self.0.join("batches")
    }

    /// Round `index` (from 0) of task sheets: `NNNNN.tasks.parquet`, `NNNNN.sentinels.parquet` and their record.
    pub fn round(&self, index: usize) -> Unit {
        Unit::shard(self.batches(), index)
    }

    /// How many rounds there are.
    pub fn rounds(&self) -> usize {
        (0..).take_while(|&index| self.round(index).record().is_some()).count()
    }

    /// Tasks for which people see a grey square, because their images can no longer be shown.
    pub fn blanks(&self) -> BTreeSet<String> {
        let of = |source: &str| read_map::<bool>(&self.blank_path(source)).into_keys();
        ["export", "server"].into_iter().flat_map(of).collect()
    }

    /// Adds such tasks. `source` is `export` or `server`, which may work at the same time and write a file each.
    pub fn add_blanks(&self, source: &str, tasks: &BTreeSet<String>) -> Result<(), StoreError> {
        let path = self.blank_path(source);
        let mut known = read_map::<bool>(&path);
        let before = known.len();
        known.extend(tasks.iter().map(|task| (task.clone(), true)));
        if known.len() > before { write_map(&path, &known) } else { Ok(()) }
    }

    fn blank_path(&self, source: &str) -> PathBuf {
        self.batches().join(format!("blank.{source}.toml"))
    }

    /// The answers of one input: `answers/<name>.parquet` and its record.
    pub fn answers(&self, name: &str) -> Unit {
        Unit { dir: self.0.join("answers"), stem: name.to_owned() }
    }

    /// The sorted names of all inputs with answers.
    pub fn answered(&self) -> Vec<String> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.0.join("answers")).into_iter().flatten().flatten() {
            let file = entry.file_name();
            let Some(name) = file.to_str().and_then(|file| file.strip_suffix(".json")) else { continue };
            // A hash, or the id of a server's database.
            let id = name.strip_prefix("server-").unwrap_or(name);
            if !id.is_empty() && id.bytes().all(|b| b.is_ascii_hexdigit()) {
                names.push(name.to_owned());
            }
        }
        names.sort();
        names
    }

    /// The result of all answers: `verdicts/all.{votes,assignments,items,people,agreement}.parquet` and their record.
    pub fn verdicts(&self) -> Unit {
        Unit { dir: self.0.join("verdicts"), stem: "all".to_owned() }
    }

    /// The database in which `annotate serve` keeps answers.
    pub fn ballots(&self) -> PathBuf {
        self.0.join("answers").join("server.sqlite")
    }

    /// File name of an item's image in a shard.
    pub fn member(item: ItemId) -> String {
        format!("{item}.png")
    }

    /// Removes the unfinished files of a killed process in the run's own folders.
    pub fn sweep(&self) -> Result<(), StoreError> {
        let own = ["", "images", "mined", "report", "batches", "answers", "verdicts"].map(|name| self.0.join(name));
        let predictions = self.predicted().into_iter().map(|name| self.0.join("predictions").join(name));
        for folder in own.into_iter().chain(predictions).filter(|folder| folder.is_dir()) {
            sweep(&folder)?;
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

fn sweep(dir: &Path) -> Result<(), StoreError> {
    for entry in fs::read_dir(dir).map_err(StoreError::io("read", dir))?.flatten() {
        if entry.file_name().to_string_lossy().ends_with(UNFINISHED) {
            fs::remove_file(entry.path()).map_err(StoreError::io("remove", &entry.path()))?;
        }
    }
    Ok(())
}
