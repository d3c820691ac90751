//! Reads a file that may not be there.
//!
//! Holds always: only a name that leads nowhere because nobody has written it is absent. A link without its file is an
//! error, and a file that appears while one looks is read.

use std::fs;
use std::io::{Error, ErrorKind};
use std::path::Path;

/// The bytes of the file at `path`; `None` if nothing has this name.
pub(super) fn read_if_any(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    loop {
        let error = match fs::read(path) {
            Ok(bytes) => return Ok(Some(bytes)),
            Err(error) => error,
        };
        match path.symlink_metadata() {
            // Another process has written it since then.
            Ok(metadata) if error.kind() == ErrorKind::NotFound && !metadata.is_symlink() => {}
            Err(absent) if absent.kind() == ErrorKind::NotFound && error.kind() == ErrorKind::NotFound => {
                return Ok(None);
            }
            _ => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_a_name_is_absent_and_anything_else_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        assert_eq!(read_if_any(&path).unwrap(), None);
        fs::write(&path, "1").unwrap();
        assert_eq!(read_if_any(&path).unwrap(), Some(b"1".to_vec()));
        assert!(read_if_any(dir.path()).is_err() && read_if_any(&path.join("b")).is_err());
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("nowhere", dir.path().join("link")).unwrap();
            assert!(read_if_any(&dir.path().join("link")).is_err());
        }
    }
}
