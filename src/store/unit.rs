//! The files of one piece of work and the record that vouches for them.
//!
//! Does not know what is in the files. Holds always:
//!
//! * A file has its hash in its name, and the record names it. So the files of two writers never meet, and a record and
//!   its files belong together whatever the order of events: of two writers with the same inputs the first record
//!   stays, and both are right. Source of the idea: git's objects.
//! * Damage is never taken for absence: a record that cannot be read is an error, not work to be done.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::atomic::{Committed, PendingFile, write_whole};
use super::check::file_problem;
use super::hashing::written;
use super::if_any::read_if_any;
use super::unfinished::{files as files_in, is_old, is_unfinished, remove};
use super::{Check, FileRecord, Home, NewRecord, RowCounts, ShardRecord, StoreError, written_order};
use crate::domain::{Hasher, Sha256};

/// What people can do about damage to what the same recipe gives again.
pub(super) const MAKE_AGAIN: &str = "run the same `hardset build` again";
const DELETE_AND_MAKE_AGAIN: &str = "delete it and run the same `hardset build` again";

/// The files of one piece of work: `<dir>/<stem>.<hash>.parquet`, …, committed by `<dir>/<stem>.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// The folder.
    pub dir: PathBuf,
    /// The stem: a shard's number with six digits, or a name.
    pub stem: String,
    /// What people can do if it is damaged.
    pub(super) remedy: &'static str,
    /// Where it really is, if `dir` is in a cache.
    pub(super) home: Option<Home>,
}

/// What is there of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnitState {
    /// Nothing was made, or it was made from other inputs.
    ToDo,
    /// It was made from these inputs, but a file is not what the record says: its path, and what is wrong.
    Damaged(PathBuf, String),
    /// It is done.
    Done(ShardRecord),
}

impl Unit {
    /// Path of its record.
    pub fn record_path(&self) -> PathBuf {
        self.dir.join(format!("{}.json", self.stem))
    }

    /// Its record; `None` if there is none. A record that cannot be read is [`StoreError::Damaged`].
    pub fn record(&self) -> Result<Option<ShardRecord>, StoreError> {
        let path = self.record_path();
        if let Some(home) = &self.home {
            return self.read(home.record(&path)?);
        }
        let bytes = read_if_any(&path).map_err(|error| match error.kind() {
            // The file may be as it should be: others can read it.
            ErrorKind::PermissionDenied => StoreError::io("read", &path)(error),
            _ => self.damaged(&path, error.to_string()),
        })?;
        self.read(bytes)
    }

    fn read(&self, bytes: Option<Vec<u8>>) -> Result<Option<ShardRecord>, StoreError> {
        let record = bytes.map(|bytes| ShardRecord::read(&bytes)).transpose();
        record.map_err(|problem| self.damaged(&self.record_path(), problem))
    }

    /// Whether `hardset build` makes it.
    pub fn is_made_by_build(&self) -> bool {
        self.remedy == MAKE_AGAIN
    }

    /// Its record, which must be there.
    pub fn existing(&self) -> Result<ShardRecord, StoreError> {
        self.record()?.ok_or_else(|| self.damaged(&self.record_path(), "it is missing".to_owned()))
    }

    /// What is there of the unit with this key.
    pub fn state(&self, key: Sha256, check: Check) -> Result<UnitState, StoreError> {
        let Some(record) = self.record()?.filter(|record| record.key == key) else { return Ok(UnitState::ToDo) };
        // Of a bucket nobody reads all bytes at every start: `verify` does.
        let check = if self.home.is_some() { Check::Sizes } else { check };
        Ok(match self.problem(&record, check) {
            Some((path, problem)) => UnitState::Damaged(path, problem),
            None => UnitState::Done(record),
        })
    }

    /// What is wrong with the first bad file of `record`: its path and the problem.
    pub fn problem(&self, record: &ShardRecord, check: Check) -> Option<(PathBuf, String)> {
        self.problems(record, check).next()
    }

