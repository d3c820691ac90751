//! A file of predictions in blocks of rows: what each kind of file gives.

use super::error::ImportError;
use super::layout::Wanted;
use crate::input::{Cells, ColumnInfo};

/// Reads a file from its first row to its last.
pub trait Blocks {
    /// The columns that it has.
    fn columns(&self) -> &[ColumnInfo];

    /// Says which columns the blocks have, in this order.
    fn select(&mut self, wanted: Vec<Wanted>) -> Result<(), ImportError>;

    /// The next block: the selected columns, all of one length; `None` after the last.
    fn next(&mut self) -> Result<Option<Vec<Cells>>, ImportError>;

    /// The lines of the rows of the last block, in a file that has lines.
    fn lines(&self) -> &[u64] {
        &[]
    }

    /// The number by which people know the first row.
    fn first_row(&self) -> u64;
}
