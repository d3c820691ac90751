//! Reads a file that a recipe names: a regular file, and not an endless one.
//!
//! Holds always: nothing but a regular file is opened, because a pipe never ends and a device never has enough.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// The largest file that is read.
const MOST_BYTES: u64 = 1 << 30;

/// The bytes of the file at `path`.
pub fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let about = fs::metadata(path)?;
    if !about.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    if about.len() > MOST_BYTES {
        let problem = format!("it has {} bytes, more than the {MOST_BYTES} that are read", about.len());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
    }
    let mut bytes = Vec::with_capacity(about.len() as usize);
    File::open(path)?.take(MOST_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}
