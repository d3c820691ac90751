//! A folder of files for people outside: what is in it tells nothing but its contents.
//!
//! Holds always: every file has the same date; a folder that holds somebody else's files is not touched; a file that is there
//! already is whole and is left alone.

use std::fs::{self, File, FileTimes};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::atomic::UNFINISHED;
use super::{StoreError, write_whole};

/// The file that marks such a folder; it tells people what to do with the rest.
const README: &str = "README.txt";

/// A folder being filled.
pub struct HandOut(PathBuf);

impl HandOut {
    /// Takes the folder at `path`, which must be new, empty, or such a folder with the same `readme`.
    pub fn open(path: &Path, readme: &str) -> Result<Self, StoreError> {
        let marker = path.join(README);
        let foreign = |found: String| StoreError::NotOurs { path: path.display().to_string(), found };
        match fs::read_to_string(&marker) {
            Ok(found) if found == readme => return Ok(Self(path.to_owned())),
            Ok(_) => return Err(foreign(README.to_owned())),
            Err(_) if path.is_dir() => {
                let entries = fs::read_dir(path).map_err(StoreError::io("read", path))?.flatten();
                let mut names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
                if let Some(found) = names.find(|name| !name.ends_with(UNFINISHED)) {
                    return Err(foreign(found));
                }
            }
            Err(_) => {}
        }
        let folder = Self(path.to_owned());
        folder.write(README, readme.as_bytes())?;
        Ok(folder)
    }

    /// As [`HandOut::open`], for a folder of our own: what an earlier call wrote there for other sheets is removed.
    pub fn renew(path: &Path, readme: &str) -> Result<Self, StoreError> {
        match Self::open(path, readme) {
            Err(StoreError::NotOurs { found, .. }) if found == README => {
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

    /// Whether the file `name` is there.
    pub fn has(&self, name: &str) -> bool {
        self.0.join(name).is_file()
    }

    /// Writes the file `name` (a path inside the folder) unless the same bytes are there.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.0.join(name);
        if fs::read(&path).is_ok_and(|found| found == bytes) {
            return Ok(());
        }
        write_whole(&path, bytes)?;
        // The first second of 2000, in which nobody made anything.
        let date = SystemTime::UNIX_EPOCH + Duration::from_secs(946_684_800);
        let dated = File::options().write(true).open(&path);
        let dated = dated.and_then(|file| file.set_times(FileTimes::new().set_accessed(date).set_modified(date)));
        dated.map_err(StoreError::io("write", &path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_one_date_and_foreign_folders_are_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out");
        let out = HandOut::open(&path, "what this is").unwrap();
        out.write("images/a.jpg", b"a").unwrap();
        let date = |name: &str| fs::metadata(path.join(name)).unwrap().modified().unwrap();
        assert_eq!(date("images/a.jpg"), date(README));
        assert!(HandOut::open(&path, "what this is").unwrap().has("images/a.jpg"));
        assert!(HandOut::open(&path, "something else").is_err());
        assert!(!HandOut::renew(&path, "something else").unwrap().has("images/a.jpg"));
        out.write("images/a.jpg", b"a").unwrap();
        assert!(HandOut::open(&path.join("images"), "x").is_err());
    }
}
