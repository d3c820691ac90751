//! The keys of a run's units: what each was made from (`docs/run-directory.md` lists the fields).
//!
//! Does not read files. Holds always: a unit with another key is made again, and `verify` computes the same keys, so
//! that a result of other inputs is found. Raise the version of a kind when the same inputs can give another result.

use std::ops::Range;

use crate::domain::{CategorySet, GenerateSpec, JobRecord, Key, RunSpec, Sha256, SurrogateSpec};
use crate::store::ShardRecord;

/// The key of the plan.
pub fn plan_key(seed: u64, categories: &CategorySet, generate: &GenerateSpec) -> Sha256 {
    Key::new("plan", 2)
        .field("seed", seed)
        .field("categories", categories.identity())
        .field("generate", generate.plan_identity())
        .finish()
}

/// The keys of a run's images and predictions. What all of them have in common is hashed once, because categories and
/// nuisances have thousands of values and a run may have 100,000 shards.
#[derive(Debug, Clone)]
pub struct UnitKeys<'a> {
    spec: &'a RunSpec,
    generate: Sha256,
    categories: Sha256,
}

impl<'a> UnitKeys<'a> {
    /// Those of the run with this recipe.
    pub fn of(spec: &'a RunSpec) -> Self {
        Self { spec, generate: spec.generate.identity(), categories: spec.categories.identity() }
    }

    /// The key of the images of the plan's rows at `rows`.
    pub fn images(&self, plan: &ShardRecord, rows: &Range<usize>) -> Sha256 {
        Key::new("images", 4)
            .field("plan", plan.hash())
            .field("generate", self.generate)
            .field("first", rows.start as u64)
            .field("end", rows.end as u64)
            .finish()
    }

    /// The key of the predictions of `surrogate` for the images of a shard.
    pub fn predictions(&self, images: &ShardRecord, surrogate: &SurrogateSpec) -> Sha256 {
        let mut key = Key::new("predictions", 2)
            .field("images", images.hash())
            .field("surrogate", surrogate.model.identity())
            .field("batch", self.spec.mine.batch_in_keys())
            .field("categories", self.categories);
        if self.spec.mine.keep_scores {
            key = key.field("scores", "kept");
        }
        // Predictions over ImageNet-1k, of which the categories say everything, keep the keys that they have.
        match self.spec.other_space(&surrogate.space) {
            Some(space) => key.field("space", space.identity()).finish(),
            None => key.finish(),
        }
    }
}

/// The key of a mining; `images` and `predictions`: the records of all shards, those of the voters one voter after
/// another.
pub fn mining_key(spec: &RunSpec, plan: &ShardRecord, images: &[Sha256], predictions: &[Sha256]) -> Sha256 {
    Key::new("mining", 1)
        .field("name", spec.mining_id())
        .field("plan", plan.hash())
        .field("images", images)
        .field("predictions", predictions)
        .finish()
}

/// The key of what rank `rank` of a job makes.
pub fn rank_key(job: &JobRecord, rank: usize) -> Sha256 {
    Key::new("rank", 1)
        .field("spec", job.spec_sha256)
        .field("plan", job.plan_sha256)
        .field("ranks", job.ranks as u64)
        .field("rank", rank as u64)
        .finish()
}

/// The key of the table of lost items; `records`: all records whose losses it has.
pub fn dropped_key(records: &[Sha256]) -> Sha256 {
    Key::new("dropped", 1).field("records", records).finish()
}
