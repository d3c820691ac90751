//! Compares a file with what should be in it, while that is made.
//!
//! Holds always: neither the file nor what should be in it is in memory as a whole, because tars and metadata grow with
//! the images.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};

use super::known::{Findings, Known};
use crate::domain::Sha256;

/// Bytes that are compared at a time.
const CHUNK: usize = 1 << 16;
/// Who says what should be in a file.
const TRUTH: &str = "what the data files, release.json and recipe.toml give";

/// A file of the release that is read as far as its expected bytes are written here.
pub struct Followed {
    name: String,
    file: Option<BufReader<File>>,
    found: Vec<u8>,
    /// What is wrong; without a place until the caller gives one.
    problem: Option<String>,
    place: Option<String>,
}

impl Followed {
    /// Begins at the start of the file `name`; `None` if `SHA256SUMS` does not have it.
    pub fn open(known: &Known, name: &str) -> Option<Self> {
        known.names.get(name)?;
        let (file, problem) = match File::open(known.folder.join(name)) {
            Ok(file) => (Some(BufReader::with_capacity(CHUNK, file)), None),
            Err(error) => (None, Some(format!("it cannot be read: {error}"))),
        };
        Some(Self { name: name.to_owned(), file, found: vec![0; CHUNK], problem, place: None })
    }

    /// Says where the bytes belong that were written since the last mark; kept if they were the first to differ.
    pub fn mark(&mut self, place: impl FnOnce() -> String) {
        if self.problem.is_some() && self.place.is_none() {
            self.place = Some(place());
        }
    }

    /// Ends the comparison: the file must end here too.
    pub fn end(mut self, findings: &mut Findings) {
        if self.problem.is_none() && self.file.as_mut().is_some_and(|file| file.read(&mut [0]).is_ok_and(|n| n > 0)) {
            self.problem = Some(format!("it goes on after the end of {TRUTH}"));
        }
        match (self.problem, self.place) {
            (Some(problem), Some(place)) => findings.wrong(&self.name, &format!("{place}: {problem}")),
            (Some(problem), None) => findings.wrong(&self.name, &problem),
            (None, _) => {}
        }
    }

    fn differs(&mut self, expected: &[u8]) -> io::Result<bool> {
        let Some(file) = self.file.as_mut() else { return Ok(true) };
        for part in expected.chunks(CHUNK) {
            let found = &mut self.found[..part.len()];
            match file.read_exact(found) {
                Ok(()) if found == part => {}
                Ok(()) => return Ok(true),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(true),
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }
}

impl Write for Followed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.problem.is_none() {
            self.problem = match self.differs(bytes) {
                Ok(true) => Some(format!("it is not {TRUTH}")),
                Ok(false) => None,
                Err(error) => Some(format!("it cannot be read: {error}")),
            };
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Compares the file `name` with `text`, and names the first line that differs. Nothing is said about a file that
/// `SHA256SUMS` does not have.
pub fn compare(known: &Known, name: &str, text: &[u8], findings: &mut Findings) {
    if known.names.get(name).is_some_and(|hash| *hash == Sha256::of(text).to_string()) {
        return;
    }
    let Some(mut followed) = Followed::open(known, name) else { return };
    for (at, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
        // Never fails: a difference is kept, not returned.
        let _ = followed.write_all(line);
        followed.mark(|| format!("line {}", at + 1));
    }
    followed.end(findings);
}
