//! `dropped.parquet`: everything that was lost on the way, once.

use super::planned::Planned;
use super::{Context, Scored, StageError, shards::Tally};
use crate::domain::RunSpec;
use crate::store::write_whole;
use crate::table::dropped_table;

/// Writes the table from the records of all stages; returns the number of its rows.
///
/// An image that no surrogate could read is lost to each of them for the same reason: one row.
pub fn write_dropped(ctx: &Context, spec: &RunSpec, images: &Tally, scored: &[Scored]) -> Result<u64, StageError> {
    let mut rows = Planned::open(ctx, spec)?.record.lost;
    let records = images.records.iter().chain(scored.iter().flat_map(|scored| &scored.tally.records));
    rows.extend(records.flat_map(|record| record.lost.iter().cloned()));
    rows.sort();
    rows.dedup();
    write_whole(&ctx.run.dropped(), &dropped_table::encode(&rows)?)?;
    Ok(rows.len() as u64)
}
