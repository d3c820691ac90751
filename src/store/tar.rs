//! Image shards: WebDataset tars, written in memory and read by offset; and the tars of releases, written to disk as
//! they are filled.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::{PendingFile, StoreError};
use crate::input;

/// A tar being filled. Members carry no time or owner, so that equal images give equal bytes.
pub struct TarShard(tar::Builder<Vec<u8>>);

impl Default for TarShard {
    fn default() -> Self {
        Self::new()
    }
}

impl TarShard {
    /// An empty tar.
    pub fn new() -> Self {
        Self(tar::Builder::new(Vec::new()))
    }

    /// Appends a member and returns the offset of its first byte.
    pub fn push(&mut self, name: &str, bytes: &[u8]) -> std::io::Result<u64> {
        let mut header = header(bytes);
        // Names are eight digits and an extension, so that the header is a single block of 512 bytes.
        let offset = self.0.get_ref().len() as u64 + 512;
        self.0.append_data(&mut header, name, bytes)?;
        Ok(offset)
    }

    /// The whole tar.
    pub fn finish(self) -> std::io::Result<Vec<u8>> {
        self.0.into_inner()
    }
}

/// A tar that is written as it is filled, for members of any size.
pub struct TarFile<W: Write>(tar::Builder<W>);

impl<W: Write> TarFile<W> {
    /// An empty tar.
    pub fn new(target: W) -> Self {
        Self(tar::Builder::new(target))
    }

    /// What it is written to.
    pub fn target(&mut self) -> &mut W {
        self.0.get_mut()
    }

    /// Appends a member.
    pub fn push(&mut self, name: &str, bytes: &[u8]) -> std::io::Result<()> {
        let mut header = header(bytes);
        self.0.append_data(&mut header, name, bytes)
    }

    /// Writes the end.
    pub fn end(self) -> std::io::Result<W> {
        self.0.into_inner()
    }
}

impl TarFile<PendingFile> {
    /// Writes the end and gives the file its name.
    pub fn commit(self) -> Result<(), StoreError> {
        let path = self.0.get_ref().path().to_owned();
        self.0.into_inner().map_err(StoreError::io("write", &path))?.commit()
    }
}

/// A header without time or owner.
fn header(bytes: &[u8]) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    header.set_mtime(0);
    header
}

/// Reads `bytes` bytes of the file at `path`, from `offset` on.
pub fn read_member(path: &Path, offset: u64, bytes: u64) -> Result<Vec<u8>, StoreError> {
    let read = || {
        let mut file = input::open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        let mut member = Vec::with_capacity(bytes as usize);
        file.take(bytes).read_to_end(&mut member)?;
        Ok(member)
    };
    read().map_err(StoreError::io("read", path))
}

/// The shard's file that was read last, which stays open: its images are read one after another, and on the file system
/// of a cluster opening is what takes time.
#[derive(Debug, Default)]
pub struct LastShard(Mutex<Option<(PathBuf, Arc<File>)>>);

impl LastShard {
    /// As [`read_member`].
    pub fn read_member(&self, path: &Path, offset: u64, bytes: u64) -> Result<Vec<u8>, StoreError> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::FileExt as _;
            let mut member = vec![0; bytes as usize];
            // What is wrong is said by the other way.
            if self.open(path).and_then(|file| file.read_exact_at(&mut member, offset)).is_ok() {
                return Ok(member);
            }
        }
        read_member(path, offset, bytes)
    }

    #[cfg(unix)]
    fn open(&self, path: &Path) -> std::io::Result<Arc<File>> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((known, file)) if known == path => Ok(Arc::clone(file)),
            _ => {
                let file = Arc::new(input::open(path)?);
                *last = Some((path.to_owned(), Arc::clone(&file)));
                Ok(file)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_at_their_offsets_also_by_tar_itself() {
        let mut shard = TarShard::new();
        let offsets = [shard.push("00000000.png", b"first").unwrap(), shard.push("00000001.png", &[7; 1000]).unwrap()];
        let bytes = shard.finish().unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &bytes).unwrap();
        assert_eq!(read_member(file.path(), offsets[0], 5).unwrap(), b"first");
        assert_eq!(read_member(file.path(), offsets[1], 1000).unwrap(), [7; 1000]);
        let last = LastShard::default();
        for _ in 0..2 {
            assert_eq!(last.read_member(file.path(), offsets[0], 5).unwrap(), b"first");
            assert_eq!(last.read_member(file.path(), bytes.len() as u64 - 3, 5).unwrap(), [0; 3], "a short file");
        }
        let mut archive = tar::Archive::new(&bytes[..]);
        let names: Vec<_> = archive.entries().unwrap().map(|e| e.unwrap().path().unwrap().into_owned()).collect();
        assert_eq!(names, [Path::new("00000000.png"), Path::new("00000001.png")]);
    }
}
