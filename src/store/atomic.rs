//! Files that appear whole or not at all.
//!
//! Holds always: a file that is being written has a name of its own until it is whole, so that several processes may
//! write the same file at the same time, on one machine or on a shared file system: each name is complete whenever it
//! exists, and the last or the first writer wins, as the caller asks.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::StoreError;
use super::unfinished::own_name;

/// A file being written. It gets its name on [`PendingFile::commit`] and is removed if it is dropped before.
pub struct PendingFile {
    writer: Option<BufWriter<File>>,
    unfinished: PathBuf,
    path: PathBuf,
    failure: Option<io::Error>,
    /// Whether it has its name, so that no unfinished file is left to remove.
    is_there: bool,
}

impl PendingFile {
    /// Starts the file that will be `path`; missing folders are created.
    pub fn create(path: &Path) -> Result<Self, StoreError> {
        // A rename would put the file in place of a device such as /dev/null.
        if path.metadata().is_ok_and(|there| !there.is_file()) {
            let problem = io::Error::new(io::ErrorKind::AlreadyExists, "it is there and is no file");
            return Err(StoreError::io("write", path)(problem));
        }
        let unfinished = own_name(path);
        let file = create(&unfinished, path)?;
        Ok(Self {
            writer: Some(BufWriter::with_capacity(1 << 20, file)),
            unfinished,
            path: path.to_owned(),
            failure: None,
            is_there: false,
        })
    }

    /// The path that it will have.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path that it has until then, with everything that was written.
    pub(super) fn unfinished(&mut self) -> Result<&Path, StoreError> {
        self.flush().map_err(StoreError::io("write", &self.path))?;
        Ok(&self.unfinished)
    }

    /// Gives the file its name, once everything is on the disk; it replaces a file that has the name.
    pub fn commit(mut self) -> Result<(), StoreError> {
        self.sync()?;
        fs::rename(&self.unfinished, &self.path).map_err(StoreError::io("write", &self.path))?;
        self.is_there = true;
        sync_folder(&self.path)
    }

    /// As [`PendingFile::commit`], under another name in the same folder.
    pub(super) fn commit_as(mut self, path: &Path) -> Result<(), StoreError> {
        path.clone_into(&mut self.path);
        self.commit()
    }

    /// Gives the file its name unless a file has it already; whether it did. Of several writers exactly one does, where
    /// the file system has hard links; elsewhere the last one replaces the others.
    pub(super) fn commit_first(mut self) -> Result<Committed, StoreError> {
        self.sync()?;
        match fs::hard_link(&self.unfinished, &self.path) {
            // The drop removes the temporary name.
            Ok(()) => sync_folder(&self.path).map(|()| Committed::First),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Committed::Later(self)),
            Err(_) if self.path.symlink_metadata().is_ok() => Ok(Committed::Later(self)),
            Err(_) => self.commit().map(|()| Committed::First),
        }
    }

    /// The error of the last failed write, for writers whose own errors lose it.
    pub fn failure(mut self) -> Option<StoreError> {
        self.failure.take().map(StoreError::io("write", &self.path))
    }

    /// The file itself, unless a write has failed.
    pub(super) fn checked(mut self) -> Result<Self, StoreError> {
        match self.failure.take() {
            Some(failure) => Err(StoreError::io("write", &self.path)(failure)),
            None => Ok(self),
        }
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        let Some(writer) = self.writer.take() else { return Ok(()) };
        let flushed = writer.into_inner().map_err(io::IntoInnerError::into_error);
        flushed.and_then(|file| file.sync_all()).map_err(StoreError::io("write", &self.path))
    }
}

/// What [`PendingFile::commit_first`] found.
pub(super) enum Committed {
    /// No file had the name; now this one has it.
    First,
    /// A file has the name; this one is still pending.
    Later(PendingFile),
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

/// Creates the file `unfinished` beside `path`, whose folder is there but for the first file in it.
fn create(unfinished: &Path, path: &Path) -> Result<File, StoreError> {
    match (File::create(unfinished), path.parent()) {
        (Err(error), Some(folder)) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(folder).map_err(StoreError::io("make folder", folder))?;
            File::create(unfinished).map_err(StoreError::io("write", path))
        }
        (created, _) => created.map_err(StoreError::io("write", path)),
    }
}

fn copy(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| io::Error::new(error.kind(), error.to_string()), io::Error::from_raw_os_error)
}

impl Drop for PendingFile {
    fn drop(&mut self) {
        if !self.is_there {
            // A failure is harmless: a later sweep removes the file that is left.
            let _ = fs::remove_file(&self.unfinished);
        }
    }
}

/// Writes `bytes` to `path`, whole or not at all.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let mut file = PendingFile::create(path)?;
    file.write_all(bytes).map_err(StoreError::io("write", path))?;
    file.commit()
}

/// As [`write_whole`], but only the file's owner can ever read it.
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

/// Makes `path` a hard link to `existing`, or a copy if the file system has no hard links.
pub(super) fn link_whole(existing: &Path, path: &Path) -> Result<(), StoreError> {
    let unfinished = own_name(path);
    if fs::hard_link(existing, &unfinished).is_err() {
        fs::copy(existing, &unfinished).map_err(StoreError::io("write", path))?;
        File::open(&unfinished).and_then(|file| file.sync_all()).map_err(StoreError::io("write", path))?;
    }
    fs::rename(&unfinished, path).map_err(StoreError::io("write", path))?;
    // A rename between two names of the same file leaves both (POSIX rename).
    let _ = fs::remove_file(&unfinished);
    sync_folder(path)
}

/// Writes the entry of `path` in its folder to the disk.
pub(super) fn sync_folder(path: &Path) -> Result<(), StoreError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        // File systems in user space (FUSE) often do not know this call, and write the entry themselves.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        synced => synced.map_err(StoreError::io("write", path)),
    }
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
    fn two_writers_of_one_file_do_not_meet_before_it_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.txt");
        let [mut first, mut second] = [(); 2].map(|()| PendingFile::create(&path).unwrap());
        first.write_all(b"first").unwrap();
        second.write_all(b"second").unwrap();
        assert!(matches!(first.commit_first().unwrap(), Committed::First));
        assert!(matches!(second.commit_first().unwrap(), Committed::Later(_)));
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_hard_link_replaces_what_was_there_and_leaves_no_left_over() {
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