    /// What is wrong with each bad file of `record`: its path and the problem.
    pub fn problems(&self, record: &ShardRecord, check: Check) -> impl Iterator<Item = (PathBuf, String)> {
        record.files.iter().filter_map(move |file| {
            let path = self.dir.join(&file.name);
            let problem = match &self.home {
                Some(home) => home.problem(&path, file, check).unwrap_or_else(|error| Some(error.to_string())),
                None => file_problem(&path, file, check),
            };
            problem.map(|problem| (path, problem))
        })
    }

    /// An error if a file of `record` is not what it says.
    pub fn check(&self, record: &ShardRecord, check: Check) -> Result<(), StoreError> {
        match self.problem(record, check) {
            Some((path, problem)) => Err(self.damaged(&path, problem)),
            None => Ok(()),
        }
    }

    /// The path of the file of `record` with this extension, which is brought from the run's home.
    pub fn file(&self, record: &ShardRecord, extension: &str) -> Result<PathBuf, StoreError> {
        let file = self.named(record, extension)?;
        let path = self.dir.join(&file.name);
        match self.home.as_ref().map_or(Ok(None), |home| home.bring(&path, file))? {
            Some(problem) => Err(self.damaged(&path, problem)),
            None => Ok(path),
        }
    }

    /// As [`Unit::file`]; an error unless the file has the size and hash of the record, so that nothing else is ever
    /// parsed.
    pub fn checked(&self, record: &ShardRecord, extension: &str) -> Result<PathBuf, StoreError> {
        let file = self.named(record, extension)?;
        let path = self.file(record, extension)?;
        match file_problem(&path, file, Check::Hashes) {
            Some(problem) => Err(self.damaged(&path, problem)),
            None => Ok(path),
        }
    }

    /// Brings all files of `record` to this machine, if the run is in a bucket.
    pub fn bring(&self, record: &ShardRecord) -> Result<(), StoreError> {
        let Some(home) = &self.home else { return Ok(()) };
        for file in &record.files {
            let path = self.dir.join(&file.name);
            if let Some(problem) = home.bring(&path, file)? {
                return Err(self.damaged(&path, problem));
            }
        }
        Ok(())
    }

