//! What the predictions of one shard look like together: small sums, so that whoever reads records can notice a scorer
//! that is declared wrongly.
//!
//! Holds always: sums of shards add up to that of the pool, up to classes that are rare in a shard.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Sums over the predictions of one scorer in one label space, `any-of-ids`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScoreSums {
    /// Images.
    pub scored: u64,
    /// Images whose top class is accepted.
    pub right: u64,
    /// Accepted classes of all images together: a scorer that guesses is right on this many divided by the number of
    /// classes.
    pub accepted: u64,
    /// Images whose scores, declared as logits, all seem to lie between 0 and 1.
    pub like_probabilities: u64,
    /// Classes that are the top class of at least a twentieth of a shard's images.
    pub common: BTreeMap<u32, CommonClass>,
}

/// A class that a scorer often gives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommonClass {
    /// Images whose top class it is.
    pub given: u64,
    /// Images for which it is accepted.
    pub accepted: u64,
}

impl ScoreSums {
    /// Adds another shard's.
    pub fn add(&mut self, other: &Self) {
        self.scored += other.scored;
        self.right += other.right;
        self.accepted += other.accepted;
        self.like_probabilities += other.like_probabilities;
        for (class, common) in &other.common {
            let sum = self.common.entry(*class).or_default();
            sum.given += common.given;
            sum.accepted += common.accepted;
        }
    }
}
