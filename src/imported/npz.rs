//! numpy's archive of arrays (`savez`, `savez_compressed`) in blocks of rows: an array of one axis is a column, one of
//! two axes a column of lists.
//!
//! Source of the format: NEP 1 (https://numpy.org/neps/nep-0001-npy-format.html).

use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use zip::{CompressionMethod, ZipArchive};

use super::blocks::Blocks;
use super::delimited::open;
use super::error::ImportError;
use super::layout::Wanted;
use super::npy::{Element, Header};
use crate::input::{CellKind, Cells, ColumnInfo};

/// Numbers in a block, about.
const NUMBERS: usize = 1 << 20;

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
    header: Header,
    /// Where its bytes, as they are stored, begin and how many there are.
    start: u64,
    stored: u64,
    is_deflated: bool,
}

/// An array that is being read.
struct OpenArray {
    header: Header,
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
            let stored = entry.compressed_size();
            drop(entry);
            let mut bytes = stream(path, start, stored, is_deflated)?;
            let header = Header::read(&mut bytes).map_err(|problem| broken(format!("array `{name}` {problem}")))?;
            columns.push(ColumnInfo { name, is_list: header.shape.len() == 2 });
            arrays.push(Array { header, start, stored, is_deflated });
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
        let mut width = 1;
        for (place, kind) in wanted {
            let (array, name) = (&self.arrays[place], self.columns[place].name.as_str());
            let refuse = |problem: String| Err(ImportError::file(&self.file(), format!("array `{name}` {problem}")));
            let count = array.header.shape.first().copied().unwrap_or(0);
            if !(1..=2).contains(&array.header.shape.len()) {
                return refuse(format!("has {} axes; one row for each image has one or two", array.header.shape.len()));
            }
            if array.header.is_fortran && array.header.shape.len() == 2 {
                return refuse("is stored column by column; save numpy.ascontiguousarray of it".to_owned());
            }
            if let (CellKind::Number | CellKind::Numbers, Element::Text { .. }) = (kind, array.header.element) {
                return refuse("has texts where numbers should be".to_owned());
            }
            match rows {
                Some((others, other)) if others != count => {
                    return refuse(format!("has {count} rows, but `{other}` has {others}"));
                }
                _ => rows = Some((count, name)),
            }
            width = width.max(array.header.row_length() as usize);
            let mut bytes = stream(&self.path, array.start, array.stored, array.is_deflated)?;
            // It was read once already.
            let _header = Header::read(&mut bytes);
            self.open.push(OpenArray { header: array.header.clone(), kind, bytes });
        }
        self.rows_left = rows.map_or(0, |(rows, _)| rows);
        self.rows_in_block = (NUMBERS / width).max(1);
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
            let length = array.header.row_length() as usize;
            let mut bytes = vec![0; rows * length * array.header.element.bytes()];
            array.bytes.read_exact(&mut bytes).map_err(ImportError::read(&file))?;
            let element = array.header.element;
            cells.push(match array.kind {
                CellKind::Text => Cells::Text(element.texts(&bytes)),
                CellKind::Number => Cells::Number(element.numbers(&bytes)),
                CellKind::Texts => {
                    let all = element.texts(&bytes);
                    Cells::Texts(all.chunks(length.max(1)).map(<[String]>::to_vec).collect())
                }
                CellKind::Numbers => {
                    let all = element.numbers(&bytes);
                    Cells::Numbers(all.chunks(length.max(1)).map(<[f32]>::to_vec).collect())
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
