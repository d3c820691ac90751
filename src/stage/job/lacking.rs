//! Which ranks of a job are not through: by their records, and by whether the shards that these vouch for are there.
//!
//! Holds always: asks by listings, because a distributed file system may deny a name that somebody asked for too early;
//! a rank whose shards were removed afterwards lacks again.

use std::collections::BTreeSet;

use super::JobError;
use crate::domain::JobRecord;
use crate::pool::{planned_shards, rank_key};
use crate::store::{Check, JobDir, UnitState};
use crate::work::{Context, stretch};

/// The ranks that lack, ascending.
pub fn lacking(ctx: &Context, job: &JobDir, record: &JobRecord) -> Result<Vec<usize>, JobError> {
    let spec = ctx.run.spec()?;
    let shards = planned_shards(&ctx.run, &spec)?;
    let mut gone: BTreeSet<usize> = ctx.run.unrecorded_images(shards)?;
    for scorer in spec.scored() {
        gone.append(&mut ctx.run.unrecorded_predictions(&scorer.name, shards)?);
    }
    let recorded = job.recorded()?;
    let mut lacking = Vec::new();
    for rank in 0..record.ranks {
        ctx.check_stop()?;
        let stretch = stretch(shards, rank, record.ranks);
        let is_through = recorded.contains(&rank)
            && gone.range(stretch).next().is_none()
            && matches!(job.rank(rank).state(rank_key(record, rank), Check::Sizes)?, UnitState::Done(_));
        if !is_through {
            lacking.push(rank);
        }
    }
    Ok(lacking)
}
