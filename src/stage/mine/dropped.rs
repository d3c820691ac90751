//! `dropped.parquet`: every item that a stage lost, with the reason.
//!
//! Holds always: each loss is listed once, because the number of rows is the number that people are told.

use std::collections::BTreeMap;

use super::{Followed, MineError};
use crate::domain::DropRow;
use crate::pool::{Pool, dropped_key};
use crate::store::{NewRecord, RowCounts};
use crate::table::dropped_table;

/// Writes the table from the records of all stages; returns the number of rows.
///
/// An image that cannot be decoded is lost for every surrogate with the same reason and gets one row.
pub fn write_dropped(pool: &Pool, followed: &Followed) -> Result<u64, MineError> {
    let plan = &pool.plan().record;
    let mut rows: Vec<DropRow> = plan.lost.iter().chain(&followed.lost).cloned().collect();
    rows.sort();
    rows.dedup();
    let hashes: Vec<_> = std::iter::once(plan.hash()).chain(followed.all()).collect();
    let counts = RowCounts::all_kept(rows.len() as u64);
    let record =
        NewRecord { key: dropped_key(&hashes), rows: counts, lost: Vec::new(), facts: BTreeMap::new(), sums: None };
    let run = &pool.ctx().run;
    let record = run.dropped().commit(&[("parquet", dropped_table::encode(&rows)?)], record)?;
    run.set_dropped(&record)?;
    run.dropped().tidy()?;
    Ok(rows.len() as u64)
}
