//! Data frames <-> Parquet bytes, and typed access to columns.

use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use polars::io::parquet::metadata::FileMetadataRef;
use polars::io::parquet::write::RowGroupIterColumns;
use polars::prelude::*;

/// Encoded row groups, on the way into a file.
pub type RowGroups = Vec<RowGroupIterColumns<'static, PolarsError>>;

/// Why a table cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The file cannot be opened.
    #[error("cannot open {file}: {source}")]
    Open {
        /// The file.
        file: String,
        /// The cause.
        source: std::io::Error,
    },
    /// It is not a Parquet file, or not one with these columns.
    #[error(
        "{file} is not a table with the expected columns ({source}); delete it and run the same command again to make \
         it again"
    )]
    Read {
        /// The file.
        file: String,
        /// The cause.
        source: PolarsError,
    },
    /// A file that people gave is no Parquet file, or has a column that cannot be read.
    #[error(
        "{file} cannot be read as Parquet ({problem}); if it is whole, write it with columns of text, whole numbers, \
         float32 or float64, or lists of these, and without others (lists of a fixed size, float16, decimals, maps)"
    )]
    NotParquet {
        /// The file.
        file: String,
        /// The cause.
        problem: String,
    },
    /// Encoding failed, or writing on a full disk.
    #[error("cannot encode table: {0}")]
    Encode(#[from] PolarsError),
    /// Encoding a data file of a release failed, or writing on a full disk.
    #[error("cannot encode a data file: {0}")]
    EncodeRelease(String),
    /// It is not a data file of a release.
    #[error("{file} is not a data file of a release: {problem}")]
    ReadRelease {
        /// The file.
        file: String,
        /// What is wrong.
        problem: String,
    },
}

/// Rows per row group: small enough to skip through, large enough to compress.
pub(super) const ROW_GROUP: usize = 1 << 17;

/// Limits the threads of polars; has an effect only before the first table is read or written.
pub fn limit_threads(threads: usize) {
    // SAFETY: called at the start of the process, before any other thread exists that could read the environment.
    unsafe { std::env::set_var("POLARS_MAX_THREADS", threads.to_string()) };
}

pub(super) fn writer<W: std::io::Write>(target: W) -> ParquetWriter<W> {
    ParquetWriter::new(target)
        .with_compression(ParquetCompression::Lz4Raw)
        .with_row_group_size(Some(ROW_GROUP))
        .set_parallel(false)
}

/// Columns as Parquet bytes.
pub(super) fn encode(columns: Vec<Column>) -> Result<Vec<u8>, TableError> {
    encode_in_groups(columns, ROW_GROUP)
}

/// Columns as Parquet bytes, in row groups of `rows`.
pub(super) fn encode_in_groups(columns: Vec<Column>, rows: usize) -> Result<Vec<u8>, TableError> {
    let mut frame = DataFrame::new_infer_height(columns)?;
    let mut bytes = Vec::new();
    writer(&mut bytes).with_row_group_size(Some(rows)).finish(&mut frame)?;
    Ok(bytes)
}

/// Bytes at the end of a file that are read at once; they usually hold the whole footer.
const TAIL: u64 = 1 << 14;

/// A file of one shard. Only the columns that are asked for are read, which is cheaper than mapping its pages one by
/// one.
///
/// `bytes` is as long as the file, but memory is taken only for what has been read.
pub(super) struct ShardFile {
    path: PathBuf,
    file: File,
    bytes: Vec<u8>,
    metadata: FileMetadataRef,
}

impl ShardFile {
    pub(super) fn read(path: &Path) -> Result<Self, TableError> {
        let cannot = |source| TableError::Open { file: path.display().to_string(), source };
        let mut file = File::open(path).map_err(cannot)?;
        let size = file.metadata().map_err(cannot)?.len();
        let mut bytes = vec![0; size as usize];
        let start = size.saturating_sub(TAIL);
        read_part(&mut file, &mut bytes, start..size).map_err(cannot)?;
        // The last eight bytes: length of the footer, magic.
        let footer = match bytes.as_slice() {
            [.., a, b, c, d, _, _, _, _] => u64::from(u32::from_le_bytes([*a, *b, *c, *d])) + 8,
            _ => 0,
        };
        if footer > TAIL && footer <= size {
            read_part(&mut file, &mut bytes, size - footer..start).map_err(cannot)?;
        }
        let metadata = ParquetReader::new(Cursor::new(bytes.as_slice())).get_metadata().cloned();
        let metadata = metadata.map_err(|source| TableError::Read { file: path.display().to_string(), source })?;
        Ok(Self { path: path.to_owned(), file, bytes, metadata })
    }

