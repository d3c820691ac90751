//! Files that appear whole or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::StoreError;

/// What the names of unfinished files end with; left-overs of a killed process are overwritten by the next one.
pub(super) const UNFINISHED: &str = ".unfinished";

/// A file being written; it takes its name only on [`PendingFile::commit`] and is removed if dropped before.
pub struct PendingFile {
    writer: Option<BufWriter<File>>,
    unfinished: PathBuf,
    path: PathBuf,
    failure: Option<io::Error>,
}

impl PendingFile {
    /// Starts the file that shall be `path`; missing folders are made.
    pub fn create(path: &Path) -> Result<Self, StoreError> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(StoreError::io("make folder", folder))?;
        }
        let mut name = path.as_os_str().to_owned();
        name.push(UNFINISHED);
        let unfinished = PathBuf::from(name);
        let file = File::create(&unfinished).map_err(StoreError::io("write", path))?;
        Ok(Self {
            writer: Some(BufWriter::with_capacity(1 << 20, file)),
            unfinished,
            path: path.to_owned(),
            failure: None,
        })
    }

    /// The name that it shall have.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the file its name, after everything is on the disk.
    pub fn commit(mut self) -> Result<(), StoreError> {
        self.sync().map_err(StoreError::io("write", &self.path))?;
        fs::rename(&self.unfinished, &self.path).map_err(StoreError::io("write", &self.path))?;
        sync_folder(&self.path)
    }

    /// The error that a write met, for writers whose own errors do not carry it; meant for `map_err`.
    pub fn failure(mut self) -> Option<StoreError> {
        self.failure.take().map(StoreError::io("write", &self.path))
    }

    fn sync(&mut self) -> io::Result<()> {
        let Some(writer) = self.writer.take() else { return Ok(()) };
        let file = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()
    }
}

impl Write for PendingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.writer.as_mut().map_or(Ok(0), |writer| writer.write(bytes));
        written.inspect_err(|error| self.failure = Some(copy(error)))
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.writer.as_mut().map_or(Ok(()), Write::flush);
        flushed.inspect_err(|error| self.failure = Some(copy(error)))
    }
}

fn copy(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| io::Error::new(error.kind(), error.to_string()), io::Error::from_raw_os_error)
}

impl Drop for PendingFile {
    fn drop(&mut self) {
        // Nothing to do about a failure here; the next run overwrites what is left.
        let _ = fs::remove_file(&self.unfinished);
    }
}

/// Writes `bytes` to `path`, whole or not at all.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let mut file = PendingFile::create(path)?;
    file.write_all(bytes).map_err(StoreError::io("write", path))?;
    file.commit()
}

/// As [`write_whole`], readable by its owner alone from the first moment on.
pub(super) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let mut file = PendingFile::create(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let private = fs::Permissions::from_mode(0o600);
        fs::set_permissions(&file.unfinished, private).map_err(StoreError::io("write", path))?;
    }
    file.write_all(bytes).map_err(StoreError::io("write", path))?;
    file.commit()
}

/// Makes `path` another name of `existing`, or a copy where the file system has no second names.
pub(super) fn link_whole(existing: &Path, path: &Path) -> Result<(), StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(UNFINISHED);
    let unfinished = PathBuf::from(name);
    // A left-over of a killed process may stand in the way; if there is none, that is as well.
    let _ = fs::remove_file(&unfinished);
    if fs::hard_link(existing, &unfinished).is_err() {
        fs::copy(existing, &unfinished).map_err(StoreError::io("write", path))?;
        File::open(&unfinished).and_then(|file| file.sync_all()).map_err(StoreError::io("write", path))?;
    }
    fs::rename(&unfinished, path).map_err(StoreError::io("write", path))?;
    // Renaming one name of a file over another name of the same file leaves both (POSIX rename).
    let _ = fs::remove_file(&unfinished);
    sync_folder(path)
}

/// Makes sure that the entry of `path` in its folder is on the disk.
pub(super) fn sync_folder(path: &Path) -> Result<(), StoreError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(StoreError::io("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_committed_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b.txt");
        let mut file = PendingFile::create(&path).unwrap();
        file.write_all(b"half").unwrap();
        drop(file);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 0);
        write_whole(&path, b"whole").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
    }

    #[test]
    fn a_second_name_replaces_what_was_there_and_leaves_no_left_over() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        write_whole(&a, b"new").unwrap();
        write_whole(&b, b"old").unwrap();
        link_whole(&a, &b).unwrap();
        link_whole(&a, &b).unwrap();
        assert_eq!(fs::read(&b).unwrap(), b"new");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }
}
