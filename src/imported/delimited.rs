//! A CSV in blocks of rows.
//!
//! UTF-8 is read from the disk as it goes; UTF-16, which only spreadsheets write, whole.

use std::cell::Cell;
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::Path;
use std::rc::Rc;

use super::blocks::Blocks;
use super::error::ImportError;
use super::layout::Wanted;
use crate::input::{self, CellKind, Cells, ColumnInfo, Delimited, cell};

/// Rows in a block.
const ROWS: usize = 1 << 14;
/// Most bytes of a row.
const ROW_BYTES: u64 = 16 << 20;

/// See the module.
pub struct DelimitedBlocks {
    file: String,
    header: Vec<ColumnInfo>,
    reader: csv::Reader<Limited>,
    wanted: Vec<Wanted>,
    lines_before: u64,
    lines: Vec<u64>,
    /// Bytes that were read since the last row.
    unfinished: Rc<Cell<u64>>,
}

/// Gives no more bytes when a row has too many, because a quote that nobody closes takes the rest of the file.
struct Limited {
    source: Box<dyn Read>,
    unfinished: Rc<Cell<u64>>,
}

impl Read for Limited {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        if self.unfinished.get() > ROW_BYTES {
            let problem = format!("a row has more than {} MiB; is a quote opened and not closed?", ROW_BYTES >> 20);
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, problem));
        }
        let read = self.source.read(bytes)?;
        self.unfinished.set(self.unfinished.get() + read as u64);
        Ok(read)
    }
}

impl DelimitedBlocks {
    /// Opens the file at `path` and reads its header.
    pub fn open(path: &Path) -> Result<Self, ImportError> {
        let file = path.display().to_string();
        let io = ImportError::read(&path.display().to_string());
        let mut start = BufReader::new(input::open(path).map_err(&io)?);
        let mut first = Vec::new();
        start.by_ref().take(ROW_BYTES).read_until(b'\n', &mut first).map_err(&io)?;
        let is_utf_16 = first.starts_with(&[0xff, 0xfe]) || first.starts_with(&[0xfe, 0xff]);
        let wrong = |error: input::NotText| ImportError::file(&file, error.to_string());
        let (source, delimiter, lines_before): (Box<dyn Read>, u8, u64) = if is_utf_16 {
            let bytes = input::read(path, input::TABLE_BYTES).map_err(&io)?;
            let table = Delimited::new(&bytes).map_err(wrong)?;
            (Box::new(Cursor::new(table.text().to_owned().into_bytes())), table.delimiter, table.lines_before)
        } else {
            let stated = Delimited::new(&first).map_err(wrong)?;
            let (delimiter, lines_before) = (stated.delimiter, stated.lines_before);
            let rest: Box<dyn Read> = Box::new(BufReader::with_capacity(1 << 20, start));
            let header = stated.text().to_owned().into_bytes();
            (Box::new(Cursor::new(header).chain(rest)), delimiter, lines_before)
        };
        let unfinished = Rc::new(Cell::new(0));
        let source = Limited { source, unfinished: Rc::clone(&unfinished) };
        let mut reader =
            csv::ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(source);
        let mut header = csv::ByteRecord::new();
        reader.read_byte_record(&mut header).map_err(|error| ImportError::file(&file, error.to_string()))?;
        let column = |name: &[u8]| ColumnInfo { name: cell(&String::from_utf8_lossy(name)).to_owned(), is_list: false };
        let header = header.iter().map(column).collect();
        Ok(Self { file, header, reader, wanted: Vec::new(), lines_before, lines: Vec::new(), unfinished })
    }
}

impl Blocks for DelimitedBlocks {
    fn columns(&self) -> &[ColumnInfo] {
        &self.header
    }

    fn select(&mut self, wanted: Vec<Wanted>) -> Result<(), ImportError> {
        self.wanted = wanted;
        Ok(())
    }

    fn next(&mut self) -> Result<Option<Vec<Cells>>, ImportError> {
        let mut cells: Vec<Cells> = Vec::with_capacity(self.wanted.len());
        for (_, kind) in &self.wanted {
            cells.push(match kind {
                CellKind::Number | CellKind::Numbers => Cells::Number(Vec::with_capacity(ROWS)),
                CellKind::Text | CellKind::Texts => Cells::Text(Vec::with_capacity(ROWS)),
            });
        }
        let mut record = csv::ByteRecord::new();
        self.lines.clear();
        while self.lines.len() < ROWS {
            self.unfinished.set(0);
            let start = self.reader.position().line() + self.lines_before;
            let more = self.reader.read_byte_record(&mut record);
            if !more.map_err(|error| ImportError::file(&self.file, format!("line {start}: {error}")))? {
                break;
            }
            self.lines.push(record.position().map_or(start, |at| at.line() + self.lines_before));
            for ((place, _), cells) in self.wanted.iter().zip(&mut cells) {
                let text = std::str::from_utf8(record.get(*place).unwrap_or_default()).unwrap_or("\u{fffd}");
                match cells {
                    Cells::Number(numbers) => numbers.push(number(cell(text))),
                    Cells::Text(texts) => texts.push(cell(text).to_owned()),
                    Cells::Texts(_) | Cells::Numbers(_) => {}
                }
            }
        }
        Ok((!self.lines.is_empty()).then_some(cells))
    }

    fn lines(&self) -> &[u64] {
        &self.lines
    }

    /// Rows count as lines, the header's first.
    fn first_row(&self) -> u64 {
        2 + self.lines_before
    }
}

/// A number, with a comma where a spreadsheet writes one; NaN for anything else.
fn number(text: &str) -> f32 {
    match text.parse() {
        Ok(number) => number,
        Err(_) if text.contains(',') => text.replacen(',', ".", 1).parse().unwrap_or(f32::NAN),
        Err(_) => f32::NAN,
    }
}

/// A file, for readers that need to begin again.
pub(super) fn open(path: &Path) -> Result<File, ImportError> {
    input::open(path).map_err(ImportError::read(&path.display().to_string()))
}
