//! The number of shards that a run has planned.

use crate::domain::RunSpec;
use crate::pool::shard_ranges;
use crate::work::Context;

/// Shards of the plan; 0 without a plan.
pub(super) fn planned_shards(ctx: &Context, spec: &RunSpec) -> usize {
    let planned = ctx.run.plan().record().map_or(0, |record| record.rows.kept as usize);
    shard_ranges(planned, spec.shard_items).len()
}
