//! The plan of a run: cut into shards, read one shard at a time, because memory must not grow with the pool.

use std::ops::Range;

use super::{PoolError, plan_key};
use crate::domain::{PlanRow, RunSpec};
use crate::source::{Rows, source};
use crate::store::{RunDir, ShardRecord, StoreError};
use crate::table::{PlanSlice, PlanTable};
use crate::work::Context;
use crate::work::processes::WorkCount;

/// A plan cut into shards.
pub struct Plan {
    /// Its record.
    pub record: ShardRecord,
    /// Places of each shard's rows.
    pub ranges: Vec<Range<usize>>,
    rows: PlanRows,
}

/// Where the rows come from.
enum PlanRows {
    /// The plan's file.
    Table(PlanTable),
    /// The source, which knows each by its number.
    Source(Rows),
}

impl Plan {
    /// The plan of the run, which must exist.
    pub fn open(ctx: &Context, spec: &RunSpec) -> Result<Self, PoolError> {
        let record = Self::record(ctx, spec)?;
        let table = PlanTable::open(&ctx.run.plan().checked(&record, "parquet")?)?;
        Ok(Self::of(record, spec, PlanRows::Table(table)))
    }

    /// The same without the plan's file if the source knows its rows by number: of a hundred million items the file has
    /// gigabytes, and a thousand machines would read it.
    pub fn open_for_part(ctx: &Context, spec: &RunSpec) -> Result<Self, PoolError> {
        let Some(rows) = source(&spec.generate).by_number(&spec.categories, spec.seed)? else {
            return Self::open(ctx, spec);
        };
        let record = Self::record(ctx, spec)?;
        if rows.len() as u64 != record.rows.kept {
            return Err(ctx.run.plan().of_other_inputs().into());
        }
        Ok(Self::of(record, spec, PlanRows::Source(rows)))
    }

    fn of(record: ShardRecord, spec: &RunSpec, rows: PlanRows) -> Self {
        let ranges = shard_ranges(record.rows.kept as usize, spec.shard_items);
        Self { record, ranges, rows }
    }

    fn record(ctx: &Context, spec: &RunSpec) -> Result<ShardRecord, PoolError> {
        let unit = ctx.run.plan();
        let record = match unit.record()? {
            Some(record) => record,
            None if ctx.run.has_images() => unit.existing()?,
            None => return Err(PoolError::NotReady { run: ctx.run_name(), missing: "it has no plan".to_owned() }),
        };
        if record.key != plan_key(spec.seed, &spec.categories, &spec.generate) {
            return Err(unit.of_other_inputs().into());
        }
        Ok(record)
    }

    /// The rows of shard `shard`.
    pub fn rows(&self, shard: usize) -> Result<Vec<PlanRow>, PoolError> {
        let range = self.ranges[shard].clone();
        match &self.rows {
            PlanRows::Table(table) => Ok(table.rows(range)?),
            PlanRows::Source(rows) => Ok(rows.part(range)),
        }
    }

    /// The columns that a mining repeats, of consecutive shards: one slice per shard.
    pub fn slices(&self, shards: &[usize]) -> Result<Vec<PlanSlice>, PoolError> {
        let (Some(&first), Some(&last)) = (shards.first(), shards.last()) else { return Ok(Vec::new()) };
        let start = self.ranges[first].start;
        let all = self.slice(start..self.ranges[last].end)?;
        let part = |&shard: &usize| all.part(self.ranges[shard].start - start..self.ranges[shard].end - start);
        Ok(shards.iter().map(part).collect())
    }

    /// A slice without rows.
    pub fn nothing(&self) -> Result<PlanSlice, PoolError> {
        self.slice(0..0)
    }

    fn slice(&self, range: Range<usize>) -> Result<PlanSlice, PoolError> {
        match &self.rows {
            PlanRows::Table(table) => Ok(table.slice(range)?),
            PlanRows::Source(rows) => Ok(PlanSlice::of(&rows.part(range))?),
        }
    }
}

/// Places of each shard's rows in a plan of `rows` rows.
pub fn shard_ranges(rows: usize, shard_items: u32) -> Vec<Range<usize>> {
    let size = shard_items as usize;
    (0..rows.div_ceil(size)).map(|shard| shard * size..rows.min((shard + 1) * size)).collect()
}

/// Most row groups of a table of the whole pool: each takes some 40 kB of memory while it is written or opened.
const MOST_GROUPS: usize = 4096;

/// How many shards share a row group in a table of a pool of `shards` shards: one, unless there are very many.
pub fn shards_per_group(shards: usize) -> usize {
    shards.div_ceil(MOST_GROUPS).max(1)
}

/// Shards of the run's plan; 0 without a plan.
pub fn planned_shards(run: &RunDir, spec: &RunSpec) -> Result<usize, StoreError> {
    let planned = run.plan().record()?.map_or(0, |record| record.rows.kept as usize);
    Ok(shard_ranges(planned, spec.shard_items).len())
}

/// Items that have an image or were lost when it was made, of all planned items: by the records on disk.
pub fn generated(run: &RunDir, spec: &RunSpec) -> Result<WorkCount, StoreError> {
    let all = run.plan().record()?.map_or(0, |record| record.rows.kept);
    let mut done = 0;
    for shard in 0..planned_shards(run, spec)? {
        done += run.images(shard).record()?.map_or(0, |record| record.rows.given);
    }
    Ok(WorkCount { done, all })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_cover_the_plan_without_gap_or_overlap() {
        assert_eq!(shard_ranges(5, 2), [0..2, 2..4, 4..5]);
        assert_eq!(shard_ranges(4, 2), [0..2, 2..4]);
        assert!(shard_ranges(0, 2).is_empty());
        assert_eq!([0, 1, 4096, 4097, 97_657].map(shards_per_group), [1, 1, 1, 2, 24]);
    }
}