    fn named<'a>(&self, record: &'a ShardRecord, extension: &str) -> Result<&'a FileRecord, StoreError> {
        let found = record.files.iter().find(|file| file.name == self.name(file.sha256, extension));
        found.ok_or_else(|| self.damaged(&self.record_path(), format!("it names no file of the kind {extension}")))
    }

    fn name(&self, sha256: Sha256, extension: &str) -> String {
        format!("{}.{}.{extension}", self.stem, sha256.short())
    }

    /// The name that a file with this content will have.
    pub fn name_of(&self, bytes: &[u8], extension: &str) -> String {
        self.name(Sha256::of(bytes), extension)
    }

    /// Writes the files (extension, bytes) and then the record that vouches for them; returns the record that is there
    /// then: that of another process if it was first, has the same key, and its files are whole.
    pub fn commit(&self, files: &[(&str, Vec<u8>)], record: NewRecord) -> Result<ShardRecord, StoreError> {
        let named = self.records(files);
        for (file, (_, bytes)) in named.iter().zip(files) {
            let path = self.dir.join(&file.name);
            write_whole(&path, bytes)?;
            written(&path, file.sha256);
        }
        self.commit_record(named, record)
    }

    fn records(&self, files: &[(&str, Vec<u8>)]) -> Vec<FileRecord> {
        let mut records = Vec::with_capacity(files.len());
        for (extension, bytes) in files {
            let sha256 = Sha256::of(bytes);
            records.push(FileRecord { name: self.name(sha256, extension), bytes: bytes.len() as u64, sha256 });
        }
        records
    }

    /// As [`Unit::commit`], for a unit that is never replaced, because people have seen what is in it. Files without a
    /// record must be those of a killed call for the same; others are an error.
    pub fn commit_once(&self, files: &[(&str, Vec<u8>)], record: NewRecord) -> Result<ShardRecord, StoreError> {
        if self.record()?.is_some() {
            return Err(self.damaged(&self.record_path(), "it appeared while the same was made again".to_owned()));
        }
        let names: Vec<String> = files.iter().map(|(extension, bytes)| self.name_of(bytes, extension)).collect();
        for path in files_in(&self.dir)? {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let is_ours = split_name(name).is_some_and(|(stem, _)| stem == self.stem);
            if is_ours && !names.iter().any(|ours| ours == name) {
                let problem = "its record is missing, and what would be made now differs from it".to_owned();
                return Err(self.damaged(&path, problem));
            }
        }
        match self.commit(files, record)? {
            committed if names.iter().eq(committed.files.iter().map(|file| &file.name)) => Ok(committed),
            _ => Err(self.damaged(&self.record_path(), "it appeared while another was made".to_owned())),
        }
    }

    /// Starts a file of the unit that is too large for the memory; [`Unit::commit_started`] ends it.
    pub fn start(&self, extension: &'static str) -> Result<UnitFile, StoreError> {
        let file = PendingFile::create(&self.dir.join(format!("{}.{extension}", self.stem)))?;
        Ok(UnitFile { file, hasher: Hasher::default(), bytes: 0, extension })
    }

    /// As [`Unit::commit`], for a file that was written piece by piece.
    pub fn commit_started(&self, started: UnitFile, record: NewRecord) -> Result<ShardRecord, StoreError> {
        let named = self.file_record(&started);
        let path = self.dir.join(&named.name);
        started.file.commit_as(&path)?;
        written(&path, named.sha256);
        self.commit_record(vec![named], record)
    }

    /// The record that [`Unit::commit_started`] would write of this file as it is now.
    pub fn preview(&self, started: &UnitFile, record: NewRecord) -> Result<ShardRecord, StoreError> {
        let path = self.record_path();
        let (record, _) = ShardRecord::new(record, vec![self.file_record(started)])
            .map_err(|e| StoreError::io("write", &path)(e.into()))?;
        Ok(record)
    }

    fn file_record(&self, started: &UnitFile) -> FileRecord {
        let sha256 = started.hasher.clone().finish();
        FileRecord { name: self.name(sha256, started.extension), bytes: started.bytes, sha256 }
    }

    /// Removes what earlier contents of the unit have left. Only for the holder of the run's lock.
    pub fn tidy(&self) -> Result<(), StoreError> {
        remove_unnamed(&self.dir)
    }

    fn commit_record(&self, files: Vec<FileRecord>, record: NewRecord) -> Result<ShardRecord, StoreError> {
        let path = self.record_path();
        let write_error = |e: serde_json::Error| StoreError::io("write", &path)(e.into());
        let (record, text) = ShardRecord::new(record, files).map_err(write_error)?;
        if let Some(home) = &self.home {
            return self.send(home, record, &text);
        }
        let mut pending = PendingFile::create(&path)?;
        pending.write_all(text.as_bytes()).map_err(StoreError::io("write", &path))?;
        let pending = match pending.commit_first()? {
            Committed::First => return Ok(record),
            Committed::Later(pending) => pending,
        };
        if let Some(first) = self.record()?.filter(|first| first.key == record.key)
            && (first.files == record.files || self.problem(&first, Check::Hashes).is_none())
        {
            return Ok(first);
        }
        pending.commit()?;
        Ok(record)
    }

    /// Sends the files, and then the record unless one with the same key is there; the record that is there then.
    fn send(&self, home: &Home, record: ShardRecord, text: &str) -> Result<ShardRecord, StoreError> {
        for file in &record.files {
            home.send(&self.dir.join(&file.name))?;
        }
        let path = self.record_path();
        let first = self.read(home.record_now(&path)?)?.filter(|first| first.key == record.key);
        if let Some(first) = first
            && (first.files == record.files || self.problem(&first, Check::Sizes).is_none())
        {
            return Ok(first);
        }
        write_whole(&path, text.as_bytes())?;
        home.send(&path)?;
        // Another machine may have sent its own in this moment, and all others follow from what is there now.
        let there = self.read(home.record_now(&path)?)?.filter(|there| there.key == record.key);
        Ok(there.unwrap_or(record))
    }

    /// Makes the unit one that was not made. Nothing is ever removed from a bucket: there its record is of no inputs
    /// afterwards. Only for the holder of the run's lock.
    pub(super) fn take_back(&self) -> Result<(), StoreError> {
        let path = self.record_path();
        let Some(home) = &self.home else { return remove(&path) };
        let key = Sha256::of(b"no inputs");
        let record =
            NewRecord { key, rows: RowCounts::default(), lost: Vec::new(), facts: BTreeMap::new(), sums: None };
        let (_, text) = ShardRecord::new(record, Vec::new()).map_err(|e| StoreError::io("write", &path)(e.into()))?;
        write_whole(&path, text.as_bytes())?;
        home.send(&path)
    }

    /// The error for a record that was made from other inputs than those that are there.
    pub fn of_other_inputs(&self) -> StoreError {
        let problem = "its key is not that of the recipe and of the records that it follows from";
        self.damaged(&self.record_path(), problem.to_owned())
    }

    /// An error for a file of this unit: what is wrong with it, and what to do.
    pub fn damaged(&self, path: &Path, problem: String) -> StoreError {
        // A record must be out of the way before it is made again; a file need not.
        let remedy = match self.remedy {
            MAKE_AGAIN if path == self.record_path() && path.symlink_metadata().is_ok() => DELETE_AND_MAKE_AGAIN,
            // Of a bucket only sizes are looked at when it is made again.
            MAKE_AGAIN if self.home.is_some() => DELETE_AND_MAKE_AGAIN,
            remedy => remedy,
        };
        let shown = self.home.as_ref().map_or_else(|| path.to_owned(), |home| home.address(path));
        StoreError::Damaged { path: shown.display().to_string(), problem, remedy: remedy.to_owned() }
    }
}

