//! `dropped.parquet`: every item that a stage lost, with the reason.
//!
//! Holds always: each loss is listed once, because the number of rows is the number that people are told.

use std::collections::BTreeMap;

use super::{MineError, Scored};
use crate::domain::DropRow;
use crate::pool::{Pool, dropped_key};
use crate::store::{NewRecord, RowCounts, ShardRecord};
use crate::table::dropped_table;
use crate::work::ShardRecords;

/// Writes the table from the records of all stages; returns the number of rows.
///
/// An image that cannot be decoded is lost for every surrogate with the same reason and gets one row.
pub fn write_dropped(pool: &Pool, images: &ShardRecords, scored: &[Scored]) -> Result<u64, MineError> {
    let of_scorers = scored.iter().flat_map(|scored| &scored.records.records);
    let records: Vec<&ShardRecord> =
        std::iter::once(&pool.plan().record).chain(&images.records).chain(of_scorers).collect();
    let mut rows: Vec<DropRow> = records.iter().flat_map(|record| record.lost.iter().cloned()).collect();
    rows.sort();
    rows.dedup();
    let hashes: Vec<_> = records.iter().map(|record| record.hash()).collect();
    let counts = RowCounts::all_kept(rows.len() as u64);
    let record =
        NewRecord { key: dropped_key(&hashes), rows: counts, lost: Vec::new(), facts: BTreeMap::new(), sums: None };
    let run = &pool.ctx().run;
    let record = run.dropped().commit(&[("parquet", dropped_table::encode(&rows)?)], record)?;
    run.set_dropped(&record)?;
    run.dropped().tidy()?;
    Ok(rows.len() as u64)
}
