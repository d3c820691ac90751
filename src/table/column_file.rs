//! A Parquet file that people give: its columns, and their cells in blocks of rows, whatever their types.
//!
//! Holds always: of a large file only a part is in memory; a cell of a type that cannot be converted is a missing one.

use std::ops::Range;
use std::path::{Path, PathBuf};

use polars::io::parquet::metadata::FileMetadataRef;
use polars::prelude::*;

use super::frame::{self, TableError};
use crate::input::{CellKind, Cells, ColumnInfo, caught};

/// Cells in a block, about.
const CELLS: usize = 1 << 22;

/// See the module.
pub struct ColumnFile {
    path: PathBuf,
    metadata: FileMetadataRef,
    types: Vec<(String, DataType)>,
    blocks: std::vec::IntoIter<Range<usize>>,
}

impl ColumnFile {
    /// Reads the footer of the file at `path`.
    pub fn open(path: &Path) -> Result<Self, TableError> {
        let (metadata, head) = guarded(path, || Ok((frame::metadata_of(path)?, frame::read_head(path)?)))?;
        let types = head.columns().iter().map(|column| (column.name().to_string(), column.dtype().clone())).collect();
        let mut file = Self { path: path.to_owned(), metadata, types, blocks: Vec::new().into_iter() };
        file.blocks = file.cut().into_iter();
        Ok(file)
    }

    /// The columns that can be read: those of texts, numbers, and lists of these.
    pub fn columns(&self) -> Vec<ColumnInfo> {
        let is_list = |kind: &DataType| matches!(kind, DataType::List(_));
        self.types.iter().map(|(name, kind)| ColumnInfo { name: name.clone(), is_list: is_list(kind) }).collect()
    }

    /// Row groups, in parts of a few million cells, because one may hold all rows.
    fn cut(&self) -> Vec<Range<usize>> {
        let (mut start, mut ranges) = (0, Vec::new());
        for group in &self.metadata.row_groups {
            let (rows, end) = (group.num_rows(), start + group.num_rows());
            let values: usize = group.parquet_columns().iter().map(|column| column.num_values().max(0) as usize).sum();
            let parts = values.div_ceil(CELLS).clamp(1, rows.max(1));
            let each = rows.div_ceil(parts).max(1);
            ranges.extend((start..end).step_by(each).map(|first| first..end.min(first + each)));
            start = end;
        }
        ranges
    }

    /// The next block: the columns at these places; `None` after the last.
    pub fn next(&mut self, wanted: &[(usize, CellKind)]) -> Result<Option<Vec<Cells>>, TableError> {
        let Some(rows) = self.blocks.next() else { return Ok(None) };
        let names: Vec<&str> = wanted.iter().map(|(place, _)| self.types[*place].0.as_str()).collect();
        let read = || -> PolarsResult<Vec<Cells>> {
            let frame = frame::slice_of(&self.path, &self.metadata, &names, rows)?;
            wanted.iter().map(|(place, kind)| cells(frame.column(&self.types[*place].0)?, *kind)).collect()
        };
        guarded(&self.path, read).map(Some)
    }
}

/// Reads a part of a file that people gave: polars breaks down on damaged bytes, and on types of columns that this
/// program is built without (lists of a fixed size, numbers of 16 bits, decimals, maps), also if nobody asks for them.
fn guarded<T>(path: &Path, read: impl FnOnce() -> PolarsResult<T>) -> Result<T, TableError> {
    let file = path.display().to_string();
    match caught(read) {
        Ok(read) => read.map_err(|source| TableError::NotParquet { file, problem: source.to_string() }),
        Err(problem) => Err(TableError::NotParquet { file, problem }),
    }
}

fn cells(column: &Column, kind: CellKind) -> PolarsResult<Cells> {
    Ok(match kind {
        CellKind::Text => Cells::Text(texts(column.as_materialized_series())?),
        CellKind::Number => Cells::Number(numbers(column.as_materialized_series())?),
        CellKind::Texts => Cells::Texts(lists(column, texts)?),
        CellKind::Numbers => Cells::Numbers(lists(column, numbers)?),
    })
}

fn texts(series: &Series) -> PolarsResult<Vec<String>> {
    let series = series.cast(&DataType::String)?;
    Ok(series.str()?.iter().map(|text| text.unwrap_or_default().to_owned()).collect())
}

fn numbers(series: &Series) -> PolarsResult<Vec<f32>> {
    let series = series.cast(&DataType::Float32)?;
    Ok(series.f32()?.iter().map(|number| number.unwrap_or(f32::NAN)).collect())
}

/// The lists of a column: their elements are converted together.
fn lists<T: Clone>(column: &Column, convert: fn(&Series) -> PolarsResult<Vec<T>>) -> PolarsResult<Vec<Vec<T>>> {
    let lists = column.as_materialized_series().list()?;
    let mut rows = Vec::with_capacity(lists.len());
    for chunk in lists.downcast_iter() {
        let inner = Series::try_from((PlSmallStr::EMPTY, chunk.values().clone()))?;
        let all = convert(&inner)?;
        for at in 0..chunk.len() {
            let (start, end) = chunk.offsets().start_end(at);
            let is_null = chunk.validity().is_some_and(|validity| !validity.get_bit(at));
            rows.push(if is_null { Vec::new() } else { all[start..end].to_vec() });
        }
    }
    Ok(rows)
}
