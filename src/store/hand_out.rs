//! A folder of files for people outside the project: nothing but the contents of the files carries information.
//!
//! Holds always: every file has the same date, because dates could reveal sentinels; a folder that holds other files is
//! not touched, because they may be somebody's work; an existing file with the same bytes is not written again, because
//! it may be open somewhere.

use std::fs::{self, File, FileTimes};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use walkdir::WalkDir;

use super::unfinished::{is_unfinished, remove_abandoned};
use super::{StoreError, write_whole};

/// The file that marks such a folder; it explains the other files to people.
const README: &str = "README.txt";

/// The beginning of our README.
const OURS: &str = "Task sheets of the benchmark ";
/// Names of the files beside it, except pages, which end in `.html`.
const NAMES: [&str; 7] =
    ["tasks.csv", "tasks.jsonl", "tasks.json", "config.xml", "dataset.csv", "instructions.json", "images"];

/// A folder being filled.
pub struct HandOut(PathBuf);

impl HandOut {
    /// Takes the folder at `path`, which must be new, empty, or such a folder with the same `readme`.
    pub fn open(path: &Path, readme: &str) -> Result<Self, StoreError> {
        let marker = path.join(README);
        let other = |found: String| StoreError::NotOurs { path: path.display().to_string(), found };
        match fs::read_to_string(&marker) {
            Ok(found) if found == readme => {}
            Ok(_) => return Err(other(README.to_owned())),
            Err(_) => Self::check(path)?,
        }
        let folder = Self(path.to_owned());
        // Left-overs of killed processes are not for people.
        for inner in WalkDir::new(path).into_iter().flatten().filter(|entry| entry.file_type().is_dir()) {
            remove_abandoned(inner.path())?;
        }
        folder.write(README, readme.as_bytes())?;
        Ok(folder)
    }

    /// An error if the folder exists and holds a file that hardset did not write.
    pub fn check(path: &Path) -> Result<(), StoreError> {
        match foreign(path) {
            Some(found) => Err(StoreError::NotOurs { path: path.display().to_string(), found }),
            None => Ok(()),
        }
    }

    /// As [`HandOut::open`], for a folder inside the run: the files of an earlier call for other sheets are removed, if
    /// the folder holds nothing else.
    pub fn renew(path: &Path, readme: &str) -> Result<Self, StoreError> {
        match Self::open(path, readme) {
            Err(StoreError::NotOurs { found, .. }) if found == README && !path.is_symlink() => {
                Self::check(path)?;
                fs::remove_dir_all(path).map_err(StoreError::io("remove", path))?;
                Self::open(path, readme)
            }
            opened => opened,
        }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes the file `name` unless it exists; an existing file with other bytes is an error.
    pub fn write_new(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        match fs::read(self.0.join(name)) {
            Ok(found) if found != bytes => {
                Err(StoreError::NotOurs { path: self.0.display().to_string(), found: name.to_owned() })
            }
            _ => self.write(name, bytes),
        }
    }

    /// Writes the file `name` (a path inside the folder) unless it exists with the same bytes, and gives it the date of
    /// all files.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.0.join(name);
        if !fs::read(&path).is_ok_and(|found| found == bytes) {
            write_whole(&path, bytes)?;
        }
        // An existing file too: a process that was killed after the line above has left it with another date.
        set_date(&path).map_err(StoreError::io("write", &path))
    }
}

/// Gives a file the date of all files: the first second of 2000.
fn set_date(path: &Path) -> io::Result<()> {
    let date = SystemTime::UNIX_EPOCH + Duration::from_secs(946_684_800);
    if fs::metadata(path)?.modified()? == date {
        return Ok(());
    }
    let file = File::options().write(true).open(path)?;
    file.set_times(FileTimes::new().set_accessed(date).set_modified(date))
}

/// A file in the folder that hardset did not write; `None` for a folder that is new, empty or ours.
fn foreign(path: &Path) -> Option<String> {
    let readme = fs::read_to_string(path.join(README)).ok();
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let mut names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let ours = readme.is_some_and(|text| text.starts_with(OURS));
    names.find(|name| {
        let known = name == README || NAMES.contains(&name.as_str()) || name.ends_with(".html");
        !(is_unfinished(name) || ours && known)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_one_date_and_foreign_folders_are_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        let (first, second) = ("Task sheets of the benchmark a", "Task sheets of the benchmark b");
        let out = HandOut::open(&path, first).unwrap();
        out.write("images/a.jpg", b"a").unwrap();
        let date = |name: &str| fs::metadata(path.join(name)).unwrap().modified().unwrap();
        assert_eq!(date("images/a.jpg"), date(README));
        assert!(HandOut::open(&path, first).is_ok() && HandOut::open(&path, second).is_err());
        assert!(HandOut::check(&path).is_ok() && HandOut::check(&path.join("images")).is_err());
        fs::write(path.join("mine.txt"), "mine").unwrap();
        assert!(HandOut::renew(&path, second).is_err(), "other people's files stay");
        fs::remove_file(path.join("mine.txt")).unwrap();
        HandOut::renew(&path, second).unwrap();
        assert!(!path.join("images/a.jpg").exists());
    }

    #[test]
    fn a_file_that_a_killed_process_left_without_the_date_gets_it_later() {
        let dir = tempfile::tempdir().unwrap();
        let (path, readme) = (dir.path().join("out"), "Task sheets of the benchmark a");
        let out = HandOut::open(&path, readme).unwrap();
        let date = |name: &str| fs::metadata(path.join(name)).unwrap().modified().unwrap();
        let wanted = date(README);
        for (name, bytes) in [(README, readme), ("tasks.csv", "rows")] {
            fs::write(path.join(name), bytes).unwrap();
            assert_ne!(date(name), wanted);
        }
        HandOut::open(&path, readme).unwrap();
        out.write("tasks.csv", b"rows").unwrap();
        assert_eq!([date(README), date("tasks.csv")], [wanted; 2]);
    }

    #[test]
    fn a_file_that_people_filled_in_is_not_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let out = HandOut::open(&dir.path().join("out"), "Task sheets of the benchmark a").unwrap();
        out.write_new("tasks.csv", b"empty").unwrap();
        out.write_new("tasks.csv", b"empty").unwrap();
        fs::write(out.path().join("tasks.csv"), "filled in").unwrap();
        assert!(out.write_new("tasks.csv", b"empty").is_err());
    }
}
