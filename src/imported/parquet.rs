//! A Parquet file in blocks of rows.

use std::path::Path;

use super::blocks::Blocks;
use super::error::ImportError;
use super::layout::Wanted;
use crate::input::{Cells, ColumnInfo};
use crate::table::ColumnFile;

/// See the module.
pub struct ParquetBlocks {
    file: ColumnFile,
    columns: Vec<ColumnInfo>,
    wanted: Vec<Wanted>,
}

impl ParquetBlocks {
    /// Opens the file at `path`.
    pub fn open(path: &Path) -> Result<Self, ImportError> {
        let file = ColumnFile::open(path)?;
        let columns = file.columns();
        Ok(Self { file, columns, wanted: Vec::new() })
    }
}

impl Blocks for ParquetBlocks {
    fn columns(&self) -> &[ColumnInfo] {
        &self.columns
    }

    fn select(&mut self, wanted: Vec<Wanted>) -> Result<(), ImportError> {
        self.wanted = wanted;
        Ok(())
    }

    fn next(&mut self) -> Result<Option<Vec<Cells>>, ImportError> {
        Ok(self.file.next(&self.wanted)?)
    }

    fn first_row(&self) -> u64 {
        0
    }
}
