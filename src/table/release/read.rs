//! Reads the data files of a release: all cells of a row, or the few that a comparison of releases needs.
//!
//! Does not check hashes: `store::ReleaseDir::data` does, before a file is opened here. Holds always: some rows at a
//! time are in memory, because a file has hundreds of megabytes of images; a column of another type is an error,
//! because its values would be those of another row or none.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, Int32Type, Int64Type, UInt32Type, UInt64Type};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, RecordBatch};
use arrow_schema::{Field, Schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use super::super::frame::TableError;
use super::{data_type, schema};
use crate::domain::{Cell, ColumnFacts, ColumnKind, ReleaseRow};
use crate::input;

/// Rows that are read at a time: bounds memory.
const BATCH: usize = 16;

/// The same of rows without their images.
const BATCH_WITHOUT_IMAGES: usize = 4096;

/// The part of a row that a check of a release, or a comparison of two releases, needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseRowCheck {
    /// Number of the item in its run.
    pub item_id: u32,
    /// The label.
    pub label: i64,
    /// The category's id.
    pub category: String,
    /// Hash of the image, as the row has it.
    pub sha256: String,
    /// What people decided, if the file has a column for it.
    pub verdict: Option<String>,
    /// The image; empty if it was not asked for.
    pub image: Vec<u8>,
}

const STORED: [&str; 4] = ["item_id", "label", "category", "sha256"];

/// An existing data file.
pub struct ReleaseFile {
    path: std::path::PathBuf,
    builder: ParquetRecordBatchReaderBuilder<File>,
}

impl ReleaseFile {
    /// Opens the file at `path`.
    pub fn open(path: &Path) -> Result<Self, TableError> {
        let cannot = |source| TableError::Open { file: path.display().to_string(), source };
        let file = input::open(path).map_err(cannot)?;
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| read_error(path, e))?;
        Ok(Self { path: path.to_owned(), builder })
    }

    /// How its schema differs from that of a file with these columns and classes; `None` if it does not.
    pub fn differs(&self, columns: &[ColumnFacts], classes: &[String]) -> Option<String> {
        let (found, expected) = (self.builder.schema(), schema(columns, classes));
        let lacks = |schema: &Schema, field: &Field| schema.fields().iter().all(|one| one.as_ref() != field);
        if let Some(field) = expected.fields().iter().find(|field| lacks(found, field)) {
            return Some(format!("it has no column {} of type {}", field.name(), field.data_type()));
        }
        if let Some(field) = found.fields().iter().find(|field| lacks(&expected, field)) {
            return Some(format!("its column {} is not a column of this release", field.name()));
        }
        let features = |schema: &Schema| {
            let text = schema.metadata().get("huggingface").map(String::as_str).unwrap_or_default();
            serde_json::from_str::<Value>(text).unwrap_or_default()
        };
        (features(found) != features(&expected)).then(|| "its metadata for loaders differs".to_owned())
    }

    /// Those of `columns` that it has, with their types: surrogates and people have columns of their own.
    pub fn present(&self, columns: &[ColumnFacts]) -> Vec<ColumnFacts> {
        let has = |column: &&ColumnFacts| {
            let field = self.builder.schema().field_with_name(&column.name);
            field.is_ok_and(|field| *field.data_type() == data_type(column.kind))
        };
        columns.iter().filter(has).cloned().collect()
    }

    /// Calls `each` for every row, with its cells in the order of `columns`; no other column is read.
    pub fn cells(self, columns: &[ColumnFacts], mut each: impl FnMut(ReleaseRow)) -> Result<(), TableError> {
        let path = self.path;
        let fields = self.builder.schema().fields();
        let mut wanted = Vec::with_capacity(columns.len());
        for column in columns {
            let is_it =
                |field: &Arc<Field>| *field.name() == column.name && *field.data_type() == data_type(column.kind);
            let at = fields.iter().position(is_it).ok_or_else(|| {
                read_error(&path, format!("the column {} has another type, or is missing", column.name))
            })?;
            wanted.push(at);
        }
        let mask = ProjectionMask::roots(self.builder.parquet_schema(), wanted);
        let has_images = columns.iter().any(|column| column.kind == ColumnKind::Image);
        let batch = if has_images { BATCH } else { BATCH_WITHOUT_IMAGES };
        let reader = self.builder.with_projection(mask).with_batch_size(batch).build();
        let reader = reader.map_err(|e| read_error(&path, e))?;
        for batch in reader {
            let batch = batch.map_err(|e| read_error(&path, e))?;
            let mut rows: Vec<ReleaseRow> = vec![ReleaseRow::with_capacity(columns.len()); batch.num_rows()];
            for column in columns {
                let cells = batch.column_by_name(&column.name).and_then(|array| cells(column.kind, array));
                let cells = cells.ok_or_else(|| read_error(&path, format!("{} has another type", column.name)))?;
                rows.iter_mut().zip(cells).for_each(|(row, cell)| row.push(cell));
            }
            rows.into_iter().for_each(&mut each);
        }
        Ok(())
    }

    /// Calls `each` for every row, with its image if `images` is set.
    pub fn rows(self, images: bool, mut each: impl FnMut(ReleaseRowCheck)) -> Result<(), TableError> {
        let path = self.path;
        let names = STORED.into_iter().chain(images.then_some("image"));
        let missing = names.clone().find(|name| self.builder.schema().field_with_name(name).is_err());
        if let Some(name) = missing {
            return Err(read_error(&path, format!("it has no column {name}")));
        }
        let has_verdict = self.builder.schema().field_with_name("verdict").is_ok();
        let names = names.chain(has_verdict.then_some("verdict"));
        let mask = ProjectionMask::columns(self.builder.parquet_schema(), names);
        let reader = self.builder.with_projection(mask).with_batch_size(BATCH).build();
        for batch in reader.map_err(|e| read_error(&path, e))? {
            let batch = batch.map_err(|e| read_error(&path, e))?;
            stored(&batch, images)
                .ok_or_else(|| read_error(&path, "a column has another type"))?
                .into_iter()
                .for_each(&mut each);
        }
        Ok(())
    }
}

