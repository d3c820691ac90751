//! The votes of one shard, aligned and judged by the mining's rule.
//!
//! Holds always: an item that some surrogate has not scored is not judged, because the rule counts failures of all.

use super::{Pool, PoolError};
use crate::stats::{ItemResult, SurrogateVotes, align, judge};
use crate::table::ImagePaths;
use crate::table::predictions_table::{self, Votes};

/// One shard as a mining sees it.
pub struct JudgedShard {
    /// Its images.
    pub images: ImagePaths,
    /// The aligned votes, one per selected surrogate; top classes as [`super::Classes`] compares them.
    pub votes: Vec<SurrogateVotes>,
    /// Whether each item is hard, and why; one per item of `votes`.
    pub judged: Vec<ItemResult>,
}

impl Pool<'_> {
    /// Reads and judges shard `shard`.
    pub fn judge(&self, shard: usize) -> Result<JudgedShard, PoolError> {
        let select = &self.spec.mine.select;
        let images = self.image_paths(shard)?;
        let ids = images.item_ids()?;
        let mut votes = Vec::with_capacity(select.surrogates.len());
        for name in &select.surrogates {
            let mut of_one = predictions_table::read_votes(&self.predictions_file(name, shard)?, select, &ids)?;
            self.classes.comparable(&self.space(name)?.name, &mut of_one.top1_id);
            votes.push(columns(of_one));
        }
        align(&mut votes);
        let judged = judge(&votes, select);
        Ok(JudgedShard { images, votes, judged })
    }
}

fn columns(votes: Votes) -> SurrogateVotes {
    let Votes { item_id, top1_id, correct, true_prob, margin } = votes;
    SurrogateVotes { item_id, correct, top1_id, true_prob, margin }
}
