//! Parquet files with a column of images, as Hugging Face's `datasets`, a release and others write them.
//!
//! Does not know categories and does not decode pictures. Holds always: labels are read without the images, and images
//! a few rows at a time, because a file has gigabytes of them; a file that makes the reader panic is an error like any
//! other.
//!
//! Source of the metadata: `datasets`, `Features.arrow_schema` (the key `huggingface` of the Arrow schema).

mod error;
mod images;
mod labels;

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow_schema::{DataType, Field};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::schema::types::SchemaDescriptor;
use serde_json::Value;

use crate::input;

pub use error::ImageParquetError;
pub use images::ParquetImages;
pub use labels::{LabelCell, LabelColumns, LabelRow};

/// A Parquet file, of which the footer has been read.
#[derive(Debug)]
pub struct ImageParquet {
    path: PathBuf,
    metadata: ArrowReaderMetadata,
    /// What `datasets` says of its columns, by name.
    features: Value,
}

/// Where `datasets` describes the columns.
const FEATURES: &str = "huggingface";

/// What a column of a file holds, as far as a pool of images needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageColumn {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: ImageColumnKind,
    /// Whether the file's metadata call it an image or a label.
    pub is_declared: bool,
    /// Names of the labels, from 0; empty where the file has none.
    pub names: Vec<String>,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageColumnKind {
    /// Encoded images: `struct<bytes, path>`, or bytes alone.
    Image,
    /// Whole numbers.
    Number,
    /// Text.
    Text,
    /// Something else.
    Other,
}

impl ImageParquet {
    /// Reads the footer of the file at `path`.
    pub fn open(path: &Path) -> Result<Self, ImageParquetError> {
        let file = input::open(path).map_err(ImageParquetError::Open)?;
        // Without Arrow's own schema, every text is `Utf8` and all bytes are `Binary`, whatever wrote the file.
        let plain = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let metadata = guarded(|| ArrowReaderMetadata::load(&file, plain))?;
        let with_schema = guarded(|| ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()));
        let stored = with_schema.ok().and_then(|with| with.schema().metadata().get(FEATURES).cloned());
        let beside = || {
            let pairs = metadata.metadata().file_metadata().key_value_metadata()?;
            pairs.iter().find(|pair| pair.key == FEATURES)?.value.clone()
        };
        let features = features(&stored.or_else(beside).unwrap_or_default());
        Ok(Self { path: path.to_owned(), metadata, features })
    }

    /// Number of rows.
    pub fn rows(&self) -> u64 {
        self.metadata.metadata().file_metadata().num_rows().max(0) as u64
    }

    /// Its columns, in the file's order.
    pub fn columns(&self) -> Vec<ImageColumn> {
        self.metadata.schema().fields().iter().map(|field| column(field, &self.features)).collect()
    }

    fn file(&self) -> Result<File, ImageParquetError> {
        input::open(&self.path).map_err(ImageParquetError::Open)
    }
}

fn column(field: &Field, features: &Value) -> ImageColumn {
    let feature = features.get(field.name()).cloned().unwrap_or_default();
    let declared = feature.get("_type").and_then(Value::as_str).unwrap_or_default();
    let names = feature.get("names").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    ImageColumn {
        name: field.name().clone(),
        kind: kind(field.data_type()),
        is_declared: ["Image", "ClassLabel"].contains(&declared),
        names: names.iter().map(|name| name.as_str().unwrap_or_default().to_owned()).collect(),
    }
}

fn kind(data_type: &DataType) -> ImageColumnKind {
    match data_type {
        DataType::Struct(fields) if fields.iter().any(|field| field.name() == "bytes" && is_bytes(field)) => {
            ImageColumnKind::Image
        }
        DataType::Binary => ImageColumnKind::Image,
        DataType::Utf8 => ImageColumnKind::Text,
        other if other.is_integer() => ImageColumnKind::Number,
        _ => ImageColumnKind::Other,
    }
}

fn is_bytes(field: &Field) -> bool {
    *field.data_type() == DataType::Binary
}

fn features(text: &str) -> Value {
    let whole = serde_json::from_str::<Value>(text).unwrap_or_default();
    whole.pointer("/info/features").cloned().unwrap_or_default()
}

/// The leaves whose paths are `wanted`; a name may have a full stop.
fn leaves(schema: &SchemaDescriptor, wanted: impl Fn(&[String]) -> bool) -> ProjectionMask {
    let columns = schema.columns().iter().enumerate();
    ProjectionMask::leaves(schema, columns.filter(|(_, leaf)| wanted(leaf.path().parts())).map(|(at, _)| at))
}

/// Has the Parquet library work; a panic of it becomes an error like any other.
fn guarded<T, E: std::fmt::Display>(work: impl FnOnce() -> Result<T, E>) -> Result<T, ImageParquetError> {
    match input::caught(work) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(ImageParquetError::Unreadable(error.to_string())),
        Err(said) => Err(ImageParquetError::Unreadable(format!("its reader broke down: {said}"))),
    }
}
