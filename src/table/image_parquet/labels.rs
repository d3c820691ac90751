//! The labels of a Parquet file of images, for all rows, without the images.

use arrow_array::cast::AsArray;
use arrow_array::types::{Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::{ImageColumnKind, ImageParquet, ImageParquetError, guarded, leaves};

/// Rows that are read at a time.
const BATCH: usize = 1 << 13;

/// Which columns say what the images are.
#[derive(Debug, Clone, Copy)]
pub struct LabelColumns<'a> {
    /// The column of images, whose paths are read.
    pub image: &'a str,
    /// The column of labels.
    pub label: &'a str,
    /// Columns of text of which the values are given back, in this order; a file need not have them.
    pub texts: &'a [&'a str],
}

/// The label of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelCell {
    /// A number.
    Number(i64),
    /// A text.
    Text(String),
    /// None.
    Null,
}

/// What is known of a row without its image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelRow {
    /// Its label.
    pub label: LabelCell,
    /// The image's own path, where it has one.
    pub path: Option<String>,
    /// Values of the further columns.
    pub texts: Vec<Option<String>>,
}

impl ImageParquet {
    /// The labels of all rows, in the file's order.
    pub fn labels(&self, columns: LabelColumns) -> Result<Vec<LabelRow>, ImageParquetError> {
        let there = self.columns();
        let kind_of = |name: &str| there.iter().find(|column| column.name == name).map(|column| column.kind);
        let missing = |name: &str, expected| ImageParquetError::Column { name: name.to_owned(), expected };
        if kind_of(columns.image) != Some(ImageColumnKind::Image) {
            return Err(missing(columns.image, "images"));
        }
        if !matches!(kind_of(columns.label), Some(ImageColumnKind::Number | ImageColumnKind::Text)) {
            return Err(missing(columns.label, "whole numbers or text"));
        }
        let texts: Vec<&str> = columns.texts.to_vec();
        let is_wanted = |parts: &[String]| match parts {
            [name] => name == columns.label || texts.contains(&name.as_str()),
            [name, child] => name == columns.image && child == "path",
            _ => false,
        };
        let file = self.file()?;
        guarded(|| {
            let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone());
            let mask = leaves(builder.parquet_schema(), is_wanted);
            let mut rows = Vec::new();
            for batch in builder.with_projection(mask).with_batch_size(BATCH).build().map_err(|e| e.to_string())? {
                let batch = batch.map_err(|e| e.to_string())?;
                let labels = batch.column_by_name(columns.label).and_then(cells);
                let labels = labels.ok_or_else(|| format!("the column `{}` is missing", columns.label))?;
                let paths = image_paths(&batch, columns.image);
                let texts: Vec<Vec<Option<String>>> = texts.iter().map(|name| text_column(&batch, name)).collect();
                for (at, label) in labels.into_iter().enumerate() {
                    let texts = texts.iter().map(|column| column[at].clone()).collect();
                    rows.push(LabelRow { label, path: paths[at].clone(), texts });
                }
            }
            Ok::<_, String>(rows)
        })
    }
}

/// The cells of a column of labels; `None` if it holds something else.
fn cells(column: &ArrayRef) -> Option<Vec<LabelCell>> {
    if let Some(texts) = column.as_string_opt::<i32>() {
        let text = |text: Option<&str>| text.map_or(LabelCell::Null, |text| LabelCell::Text(text.to_owned()));
        return Some(texts.iter().map(text).collect());
    }
    /// The numbers of one type, if the column has it.
    macro_rules! of_type {
        ($($type:ty),*) => {
            $(if let Some(numbers) = column.as_primitive_opt::<$type>() {
                // No label is as large as the largest number, so it stands for all that are larger.
                let number = |number| LabelCell::Number(i64::try_from(number).unwrap_or(i64::MAX));
                return Some(numbers.iter().map(|value| value.map_or(LabelCell::Null, number)).collect());
            })*
        };
    }
    of_type!(Int64Type, Int32Type, Int16Type, Int8Type, UInt64Type, UInt32Type, UInt16Type, UInt8Type);
    None
}

/// The path of each image; `None` where it has none.
fn image_paths(batch: &RecordBatch, image: &str) -> Vec<Option<String>> {
    let paths = batch.column_by_name(image).and_then(|column| column.as_struct_opt()?.column_by_name("path").cloned());
    paths.map_or_else(|| vec![None; batch.num_rows()], |paths| texts(&paths))
}

fn text_column(batch: &RecordBatch, name: &str) -> Vec<Option<String>> {
    batch.column_by_name(name).map_or_else(|| vec![None; batch.num_rows()], texts)
}

/// The texts of a column; `None` for all where it holds something else.
fn texts(column: &ArrayRef) -> Vec<Option<String>> {
    match column.as_string_opt::<i32>() {
        Some(texts) => texts.iter().map(|text| text.map(str::to_owned)).collect(),
        None => vec![None; column.len()],
    }
}
