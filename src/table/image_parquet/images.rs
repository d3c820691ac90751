//! Single images of Parquet files, read through a small cache: threads ask for neighbouring rows at once.
//!
//! Holds always: at most [`KEPT`] stretches of about [`STRETCH_BYTES`] each are in memory, whatever the files hold; a
//! stretch that cannot be read is read again row by row, so that a damaged page costs its own rows alone.

use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::ByteArrayType;
use parquet::errors::ParquetError;
use parquet::file::serialized_reader::SerializedPageReader;

use super::{ImageColumnKind, ImageParquet, ImageParquetError, guarded};

/// Stretches that stay in memory.
const KEPT: usize = 32;
/// About how many bytes of images a stretch has.
const STRETCH_BYTES: u64 = 1 << 20;
/// The most rows of a stretch.
const STRETCH_ROWS: u64 = 256;
/// Files whose footers stay in memory.
const KEPT_FILES: usize = 64;

/// The encoded images of neighbouring rows; `None` for a row without bytes.
type Images = Vec<Option<Arc<[u8]>>>;
/// A stretch that is being read, or has been: its images, or why they cannot be read.
type Slot = Arc<OnceLock<Result<Images, String>>>;

/// Reads images of Parquet files by row.
#[derive(Debug, Default)]
pub struct ParquetImages {
    files: Mutex<HashMap<PathBuf, Arc<ImageParquet>>>,
    /// The stretch that was asked for last stands last.
    stretches: Mutex<Vec<(Place, Slot)>>,
}

/// Where a stretch is.
#[derive(Debug, Clone, PartialEq)]
struct Place {
    file: PathBuf,
    group: usize,
    /// Rows inside the group.
    rows: Range<u64>,
}

impl ParquetImages {
    /// The encoded image at `row`, from 0, in the column `column` of the file at `path`, or why there is none.
    pub fn bytes(&self, path: &Path, column: &str, row: u64) -> Result<Vec<u8>, String> {
        let file = self.file(path).map_err(|error| error.to_string())?;
        let place = place(&file, column, row).map_err(|error| error.to_string())?;
        let slot = self.slot(&place.0);
        let read = slot.get_or_init(|| stretch(&file, column, &place.0).map_err(|error| error.to_string()));
        let image = match read {
            Ok(images) => images.get(place.1).cloned().flatten(),
            // Not the neighbour's fault: the row alone.
            Err(_) => {
                let start = place.0.rows.start + place.1 as u64;
                let alone = Place { rows: start..start + 1, ..place.0.clone() };
                let images = stretch(&file, column, &alone).map_err(|error| error.to_string())?;
                images.into_iter().next().flatten()
            }
        };
        match image {
            Some(bytes) => Ok(bytes.to_vec()),
            None => Err("the row has no bytes of an image; write the images themselves into the file".to_owned()),
        }
    }

    fn file(&self, path: &Path) -> Result<Arc<ImageParquet>, ImageParquetError> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = files.get(path) {
            return Ok(Arc::clone(file));
        }
        let file = Arc::new(ImageParquet::open(path)?);
        if files.len() >= KEPT_FILES {
            files.clear();
        }
        files.insert(path.to_owned(), Arc::clone(&file));
        Ok(file)
    }

    /// The slot of a stretch; the one that nobody has asked for the longest makes room for a new one.
    fn slot(&self, place: &Place) -> Slot {
        let mut stretches = self.stretches.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = match stretches.iter().position(|(kept, _)| kept == place) {
            Some(at) => stretches.remove(at).1,
            None => Slot::default(),
        };
        if stretches.len() >= KEPT {
            stretches.remove(0);
        }
        stretches.push((place.clone(), Arc::clone(&slot)));
        slot
    }
}

/// The stretch of a row, and the row's place in it.
fn place(file: &ImageParquet, column: &str, row: u64) -> Result<(Place, usize), ImageParquetError> {
    if !file.columns().iter().any(|one| one.name == column && one.kind == ImageColumnKind::Image) {
        return Err(ImageParquetError::Column { name: column.to_owned(), expected: "images" });
    }
    let mut first = 0;
    for (group, metadata) in file.metadata.metadata().row_groups().iter().enumerate() {
        let rows = metadata.num_rows().max(0) as u64;
        if row >= first + rows {
            first += rows;
            continue;
        }
        let of_column = metadata
            .columns()
            .iter()
            .filter(|one| one.column_path().parts().first().is_some_and(|part| part == column));
        let bytes: u64 = of_column.map(|one| one.uncompressed_size().max(0) as u64).sum();
        let length = (STRETCH_BYTES * rows / bytes.max(1)).clamp(1, STRETCH_ROWS);
        let (inside, start) = (row - first, (row - first) / length * length);
        let place = Place { file: file.path.clone(), group, rows: start..rows.min(start + length) };
        return Ok((place, (inside - start) as usize));
    }
    Err(ImageParquetError::Unreadable(format!("it has {first} rows and no row {row}; it has changed")))
}

/// Reads the images of a stretch.
///
/// By the pages themselves and not as Arrow's arrays: the reader of these believes the lengths of rows that it skips,
/// and after a damaged one it asks for more memory than there is, which ends the program.
fn stretch(file: &ImageParquet, column: &str, place: &Place) -> Result<Images, ImageParquetError> {
    let opened = Arc::new(file.file()?);
    let group = file.metadata.metadata().row_group(place.group);
    let is_image = |parts: &[String]| match parts {
        [name] => name == column,
        [name, child] => name == column && child == "bytes",
        _ => false,
    };
    let chunk = group.columns().iter().find(|chunk| is_image(chunk.column_path().parts()));
    let chunk = chunk.ok_or(ImageParquetError::Column { name: column.to_owned(), expected: "images" })?;
    guarded(|| {
        let pages = SerializedPageReader::new(opened, chunk, group.num_rows().max(0) as usize, None)?;
        let description = chunk.column_descr_ptr();
        let present = description.max_def_level();
        let mut reader = ColumnReaderImpl::<ByteArrayType>::new(description, Box::new(pages));
        let (start, rows) = (place.rows.start as usize, (place.rows.end - place.rows.start) as usize);
        let fewer = || ParquetError::General("it has fewer rows than its footer says".to_owned());
        if reader.skip_records(start)? < start {
            return Err(fewer());
        }
        let (mut levels, mut values) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
        let (records, ..) = reader.read_records(rows, Some(&mut levels), None, &mut values)?;
        if records < rows {
            return Err(fewer());
        }
        let mut values = values.into_iter();
        let mut images = Images::with_capacity(rows);
        for row in 0..rows {
            // A column that must have values has no levels.
            let is_there = levels.get(row).is_none_or(|&level| level == present);
            images.push(if is_there { values.next().map(|value| Arc::from(value.data())) } else { None });
        }
        Ok::<_, ParquetError>(images)
    })
}