fn read_error(path: &Path, problem: impl std::fmt::Display) -> TableError {
    TableError::ReadRelease { file: path.display().to_string(), problem: problem.to_string() }
}

/// The rows of a batch; `None` where a column has another type.
fn stored(batch: &RecordBatch, images: bool) -> Option<Vec<ReleaseRowCheck>> {
    let column = |name: &str| batch.column_by_name(name);
    let items = column("item_id")?.as_primitive_opt::<UInt32Type>()?;
    let labels = column("label")?.as_primitive_opt::<Int64Type>()?;
    let (categories, hashes) = (column("category")?.as_string_opt::<i32>()?, column("sha256")?.as_string_opt::<i32>()?);
    let verdicts = column("verdict").and_then(|column| column.as_string_opt::<i32>());
    let bytes = if images {
        Some(column("image")?.as_struct_opt()?.column_by_name("bytes")?.as_binary_opt::<i32>()?)
    } else {
        None
    };
    let row = |at: usize| ReleaseRowCheck {
        item_id: items.value(at),
        label: labels.value(at),
        category: categories.value(at).to_owned(),
        sha256: hashes.value(at).to_owned(),
        verdict: verdicts.filter(|column| !column.is_null(at)).map(|column| column.value(at).to_owned()),
        image: bytes.map(|bytes| bytes.value(at).to_vec()).unwrap_or_default(),
    };
    Some((0..batch.num_rows()).map(row).collect())
}

/// The cells of a column; `None` if it has another type.
fn cells(kind: ColumnKind, array: &ArrayRef) -> Option<Vec<Cell>> {
    Some(match kind {
        ColumnKind::Image => return images(array),
        ColumnKind::Text => array.as_string_opt::<i32>()?.iter().map(Cell::text).collect(),
        ColumnKind::Bool => array.as_boolean_opt()?.iter().map(|value| value.map_or(Cell::Null, Cell::Bool)).collect(),
        ColumnKind::Int32 => numbers::<Int32Type>(array, Cell::Int32)?,
        ColumnKind::Int64 | ColumnKind::ClassLabel => numbers::<Int64Type>(array, Cell::Int64)?,
        ColumnKind::UInt32 => numbers::<UInt32Type>(array, Cell::UInt32)?,
        ColumnKind::UInt64 => numbers::<UInt64Type>(array, Cell::UInt64)?,
        ColumnKind::Float32 => numbers::<Float32Type>(array, Cell::Float32)?,
        ColumnKind::Float64 => numbers::<Float64Type>(array, Cell::Float64)?,
        ColumnKind::Int32List => lists(array, |values| Some(Cell::Int32List(all::<Int32Type>(values)?)))?,
        ColumnKind::Float32List => lists(array, |values| Some(Cell::Float32List(all::<Float32Type>(values)?)))?,
        ColumnKind::TextList => lists(array, |values| {
            let texts = values.as_string_opt::<i32>()?.iter().map(|text| text.map(str::to_owned));
            Some(Cell::TextList(texts.collect::<Option<_>>()?))
        })?,
    })
}

fn images(array: &ArrayRef) -> Option<Vec<Cell>> {
    let images = array.as_struct_opt()?;
    let bytes = images.column_by_name("bytes")?.as_binary_opt::<i32>()?;
    let paths = images.column_by_name("path")?.as_string_opt::<i32>()?;
    let cell = |at: usize| {
        if images.is_null(at) || bytes.is_null(at) || paths.is_null(at) {
            Cell::Null
        } else {
            Cell::Image(bytes.value(at).to_vec(), paths.value(at).to_owned())
        }
    };
    Some((0..images.len()).map(cell).collect())
}

fn numbers<T: ArrowPrimitiveType>(array: &ArrayRef, cell: fn(T::Native) -> Cell) -> Option<Vec<Cell>> {
    Some(array.as_primitive_opt::<T>()?.iter().map(|value| value.map_or(Cell::Null, cell)).collect())
}

/// Lists of a column, each made a cell by `cell`.
fn lists(array: &ArrayRef, cell: impl Fn(&ArrayRef) -> Option<Cell>) -> Option<Vec<Cell>> {
    let list = |values: Option<ArrayRef>| values.map_or(Some(Cell::Null), |values| cell(&values));
    array.as_list_opt::<i32>()?.iter().map(list).collect()
}

/// The numbers of a list; `None` if one is null or of another type.
fn all<T: ArrowPrimitiveType>(values: &ArrayRef) -> Option<Vec<T::Native>> {
    values.as_primitive_opt::<T>()?.iter().collect()
}