/// A file of a unit that is being written.
pub struct UnitFile {
    file: PendingFile,
    hasher: Hasher,
    bytes: u64,
    extension: &'static str,
}

impl UnitFile {
    /// The error of the last failed write, for writers whose own errors lose it.
    pub fn failure(self) -> Option<StoreError> {
        self.file.failure()
    }
}

impl Write for UnitFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

/// The stem and the extension of a unit's file, `<stem>.<eight hexadecimal digits>.<extension>`; `None` for records and
/// other files.
pub(super) fn split_name(name: &str) -> Option<(&str, &str)> {
    const HASH: usize = 8;
    // Stem and extension may have dots, and a stem may end in another hash: the last one is the file's.
    for (at, _) in name.rmatch_indices('.') {
        let Some((hash, extension)) = name[at + 1..].split_once('.') else { continue };
        let is_hash = hash.len() == HASH && hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if is_hash {
            return (extension != "json").then_some((&name[..at], extension));
        }
    }
    None
}

/// Stems of the units in one folder.
#[derive(Default)]
pub(super) struct Stems {
    /// Those that have a record.
    pub(super) recorded: BTreeSet<String>,
    /// A file of each that has files.
    pub(super) filed: BTreeMap<String, PathBuf>,
}

impl Stems {
    /// The stems of the units in `dir`, which may not be there. `is_ours`: people may put files of their own beside
    /// ours; those that a process is writing have no stem yet.
    pub(super) fn below(dir: &Path, is_ours: impl Fn(&str) -> bool) -> Result<Self, StoreError> {
        Ok(Self::of(&files_in(dir)?, is_ours))
    }

    /// As [`Stems::below`], of these paths.
    pub(super) fn of(paths: &[PathBuf], is_ours: impl Fn(&str) -> bool) -> Self {
        let mut stems = Self::default();
        for path in paths {
            let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|name| !is_unfinished(name)) else {
                continue;
            };
            if let Some((stem, _)) = split_name(name).filter(|(stem, _)| is_ours(stem)) {
                stems.filed.insert(stem.to_owned(), path.clone());
            } else if let Some(stem) = name.strip_suffix(".json").filter(|stem| is_ours(stem)) {
                stems.recorded.insert(stem.to_owned());
            }
        }
        stems
    }
}

