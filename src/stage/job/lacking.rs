//! Which ranks of a job are not through: by their records, and by whether the shards that these vouch for are there.
//!
//! Holds always: asks by listings, because a distributed file system may deny a name that somebody asked for too early;
//! a rank whose shards were removed afterwards lacks again.

use std::collections::BTreeSet;
use std::iter::once;

use super::JobError;
use crate::domain::{JobRecord, RunSpec, Sha256};
use crate::pool::{planned_shards, rank_key};
use crate::stage::mine::Followed;
use crate::store::{Check, JobDir, RunDir, UnitState, side_by_side};
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
    let ranks: Vec<usize> = (0..record.ranks).collect();
    let are_through = side_by_side(&ranks, |&rank| -> Result<bool, JobError> {
        ctx.check_stop()?;
        let has_shards = gone.range(stretch(shards, rank, record.ranks)).next().is_none();
        Ok(recorded.contains(&rank)
            && has_shards
            && matches!(job.rank(rank).state(rank_key(record, rank), Check::Sizes)?, UnitState::Done(_)))
    });
    let mut lacking = Vec::new();
    for (rank, is_through) in are_through.into_iter().enumerate() {
        if !is_through? {
            lacking.push(rank);
        }
    }
    Ok(lacking)
}

/// The ranks with a shard that is not the one any more that the rank's record vouches for: it was made again since then
/// and became another one, or a file of it is not there. Reads the record of each shard. `followed`: what the ranks
/// vouch for.
pub fn changed(ctx: &Context, spec: &RunSpec, ranks: usize, followed: &Followed) -> Result<BTreeSet<usize>, JobError> {
    let shards = followed.images.len();
    let scorers = spec.scored();
    let names = once(None).chain(scorers.iter().map(|scorer| Some(scorer.name.as_str())));
    let hashes = once(&followed.images).chain(followed.predictions.iter().map(|scorer| &scorer.records));
    let outputs: Vec<(Option<&str>, &Vec<Sha256>)> = names.zip(hashes).collect();
    let folders: Vec<_> =
        outputs.iter().flat_map(|output| RunDir::shard_folders(shards).map(move |folder| (output, folder))).collect();
    let found = side_by_side(&folders, |((name, hashes), (folder, shards))| -> Result<Vec<usize>, JobError> {
        ctx.check_stop()?;
        let held = match name {
            None => ctx.run.held_images(*folder)?,
            Some(name) => ctx.run.held_predictions(name, *folder)?,
        };
        Ok(shards.clone().filter(|shard| held.get(shard) != Some(&hashes[*shard])).collect())
    });
    let mut changed = BTreeSet::new();
    for found in found {
        changed.extend(found?);
    }
    let has_one = |rank: &usize| changed.range(stretch(shards, *rank, ranks)).next().is_some();
    Ok((0..ranks).filter(has_one).collect())
}
