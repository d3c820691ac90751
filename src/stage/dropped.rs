//! `dropped.parquet`: everything that was lost on the way, once.

use super::{Context, Scored, StageError, generate::plan_record, shards::Tally};
use crate::store::write_whole;
use crate::table::dropped_table;

/// Writes the table from the records of all stages; returns the number of its rows.
///
/// An image that no surrogate could read is lost to each of them for the same reason: one row.
pub fn write_dropped(ctx: &Context, images: &Tally, scored: &[Scored]) -> Result<u64, StageError> {
    let mut rows = plan_record(ctx)?.lost;
    let records = images.records.iter().chain(scored.iter().flat_map(|scored| &scored.tally.records));
    rows.extend(records.flat_map(|record| record.lost.iter().cloned()));
    rows.sort();
    rows.dedup();
    write_whole(&ctx.run.dropped(), &dropped_table::encode(&rows)?)?;
    Ok(rows.len() as u64)
}
