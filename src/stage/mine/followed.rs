//! What a mining follows from: the hashes of the records of all images and predictions, and what these records lost.
//!
//! Holds always: hashes stand in the order of shards, and of the scorers of the spec, because keys are made of them.

use super::Scored;
use crate::domain::{DropRow, Sha256};
use crate::store::ShardRecord;

/// Everything that a mining follows from, but the plan.
#[derive(Debug, Clone, Default)]
pub struct Followed {
    /// Of the images, one for each shard.
    pub images: Vec<Sha256>,
    /// Of the predictions, for each surrogate and target.
    pub predictions: Vec<OfScorer>,
    /// What the records of all of them list as lost.
    pub lost: Vec<DropRow>,
}

/// The predictions of one scorer.
#[derive(Debug, Clone, Default)]
pub struct OfScorer {
    /// Whether it is a target, which does not vote.
    pub is_target: bool,
    /// One for each shard.
    pub records: Vec<Sha256>,
}

impl Followed {
    /// That of these records.
    pub fn of(images: &[ShardRecord], scored: &[Scored]) -> Self {
        let mut followed = Self { images: hashes(images), ..Self::default() };
        followed.lost.extend(images.iter().flat_map(|record| record.lost.iter().cloned()));
        for scored in scored {
            let records = &scored.records.records;
            followed.predictions.push(OfScorer { is_target: scored.is_target, records: hashes(records) });
            followed.lost.extend(records.iter().flat_map(|record| record.lost.iter().cloned()));
        }
        followed
    }

    /// Of the predictions that count for the mining, those of one voter after another.
    pub fn votes(&self) -> Vec<Sha256> {
        let voters = self.predictions.iter().filter(|scorer| !scorer.is_target);
        voters.flat_map(|scorer| scorer.records.iter().copied()).collect()
    }

    /// Of all records that can have lost an item, but the plan.
    pub fn all(&self) -> impl Iterator<Item = Sha256> {
        let predictions = self.predictions.iter().flat_map(|scorer| scorer.records.iter().copied());
        self.images.iter().copied().chain(predictions)
    }
}

fn hashes(records: &[ShardRecord]) -> Vec<Sha256> {
    records.iter().map(ShardRecord::hash).collect()
}
