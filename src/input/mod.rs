//! Files that people give: regular files, read up to a limit, and the text of tables in them.
//!
//! Does not know what a file is for. Holds always: no read waits for a writer, and none takes more memory than its
//! limit, because a pipe would hold the program past every signal, and `/dev/zero` has no end.

mod columns;
mod delimited;
mod guard;

use std::fs::{File, FileType, Metadata};
use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;

pub use columns::{CellKind, Cells, ColumnInfo, comparable_path};
pub use delimited::{Delimited, NotText, cell, text_with_gaps};
pub use guard::caught;

const MIB: u64 = 1 << 20;

/// The largest recipe, or other TOML file, in bytes.
pub const TOML_BYTES: u64 = 16 * MIB;
/// The largest table or file of answers, in bytes.
pub const TABLE_BYTES: u64 = 1024 * MIB;
/// The largest JSON file of a model, in bytes: tokenizers have some 35 MB.
pub const JSON_BYTES: u64 = 256 * MIB;

/// Opens the regular file at `path` (links are followed); an error for everything else.
pub fn open(path: &Path) -> Result<File> {
    regular(&std::fs::metadata(path)?)?;
    File::open(path)
}

/// The bytes of the regular file at `path`, at most `most_bytes`.
pub fn read(path: &Path, most_bytes: u64) -> Result<Vec<u8>> {
    let metadata = std::fs::metadata(path)?;
    regular(&metadata)?;
    let mut bytes = Vec::new();
    if metadata.len() <= most_bytes {
        // One byte more than allowed shows that the file has grown since.
        File::open(path)?.take(most_bytes + 1).read_to_end(&mut bytes)?;
    }
    if metadata.len() > most_bytes || bytes.len() as u64 > most_bytes {
        let problem = format!("it has {} MiB, but at most {} MiB are read", metadata.len() / MIB, most_bytes / MIB);
        return Err(Error::new(ErrorKind::FileTooLarge, problem));
    }
    Ok(bytes)
}

/// The text of the regular file at `path`, which must be UTF-8 and have at most `most_bytes` bytes.
pub fn read_text(path: &Path, most_bytes: u64) -> Result<String> {
    let text = String::from_utf8(read(path, most_bytes)?);
    text.map_err(|error| {
        let problem = format!("it is not UTF-8: byte {} is no text", error.utf8_error().valid_up_to());
        Error::new(ErrorKind::InvalidData, problem)
    })
}

fn regular(metadata: &Metadata) -> Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    let problem = format!("it is {}, not a regular file", kind(metadata.file_type()));
    Err(Error::new(ErrorKind::InvalidInput, problem))
}

fn kind(kind: FileType) -> &'static str {
    if kind.is_dir() {
        return "a folder";
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if kind.is_fifo() {
            return "a pipe (write what comes out of it to a file first)";
        }
        if kind.is_char_device() || kind.is_block_device() {
            return "a device";
        }
    }
    "a socket or another special file"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_limit_and_no_further() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, [b'x'; 100]).unwrap();
        assert_eq!(read(&path, 100).unwrap().len(), 100);
        assert_eq!(read(&path, 99).unwrap_err().kind(), ErrorKind::FileTooLarge);
        // A sparse file of 1 TiB takes no memory.
        File::options().write(true).open(&path).unwrap().set_len(1 << 40).unwrap();
        let problem = read(&path, MIB).unwrap_err().to_string();
        assert_eq!(problem, "it has 1048576 MiB, but at most 1 MiB are read");
    }

    #[test]
    fn text_says_where_it_is_not_utf_8() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, b"name = \"caf\xe9\"").unwrap();
        assert_eq!(read_text(&path, MIB).unwrap_err().to_string(), "it is not UTF-8: byte 11 is no text");
        std::fs::write(&path, "name = \"café\"").unwrap();
        assert_eq!(read_text(&path, MIB).unwrap(), "name = \"café\"");
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_regular_file_is_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        for (path, word) in [(pipe.as_path(), "a pipe"), (dir.path(), "a folder"), (Path::new("/dev/zero"), "a device")]
        {
            let problem = read(path, MIB).unwrap_err().to_string();
            assert!(problem.starts_with(&format!("it is {word}")), "{problem}");
            assert_eq!(open(path).unwrap_err().to_string(), problem);
        }
    }
}