/// Removes the files in `folder` that the record of their unit does not name and that are older than it: it has
/// replaced them, or was there before them.
///
/// A younger one may be on the way into the next record, and is removed after a day. Files of a unit without a record
/// stay: they may be all that is left of it. Only for the holder of the run's lock.
pub(super) fn remove_unnamed(folder: &Path) -> Result<(), StoreError> {
    let mut units: BTreeMap<String, Vec<UnitFileName>> = BTreeMap::new();
    for path in files_in(folder)? {
        let Some(name) = path.file_name().and_then(|name| name.to_str()).filter(|name| !is_unfinished(name)) else {
            continue;
        };
        if let Some((stem, extension)) = split_name(name) {
            let file = UnitFileName { name: name.to_owned(), extension: extension.to_owned() };
            units.entry(stem.to_owned()).or_default().push(file);
        }
    }
    for (stem, files) in units {
        let kinds: BTreeSet<&str> = files.iter().map(|file| file.extension.as_str()).collect();
        // A unit with one file of each kind has nothing to spare: its record need not be read.
        if kinds.len() < files.len() {
            remove_spare(&Unit { dir: folder.to_owned(), stem, remedy: "", home: None }, &files)?;
        }
    }
    Ok(())
}

/// A file of a unit, of which it is not known whether the record names it.
struct UnitFileName {
    name: String,
    extension: String,
}

