//! Rows of one length in a file that has no name: room for what is larger than the memory while a command runs.
//!
//! Holds always: nothing is left when the process ends, however it ends, because the name goes before the first row.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::StoreError;
use super::unfinished::own_name;

/// Bytes that are written at once, where rows follow each other.
const WRITE_BYTES: usize = 1 << 20;

/// See the module.
pub struct Scratch {
    file: Mutex<File>,
    /// The name that it had, for messages.
    path: PathBuf,
    row_bytes: usize,
    /// Rows that are not written yet, and the first one's number.
    pending: Vec<u8>,
    first: u32,
}

impl Scratch {
    /// A file in `folder` for rows of `row_bytes` bytes.
    pub fn create(folder: &Path, row_bytes: usize) -> Result<Self, StoreError> {
        let path = own_name(&folder.join("scratch"));
        let make = || -> io::Result<File> {
            let file = fs::OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
            fs::remove_file(&path)?;
            Ok(file)
        };
        let file = make().map_err(StoreError::io("write", &path))?;
        Ok(Self { file: Mutex::new(file), path, row_bytes, pending: Vec::new(), first: 0 })
    }

    /// Writes a row; `bytes` may be shorter than a row, which then ends in zeros.
    pub fn put(&mut self, row: u32, bytes: &[u8]) -> Result<(), StoreError> {
        let next = u64::from(self.first) + (self.pending.len() / self.row_bytes) as u64;
        if u64::from(row) != next || self.pending.len() >= WRITE_BYTES {
            self.flush()?;
            self.first = row;
        }
        self.pending.extend_from_slice(bytes);
        let whole = self.pending.len().next_multiple_of(self.row_bytes);
        self.pending.resize(whole, 0);
        Ok(())
    }

    /// Writes what is pending, before the first [`Scratch::get`].
    pub fn flush(&mut self) -> Result<(), StoreError> {
        let start = u64::from(self.first) * self.row_bytes as u64;
        let file = self.file.get_mut().unwrap_or_else(PoisonError::into_inner);
        let written = file.seek(SeekFrom::Start(start)).and_then(|_| file.write_all(&self.pending));
        self.pending.clear();
        written.map_err(StoreError::io("write", &self.path))
    }

    /// The bytes of some rows; zeros where none was written.
    pub fn get(&self, rows: Range<u32>) -> Result<Vec<u8>, StoreError> {
        let mut bytes = vec![0; rows.len() * self.row_bytes];
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let start = u64::from(rows.start) * self.row_bytes as u64;
        let mut read = 0;
        let mut fill = || -> io::Result<()> {
            file.seek(SeekFrom::Start(start))?;
            while read < bytes.len() {
                match file.read(&mut bytes[read..])? {
                    0 => break,
                    more => read += more,
                }
            }
            Ok(())
        };
        fill().map_err(StoreError::io("read", &self.path))?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_in_any_order_and_nothing_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let mut scratch = Scratch::create(dir.path(), 3).unwrap();
        for row in [5, 6, 7, 2, 0] {
            scratch.put(row, &[row as u8, 9]).unwrap();
        }
        scratch.put(5, &[1, 1, 1]).unwrap();
        scratch.flush().unwrap();
        assert_eq!(scratch.get(4..7).unwrap(), [0, 0, 0, 1, 1, 1, 6, 9, 0]);
        assert_eq!(scratch.get(0..1).unwrap(), [0, 9, 0]);
        assert_eq!(scratch.get(7..9).unwrap(), [7, 9, 0, 0, 0, 0]);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
