//! numpy's archive of arrays (`savez`, `savez_compressed`) in blocks of rows: an array of one axis is a column, one of
//! two axes a column of lists.
//!
//! Source of the format: NEP 1 <https://numpy.org/neps/nep-0001-npy-format.html>.

use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use zip::{CompressionMethod, ZipArchive};

use super::blocks::Blocks;
use super::delimited::open;
use super::error::ImportError;
use super::layout::Wanted;
use super::npy::{Element, Header};
use crate::input::{CellKind, Cells, ColumnInfo};

/// Bytes in a block of all arrays, about.
const BLOCK_BYTES: u64 = 8 << 20;
/// Most bytes in a row of an array.
const ROW_BYTES: u64 = 16 << 20;

/// See the module.
pub struct NpzBlocks {
    path: PathBuf,
    arrays: Vec<Array>,
    columns: Vec<ColumnInfo>,
    open: Vec<OpenArray>,
    rows_left: u64,
    rows_in_block: usize,
}

/// An array of the archive.
struct Array {
    /// What it says of itself, or why that cannot be read.
    header: Result<Header, String>,
    /// Bytes from its header on.
    whole: u64,
    /// Where its bytes, as they are stored, begin and how many there are.
    start: u64,
    stored: u64,
    is_deflated: bool,
}

/// An array that is being read.
struct OpenArray {
    /// Elements of a row.
    length: usize,
    element: Element,
    kind: CellKind,
    bytes: Box<dyn Read>,
}

impl NpzBlocks {
    /// Opens the archive at `path` and reads the headers of its arrays.
    pub fn open(path: &Path) -> Result<Self, ImportError> {
        let file = path.display().to_string();
        let broken = |problem: String| ImportError::file(&file, format!("{problem}; write it with numpy.savez"));
        let mut archive =
            ZipArchive::new(BufReader::new(open(path)?)).map_err(|e| broken(format!("is no .npz archive: {e}")))?;
        let (mut arrays, mut columns) = (Vec::new(), Vec::new());
        for at in 0..archive.len() {
            let entry = archive.by_index_raw(at).map_err(|e| broken(e.to_string()))?;
            let name = entry.name().map_err(|e| broken(e.to_string()))?;
            let Some(name) = name.strip_suffix(".npy").map(str::to_owned) else { continue };
            let is_deflated = match entry.compression() {
                CompressionMethod::Stored => false,
                CompressionMethod::Deflated => true,
                other => return Err(broken(format!("array `{name}` is compressed by {other}"))),
            };
            let start = entry.data_start().ok_or_else(|| broken(format!("array `{name}` has no place")))?;
            let (stored, whole) = (entry.compressed_size(), entry.size());
            drop(entry);
            let mut bytes = stream(path, start, stored, is_deflated)?;
            // An array that nobody needs may be of any type.
            let header = Header::read(&mut bytes);
            columns.push(ColumnInfo { name, is_list: header.as_ref().is_ok_and(|header| header.shape.len() == 2) });
            arrays.push(Array { header, whole, start, stored, is_deflated });
        }
        Ok(Self { path: path.to_owned(), arrays, columns, open: Vec::new(), rows_left: 0, rows_in_block: 1 })
    }

    fn file(&self) -> String {
        self.path.display().to_string()
    }
}

/// The bytes of an array, from its header on.
fn stream(path: &Path, start: u64, stored: u64, is_deflated: bool) -> Result<Box<dyn Read>, ImportError> {
    let mut file = open(path)?;
    file.seek(SeekFrom::Start(start)).map_err(ImportError::read(&path.display().to_string()))?;
    let stored = BufReader::with_capacity(1 << 20, file).take(stored);
    Ok(if is_deflated { Box::new(flate2::read::DeflateDecoder::new(stored)) } else { Box::new(stored) })
}

impl Blocks for NpzBlocks {
    fn columns(&self) -> &[ColumnInfo] {
        &self.columns
    }

    fn select(&mut self, wanted: Vec<Wanted>) -> Result<(), ImportError> {
        let mut rows: Option<(u64, &str)> = None;
        let mut row_bytes = 1;
        for (place, kind) in wanted {
            let (array, name) = (&self.arrays[place], self.columns[place].name.as_str());
            let refuse = |problem: String| Err(ImportError::file(&self.file(), format!("array `{name}` {problem}")));
            let header = match &array.header {
                Ok(header) => header,
                Err(problem) => return refuse(problem.clone()),
            };
            let element = match &header.element {
                Ok(element) => *element,
                Err(problem) => return refuse(problem.clone()),
            };
            let count = header.shape.first().copied().unwrap_or(0);
            if !(1..=2).contains(&header.shape.len()) {
                return refuse(format!("has {} axes; one row for each image has one or two", header.shape.len()));
            }
            if header.is_fortran && header.shape.len() == 2 {
                return refuse("is stored column by column; save numpy.ascontiguousarray of it".to_owned());
            }
            if let (CellKind::Number | CellKind::Numbers, Element::Text { .. }) = (kind, element) {
                return refuse("has texts where numbers should be".to_owned());
            }
            let of_row = header.row_length().and_then(|length| length.checked_mul(element.bytes() as u64));
            let of_all = of_row.and_then(|bytes| bytes.checked_mul(count));
            let Some(of_row) =
                of_row.filter(|bytes| *bytes <= ROW_BYTES && of_all.is_some_and(|all| all <= array.whole))
            else {
                return refuse(format!(
                    "has the shape {:?}, but not so many bytes; write the file again",
                    header.shape
                ));
            };
            match rows {
                Some((others, other)) if others != count => {
                    return refuse(format!("has {count} rows, but `{other}` has {others}"));
                }
                _ => rows = Some((count, name)),
            }
            row_bytes += of_row;
            let mut bytes = stream(&self.path, array.start, array.stored, array.is_deflated)?;
            // It was read once already.
            let _header = Header::read(&mut bytes);
            self.open.push(OpenArray { length: header.row_length().unwrap_or(0) as usize, element, kind, bytes });
        }
        self.rows_left = rows.map_or(0, |(rows, _)| rows);
        self.rows_in_block = (BLOCK_BYTES / row_bytes).max(1) as usize;
        Ok(())
    }

    fn next(&mut self) -> Result<Option<Vec<Cells>>, ImportError> {
        let rows = self.rows_left.min(self.rows_in_block as u64) as usize;
        if rows == 0 {
            return Ok(None);
        }
        self.rows_left -= rows as u64;
        let file = self.file();
        let mut cells = Vec::with_capacity(self.open.len());
        for array in &mut self.open {
            let (length, element) = (array.length, array.element);
            let mut bytes = vec![0; rows * length * element.bytes()];
            array.bytes.read_exact(&mut bytes).map_err(ImportError::read(&file))?;
            cells.push(match array.kind {
                CellKind::Text => Cells::Text(element.texts(&bytes, rows * length)),
                CellKind::Number => Cells::Number(element.numbers(&bytes)),
                CellKind::Texts => {
                    let all = element.texts(&bytes, rows * length);
                    Cells::Texts(in_rows(&all, rows, length))
                }
                CellKind::Numbers => {
                    let all = element.numbers(&bytes);
                    Cells::Numbers(in_rows(&all, rows, length))
                }
            });
        }
        Ok(Some(cells))
    }

    /// As numpy counts.
    fn first_row(&self) -> u64 {
        0
    }
}

/// `rows` rows of `length` elements each, which may be none.
fn in_rows<T: Clone>(all: &[T], rows: usize, length: usize) -> Vec<Vec<T>> {
    (0..rows).map(|row| all[row * length..(row + 1) * length].to_vec()).collect()
}
