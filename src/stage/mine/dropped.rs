//! `dropped.parquet`: every item that a stage lost, with the reason.
//!
//! Holds always: each loss is listed once, because the number of rows is the number that people are told.

use super::{MineError, Scored};
use crate::pool::Pool;
use crate::store::write_whole;
use crate::table::dropped_table;
use crate::work::ShardRecords;

/// Writes the table from the records of all stages; returns the number of rows.
///
/// An image that cannot be decoded is lost for every surrogate with the same reason and gets one row.
pub fn write_dropped(pool: &Pool, images: &ShardRecords, scored: &[Scored]) -> Result<u64, MineError> {
    let mut rows = pool.plan().record.lost.clone();
    let records = images.records.iter().chain(scored.iter().flat_map(|scored| &scored.records.records));
    rows.extend(records.flat_map(|record| record.lost.iter().cloned()));
    rows.sort();
    rows.dedup();
    write_whole(&pool.ctx().run.dropped(), &dropped_table::encode(&rows)?)?;
    Ok(rows.len() as u64)
}