    /// Number of rows, from the footer.
    pub(super) fn rows(&self) -> usize {
        self.metadata.num_rows
    }

    /// The columns among `columns` that the file has.
    pub(super) fn present<'a>(&self, columns: &[&'a str]) -> Vec<&'a str> {
        let roots = self.metadata.schema().columns().iter().filter_map(|column| column.path_in_schema.first());
        let roots: Vec<&str> = roots.map(|root| root.as_str()).collect();
        columns.iter().copied().filter(|column| roots.contains(column)).collect()
    }

    /// The named columns, as one chunk each.
    pub(super) fn columns(&mut self, columns: &[&str]) -> Result<DataFrame, TableError> {
        let size = self.bytes.len() as u64;
        for group in &self.metadata.row_groups {
            let wanted = columns.iter().filter_map(|column| group.columns_under_root_iter(column)).flatten();
            for range in wanted.map(|column| column.byte_range()).filter(|range| range.end <= size) {
                read_part(&mut self.file, &mut self.bytes, range)
                    .map_err(|source| TableError::Open { file: self.path.display().to_string(), source })?;
            }
        }
        let mut reader = ParquetReader::new(Cursor::new(self.bytes.as_slice()));
        reader.set_metadata(self.metadata.clone());
        reader
            .with_columns(Some(columns.iter().map(|&column| column.to_owned()).collect()))
            .read_parallel(ParallelStrategy::None)
            .set_rechunk(true)
            .finish()
            .map_err(|source| TableError::Read { file: self.path.display().to_string(), source })
    }
}

/// Reads `range` of the file into the same range of `bytes`.
fn read_part(file: &mut File, bytes: &mut [u8], range: Range<u64>) -> std::io::Result<()> {
    file.seek(SeekFrom::Start(range.start))?;
    file.read_exact(&mut bytes[range.start as usize..range.end as usize])
}

/// The footer of a large file, which a caller reads once and the file often.
pub(super) fn metadata(path: &Path) -> Result<FileMetadataRef, TableError> {
    let metadata = ParquetReader::new(open(path)?).get_metadata().cloned();
    metadata.map_err(|source| TableError::Read { file: path.display().to_string(), source })
}

/// The same of a file that people gave.
pub(super) fn metadata_of(path: &Path) -> PolarsResult<FileMetadataRef> {
    ParquetReader::new(File::open(path)?).get_metadata().cloned()
}

/// No row of a file: its columns with their types.
pub(super) fn read_head(path: &Path) -> PolarsResult<DataFrame> {
    ParquetReader::new(File::open(path)?).with_slice(Some((0, 0))).finish()
}

/// The named columns of the rows at `range` of a large file, as one chunk each.
pub(super) fn read_slice(
    path: &Path,
    metadata: &FileMetadataRef,
    columns: &[&str],
    range: Range<usize>,
) -> Result<DataFrame, TableError> {
    slice_of(path, metadata, columns, range)
        .map_err(|source| TableError::Read { file: path.display().to_string(), source })
}

/// The same of a file that people gave.
pub(super) fn slice_of(
    path: &Path,
    metadata: &FileMetadataRef,
    columns: &[&str],
    range: Range<usize>,
) -> PolarsResult<DataFrame> {
    let mut reader = ParquetReader::new(File::open(path)?);
    reader.set_metadata(metadata.clone());
    reader
        .with_columns(Some(columns.iter().map(|&column| column.to_owned()).collect()))
        .with_slice(Some((range.start, range.len())))
        .set_rechunk(true)
        .finish()
}

