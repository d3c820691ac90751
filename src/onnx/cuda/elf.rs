//! The libraries that a shared library needs: the `NEEDED` entries of its dynamic section.
//!
//! Source of the layout: the ELF-64 object file format (System V ABI, chapters 4 and 5). Little-endian files only,
//! which is what ONNX Runtime's are. Only the relevant parts are read, because the CUDA provider has 284 MB.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

/// Types of program headers.
const LOAD: u64 = 1;
const DYNAMIC: u64 = 2;
/// Tags of the dynamic section.
const NEEDED: u64 = 1;
const STRINGS: u64 = 5;
const STRINGS_BYTES: u64 = 10;
/// The most bytes of headers, dynamic section or names that are read.
const MOST: u64 = 64 << 20;

/// A part of the file as it is mapped.
struct Segment {
    kind: u64,
    offset: u64,
    address: u64,
    bytes: u64,
}

/// The names of the libraries that the library at `path` needs, in its order: `libcublas.so.13`.
pub fn needed(path: &Path) -> Result<Vec<String>, Error> {
    let mut file = File::open(path)?;
    let segments = segments(&mut file)?;
    let dynamic = segments.iter().find(|segment| segment.kind == DYNAMIC).ok_or_else(|| bad("no dynamic section"))?;
    let entries = part(&mut file, dynamic.offset, dynamic.bytes)?;
    let tags: Vec<(u64, u64)> =
        entries.chunks_exact(16).map(|entry| (number(entry, 0, 8), number(entry, 8, 8))).collect();
    let value = |wanted: u64| tags.iter().find(|entry| entry.0 == wanted).map_or(0, |entry| entry.1);
    let names = part(&mut file, offset_of(&segments, value(STRINGS))?, value(STRINGS_BYTES))?;
    let at = tags.iter().filter(|entry| entry.0 == NEEDED).map(|entry| entry.1 as usize);
    Ok(at.map(|at| name(&names, at)).collect())
}

fn segments(file: &mut File) -> Result<Vec<Segment>, Error> {
    let header = part(file, 0, 64)?;
    // Magic, 64 bits, little-endian.
    if header[..6] != [0x7f, b'E', b'L', b'F', 2, 1] {
        return Err(bad("not a 64-bit little-endian ELF file"));
    }
    let (at, bytes, count) = (number(&header, 32, 8), number(&header, 54, 2), number(&header, 56, 2));
    if bytes < 56 {
        return Err(bad("program headers that are too short"));
    }
    let headers = part(file, at, bytes * count)?;
    let segment = |header: &[u8]| Segment {
        kind: number(header, 0, 4),
        offset: number(header, 8, 8),
        address: number(header, 16, 8),
        bytes: number(header, 32, 8),
    };
    Ok(headers.chunks_exact(bytes as usize).map(segment).collect())
}

/// The offset in the file of what is mapped at `address`.
fn offset_of(segments: &[Segment], address: u64) -> Result<u64, Error> {
    let holds = |segment: &&Segment| {
        segment.kind == LOAD && address >= segment.address && address - segment.address < segment.bytes
    };
    let segment = segments.iter().find(holds).ok_or_else(|| bad("names that are not in the file"))?;
    Ok(address - segment.address + segment.offset)
}

fn part(file: &mut File, at: u64, bytes: u64) -> Result<Vec<u8>, Error> {
    if bytes > MOST {
        return Err(bad("a part that is too long"));
    }
    let mut part = vec![0; bytes as usize];
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(&mut part)?;
    Ok(part)
}

fn number(bytes: &[u8], at: usize, width: usize) -> u64 {
    bytes[at..at + width].iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

fn name(names: &[u8], at: usize) -> String {
    let rest = names.get(at..).unwrap_or_default();
    let end = rest.iter().position(|&byte| byte == 0).unwrap_or(rest.len());
    String::from_utf8_lossy(&rest[..end]).into_owned()
}

fn bad(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, what)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_program_asks_for_the_c_library() {
        let names = needed(&std::env::current_exe().unwrap()).unwrap();
        assert!(names.iter().any(|name| name == "libc.so.6"), "{names:?}");
    }

    #[test]
    fn a_file_that_is_not_a_library_is_an_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(needed(file.path()).is_err());
        std::fs::write(file.path(), vec![7; 4096]).unwrap();
        assert!(needed(file.path()).unwrap_err().to_string().contains("ELF"));
        let mut wild = vec![0xff; 4096];
        wild[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2, 1]);
        std::fs::write(file.path(), wild).unwrap();
        assert!(needed(file.path()).is_err());
    }
}
