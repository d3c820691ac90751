//! Two neighbouring rows of a table exchanged: Parquet, CSV, lines of JSON.
//!
//! Holds always: the table is still valid, has the same rows, and is not the same table.

use std::fs::File;
use std::path::Path;

use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use polars::prelude::{DataFrame, ParquetCompression, ParquetReader, ParquetWriter, SerReader};

/// The table with two rows exchanged; `None` for what is no table, or has no two different rows beside each other.
pub fn exchanged(path: &Path, bytes: &[u8]) -> Option<Vec<u8>> {
    match path.extension()?.to_str()? {
        "parquet" => with_arrow(path).or_else(|| with_polars(path)),
        "csv" | "tsv" => lines(bytes, 1),
        "jsonl" => lines(bytes, 0),
        _ => None,
    }
}

/// `head`: lines that stay.
fn lines(bytes: &[u8], head: usize) -> Option<Vec<u8>> {
    let mut lines: Vec<&[u8]> = bytes.split_inclusive(|&byte| byte == b'\n').collect();
    let at = (head..lines.len().saturating_sub(1)).find(|&at| lines[at] != lines[at + 1])?;
    lines.swap(at, at + 1);
    Some(lines.concat())
}

/// Tables that polars wrote, in its own compression.
fn with_polars(path: &Path) -> Option<Vec<u8>> {
    let table = ParquetReader::new(File::open(path).ok()?).finish().expect("it is a table");
    let at = (0..table.height().saturating_sub(1))
        .find(|&at| !table.slice(at as i64, 1).equals_missing(&table.slice(at as i64 + 1, 1)))?;
    let rest = table.slice(at as i64 + 2, table.height());
    let parts = [table.slice(at as i64 + 1, 1), table.slice(at as i64, 1), rest];
    let mut swapped: DataFrame = table.slice(0, at);
    for part in &parts {
        swapped.vstack_mut(part).expect("it has the same columns");
    }
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes)
        .with_compression(ParquetCompression::Lz4Raw)
        .finish(&mut swapped)
        .expect("it can be written");
    Some(bytes)
}

/// Tables with images, which polars does not read; `None` for polars' compression.
fn with_arrow(path: &Path) -> Option<Vec<u8>> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path).ok()?).ok()?;
    let schema = builder.schema().clone();
    let batch = builder.with_batch_size(1 << 16).build().ok()?.next()?.ok()?;
    if batch.num_rows() < 2 {
        return None;
    }
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, schema, None).expect("it has a schema");
    for part in [batch.slice(1, 1), batch.slice(0, 1), batch.slice(2, batch.num_rows() - 2)] {
        writer.write(&part).expect("it can be written");
    }
    writer.close().expect("it can be finished");
    Some(bytes)
}