fn open(path: &Path) -> Result<File, TableError> {
    File::open(path).map_err(|source| TableError::Open { file: path.display().to_string(), source })
}

/// Reads `path` and turns the frame into rows. A column of another type is an error that names the file; so is a
/// missing column, unless `rows` can do without it.
pub(super) fn read_rows<T>(
    path: &Path,
    columns: &[&str],
    rows: impl Fn(&DataFrame) -> PolarsResult<Vec<T>>,
) -> Result<Vec<T>, TableError> {
    let mut file = ShardFile::read(path)?;
    let frame = file.columns(&file.present(columns))?;
    rows(&frame).map_err(|source| TableError::Read { file: path.display().to_string(), source })
}

/// A column of lists, one per row.
pub(super) fn lists<'a>(name: &str, rows: impl ExactSizeIterator<Item = &'a [i32]>) -> Column {
    let mut builder =
        ListPrimitiveChunkedBuilder::<Int32Type>::new(name.into(), rows.len(), 5 * rows.len(), DataType::Int32);
    rows.for_each(|row| builder.append_slice(row));
    builder.finish().into_series().into()
}

/// A column of lists of probabilities, one per row.
pub(super) fn f32_lists<'a>(name: &str, rows: impl ExactSizeIterator<Item = &'a [f32]>) -> Column {
    let mut builder =
        ListPrimitiveChunkedBuilder::<Float32Type>::new(name.into(), rows.len(), 5 * rows.len(), DataType::Float32);
    rows.for_each(|row| builder.append_slice(row));
    builder.finish().into_series().into()
}

/// The values of a column without nulls.
pub(super) fn u32s(frame: &DataFrame, name: &str) -> PolarsResult<Vec<u32>> {
    Ok(frame.column(name)?.u32()?.cont_slice()?.to_vec())
}

/// As [`u32s`].
pub(super) fn u64s(frame: &DataFrame, name: &str) -> PolarsResult<Vec<u64>> {
    Ok(frame.column(name)?.u64()?.cont_slice()?.to_vec())
}

/// As [`u32s`].
pub(super) fn i32s(frame: &DataFrame, name: &str) -> PolarsResult<Vec<i32>> {
    Ok(frame.column(name)?.i32()?.cont_slice()?.to_vec())
}

/// As [`u32s`].
pub(super) fn f32s(frame: &DataFrame, name: &str) -> PolarsResult<Vec<f32>> {
    Ok(frame.column(name)?.f32()?.cont_slice()?.to_vec())
}

/// As [`u32s`].
pub(super) fn bools(frame: &DataFrame, name: &str) -> PolarsResult<Vec<bool>> {
    Ok(frame.column(name)?.bool()?.iter().map(|flag| flag == Some(true)).collect())
}

/// The values of a column of strings, nulls as `None`.
pub(super) fn strings(frame: &DataFrame, name: &str) -> PolarsResult<Vec<Option<String>>> {
    Ok(frame.column(name)?.str()?.iter().map(|text| text.map(str::to_owned)).collect())
}

/// The values of a column of strings, nulls as empty strings.
pub(super) fn full_strings(frame: &DataFrame, name: &str) -> PolarsResult<Vec<String>> {
    Ok(strings(frame, name)?.into_iter().map(Option::unwrap_or_default).collect())
}

/// The lists of a column.
pub(super) fn i32_lists(frame: &DataFrame, name: &str) -> PolarsResult<Vec<Vec<i32>>> {
    let column = frame.column(name)?.list()?;
    let row = |at| {
        column.get_as_series(at).map_or_else(|| Ok(Vec::new()), |row| Ok(row.i32()?.into_no_null_iter().collect()))
    };
    (0..column.len()).map(row).collect()
}

/// As [`i32_lists`].
pub(super) fn f32_rows(frame: &DataFrame, name: &str) -> PolarsResult<Vec<Vec<f32>>> {
    let column = frame.column(name)?.list()?;
    let row = |at| {
        column.get_as_series(at).map_or_else(|| Ok(Vec::new()), |row| Ok(row.f32()?.into_no_null_iter().collect()))
    };
    (0..column.len()).map(row).collect()
}
