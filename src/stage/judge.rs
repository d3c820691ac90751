//! Reads the votes of one shard and judges them, and the hard items of the current mining: what several stages share.

use std::path::PathBuf;

use super::{Context, StageError};
use crate::domain::{RunSpec, SelectSpec};
use crate::stats::{Judged, VoteColumns, align, judge};
use crate::table::predictions_table::{self, Votes};
use crate::table::{HardRow, ImagePaths, images_table, read_hard};

/// One shard as a mining sees it.
pub struct JudgedShard {
    /// Its images.
    pub images: ImagePaths,
    /// The aligned votes, one per selected surrogate.
    pub votes: Vec<VoteColumns>,
    /// The verdicts, one per item of `votes`.
    pub judged: Vec<Judged>,
}

/// Reads and judges shard `shard`.
pub fn judge_shard(ctx: &Context, select: &SelectSpec, shard: usize) -> Result<JudgedShard, StageError> {
    let images = images_table::read_paths(&ctx.run.images(shard).file("parquet"))?;
    let ids = images.item_ids()?;
    let read = |name: &String| -> Result<VoteColumns, StageError> {
        Ok(columns(predictions_table::read_votes(&predictions_of(ctx, name, shard)?, select, &ids)?))
    };
    let mut votes = select.surrogates.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    align(&mut votes);
    let judged = judge(&votes, select);
    Ok(JudgedShard { images, votes, judged })
}

fn columns(votes: Votes) -> VoteColumns {
    let Votes { item_id, top1_id, correct, true_prob, margin } = votes;
    VoteColumns { item_id, correct, top1_id, true_prob, margin }
}

/// The hard items of the current mining, which must be made.
pub fn read_mining(ctx: &Context, spec: &RunSpec) -> Result<Vec<HardRow>, StageError> {
    let mined = ctx.run.mined(&spec.mining_id());
    match mined.is_file() {
        true => Ok(read_hard(&mined)?),
        false => Err(not_ready(ctx, "its mining is not made yet".to_owned())),
    }
}

/// The predictions of `name` for shard `shard`, which must be made.
pub fn predictions_of(ctx: &Context, name: &str, shard: usize) -> Result<PathBuf, StageError> {
    let path = ctx.run.predictions(name, shard).file("parquet");
    match path.is_file() {
        true => Ok(path),
        false => Err(not_ready(ctx, format!("predictions of {name} for shard {shard} are not there"))),
    }
}

fn not_ready(ctx: &Context, missing: String) -> StageError {
    StageError::NotReady { run: ctx.run.path().display().to_string(), missing }
}
