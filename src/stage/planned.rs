//! The plan of a run as later stages see it: its size from the record, its rows only when they are needed.
//!
//! Re-mining ten million items needs no row of the plan but those columns that `select` repeats.

use std::ops::Range;

use super::shards::ranges;
use super::{Context, StageError};
use crate::domain::{PlanRow, RunSpec};
use crate::store::ShardRecord;
use crate::table::PlanTable;

/// A plan whose table is read at the first use.
pub struct Planned<'a> {
    ctx: &'a Context<'a>,
    /// Its record.
    pub record: ShardRecord,
    /// Places of each shard's rows.
    pub ranges: Vec<Range<usize>>,
    table: Option<PlanTable>,
}

impl<'a> Planned<'a> {
    /// The plan of the run, which must be there.
    pub fn open(ctx: &'a Context<'a>, spec: &RunSpec) -> Result<Self, StageError> {
        let record = ctx.run.plan().record().ok_or_else(|| StageError::NotReady {
            run: ctx.run.path().display().to_string(),
            missing: "it has no plan".to_owned(),
        })?;
        let ranges = ranges(record.rows.kept as usize, spec.shard_items);
        Ok(Self { ctx, record, ranges, table: None })
    }

    /// The rows of shard `shard`.
    pub fn rows(&mut self, shard: usize) -> Result<Vec<PlanRow>, StageError> {
        if self.table.is_none() {
            self.table = Some(PlanTable::read(&self.ctx.run.plan().file("parquet"))?);
        }
        Ok(match &self.table {
            Some(table) => table.rows(self.ranges[shard].clone())?,
            None => Vec::new(),
        })
    }
}
