//! The plan of a run as later stages see it: cut into shards, read one shard at a time.

use std::ops::Range;

use super::shards::ranges;
use super::{Context, StageError};
use crate::domain::{PlanRow, RunSpec};
use crate::store::ShardRecord;
use crate::table::{PlanSlice, PlanTable};

/// A plan cut into shards.
pub struct Planned {
    /// Its record.
    pub record: ShardRecord,
    /// Places of each shard's rows.
    pub ranges: Vec<Range<usize>>,
    table: PlanTable,
}

impl Planned {
    /// The plan of the run, which must be there.
    pub fn open(ctx: &Context, spec: &RunSpec) -> Result<Self, StageError> {
        let record = ctx.run.plan().record().ok_or_else(|| StageError::NotReady {
            run: ctx.run.path().display().to_string(),
            missing: "it has no plan".to_owned(),
        })?;
        let ranges = ranges(record.rows.kept as usize, spec.shard_items);
        let table = PlanTable::open(&ctx.run.plan().file("parquet"))?;
        Ok(Self { record, ranges, table })
    }

    /// The rows of shard `shard`.
    pub fn rows(&self, shard: usize) -> Result<Vec<PlanRow>, StageError> {
        Ok(self.table.rows(self.ranges[shard].clone())?)
    }

    /// The rows of some shards that follow each other, as far as a mining repeats them: one slice per shard.
    pub fn slices(&self, shards: &[usize]) -> Result<Vec<PlanSlice>, StageError> {
        let (Some(&first), Some(&last)) = (shards.first(), shards.last()) else { return Ok(Vec::new()) };
        let start = self.ranges[first].start;
        let all = self.table.slice(start..self.ranges[last].end)?;
        let part = |&shard: &usize| all.part(self.ranges[shard].start - start..self.ranges[shard].end - start);
        Ok(shards.iter().map(part).collect())
    }

    /// The columns of no rows.
    pub fn nothing(&self) -> Result<PlanSlice, StageError> {
        Ok(self.table.slice(0..0)?)
    }
}