fn remove_spare(unit: &Unit, files: &[UnitFileName]) -> Result<(), StoreError> {
    // A damaged record is not for the sweep to judge; its files stay.
    let Ok(Some(record)) = unit.record() else { return Ok(()) };
    for UnitFileName { name, .. } in files {
        let path = unit.dir.join(name);
        let is_named = record.files.iter().any(|file| file.name == *name);
        let is_before = written_order(&path, &unit.record_path()).is_some_and(Ordering::is_le);
        if !is_named && (is_before || is_old(&path)) {
            remove(&path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::store::RowCounts;

    fn record(key: &[u8]) -> NewRecord {
        NewRecord { key: Sha256::of(key), rows: RowCounts::default(), lost: vec![], facts: BTreeMap::new(), sums: None }
    }

    fn unit(dir: &Path) -> Unit {
        Unit { dir: dir.join("images/000"), stem: "000003".to_owned(), remedy: "make it again", home: None }
    }

    fn names(unit: &Unit) -> Vec<String> {
        let mut names: Vec<_> =
            files_in(&unit.dir).unwrap().iter().map(|p| p.file_name().unwrap().to_str().unwrap().to_owned()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_unit_is_done_only_with_its_key_and_its_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let unit = unit(dir.path());
        assert_eq!(unit.record().unwrap(), None);
        let written = unit.commit(&[("parquet", b"rows".to_vec())], record(b"k")).unwrap();
        let key = Sha256::of(b"k");
        assert_eq!(unit.state(key, Check::Hashes).unwrap(), UnitState::Done(written.clone()));
        assert_eq!(unit.state(Sha256::of(b"other"), Check::Sizes).unwrap(), UnitState::ToDo);

        let file = unit.file(&written, "parquet").unwrap();
        fs::write(&file, b"r0ws").unwrap();
        assert!(matches!(unit.state(key, Check::Sizes).unwrap(), UnitState::Done(_)));
        assert!(matches!(unit.state(key, Check::Hashes).unwrap(), UnitState::Damaged(..)));
        assert!(unit.checked(&written, "parquet").unwrap_err().to_string().contains("make it again"));
        fs::write(&file, b"row").unwrap();
        assert!(matches!(unit.state(key, Check::Sizes).unwrap(), UnitState::Damaged(..)));
        assert!(unit.file(&written, "tar").is_err());
    }

    #[test]
    fn a_damaged_record_is_not_an_absent_one() {
        let dir = tempfile::tempdir().unwrap();
        let unit = unit(dir.path());
        unit.commit(&[("parquet", b"rows".to_vec())], record(b"k")).unwrap();
        let text = fs::read(unit.record_path()).unwrap();
        let half = &text[..text.len() / 2];
        let changed = String::from_utf8(text.clone()).unwrap().replace("\"given\": 0", "\"given\": 1");
        for damage in [&b""[..], b"{}", b"{", half, changed.as_bytes(), b"\xff"] {
            fs::write(unit.record_path(), damage).unwrap();
            assert!(matches!(unit.record(), Err(StoreError::Damaged { .. })), "{damage:?}");
        }
        fs::remove_file(unit.record_path()).unwrap();
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("nowhere", unit.record_path()).unwrap();
            assert!(unit.record().is_err(), "a link that leads nowhere");
            fs::remove_file(unit.record_path()).unwrap();
        }
        fs::create_dir(unit.record_path()).unwrap();
        assert!(unit.record().is_err(), "a folder");
    }

    #[test]
    fn the_first_of_two_writers_with_unlike_bytes_wins_and_its_files_are_whole() {
        let dir = tempfile::tempdir().unwrap();
        let unit = unit(dir.path());
        let first = unit.commit(&[("tar", b"one".to_vec())], record(b"k")).unwrap();
        // As another kind of device would: the same inputs, other bytes.
        let second = unit.commit(&[("tar", b"two".to_vec())], record(b"k")).unwrap();
        assert_eq!(first, second);
        assert_eq!(unit.problem(&second, Check::Hashes), None);
        assert_eq!(names(&unit).len(), 3);
        // Clocks of file systems tick every few milliseconds: all of this may have been one moment.
        let younger = unit.dir.join(unit.name_of(b"two", "tar"));
        let later = std::time::SystemTime::now() + std::time::Duration::from_secs(1);
        fs::File::options().write(true).open(younger).unwrap().set_modified(later).unwrap();
        remove_unnamed(&unit.dir).unwrap();
        assert_eq!(names(&unit).len(), 3, "a file that is younger than the record may be on its way");
    }

    #[test]
    fn other_inputs_or_damaged_files_give_way_and_what_they_leave_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let unit = unit(dir.path());
        unit.commit(&[("tar", b"old".to_vec())], record(b"k")).unwrap();
        let newer = unit.commit(&[("tar", b"new".to_vec())], record(b"other")).unwrap();
        assert_eq!(unit.record().unwrap(), Some(newer.clone()));
        assert_eq!(names(&unit).len(), 3);
        remove_unnamed(&unit.dir).unwrap();
        assert_eq!(names(&unit), [newer.files[0].name.as_str(), "000003.json"]);
        fs::write(unit.file(&newer, "tar").unwrap(), "bad").unwrap();
        let healed = unit.commit(&[("tar", b"third".to_vec())], record(b"other")).unwrap();
        assert_ne!(healed, newer);
        assert_eq!(unit.problem(&healed, Check::Hashes), None);
    }

    #[test]
    fn a_file_that_is_written_piece_by_piece_has_the_name_of_its_content() {
        let dir = tempfile::tempdir().unwrap();
        let unit = unit(dir.path());
        let mut file = unit.start("parquet").unwrap();
        file.write_all(b"ro").unwrap();
        file.write_all(b"ws").unwrap();
        let streamed = unit.commit_started(file, record(b"k")).unwrap();
        assert_eq!(unit.commit(&[("parquet", b"rows".to_vec())], record(b"k")).unwrap(), streamed);
        assert_eq!(names(&unit).len(), 2);
    }

    #[test]
    fn names_of_files_are_taken_apart() {
        let hash = "0123abcd";
        for (stem, extension) in
            [("000003", "tar"), ("all-of-2.any-of-ids.677a1527", "parquet"), ("all", "votes.parquet")]
        {
            assert_eq!(split_name(&format!("{stem}.{hash}.{extension}")), Some((stem, extension)));
        }
        for name in ["000003.json", "all-of-2.any-of-ids.677a1527.json", "spec.toml", "a.0123ABCD.tar", "0123abcd.tar"]
        {
            assert_eq!(split_name(name), None, "{name}");
        }
    }
}
