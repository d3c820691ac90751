//! Jobs: one run on many machines. What was submitted, what each rank has made, and what it is doing.
//!
//! Holds always: what a job makes follows from its record and the run alone; what ranks say while they work is for
//! people, and nothing follows from it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ScoreSums, Sha256};

/// What starts the ranks of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobEngine {
    /// Slurm: a job array.
    Slurm,
    /// Ray: one task for each rank.
    Ray,
    /// Kubernetes: an indexed job.
    Kubernetes,
}

impl JobEngine {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Slurm => "slurm",
            Self::Ray => "ray",
            Self::Kubernetes => "kubernetes",
        }
    }
}

/// `job.toml`: what was submitted. It never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRecord {
    /// The program that wrote it.
    pub tool: String,
    /// What starts the ranks.
    pub engine: JobEngine,
    /// Into how many ranks the shards are cut, at least 1.
    pub ranks: usize,
    /// SHA-256 of the run's `spec.toml`.
    pub spec_sha256: Sha256,
    /// Hash of the record of the run's plan.
    pub plan_sha256: Sha256,
    /// Whether ranks may run on unlike devices, which round differently.
    pub mixed_devices: bool,
    /// How the scripts start the ranks.
    pub start: JobStart,
}

/// How a job's ranks are started: what its scripts say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobStart {
    /// The program, an absolute path or a name on the PATH.
    pub program: String,
    /// The run directory as the machines see it.
    pub run: String,
    /// Ranks that work at the same time; `None`: as many as the engine likes.
    pub slots: Option<usize>,
    /// Options of the program for every rank, such as `--device` and `--data-dir`.
    pub options: Vec<String>,
    /// Whether a rank works on GPUs, and on how many.
    pub gpus: usize,
    /// Kubernetes: the container image.
    pub image: Option<String>,
    /// Kubernetes: the claim of the volume that has the run; none if the run is in a bucket.
    pub claim: Option<String>,
    /// Options of the engine: of Slurm those of sbatch.
    pub engine_options: Vec<String>,
}

/// What a rank has made: the hashes of the records of its shards, and what a mining needs of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RankShards {
    /// Its first shard.
    pub first: usize,
    /// One for each of its shards, in order.
    pub shards: Vec<RankShard>,
    /// One for each surrogate and target of the mining, in the order of the spec.
    pub scorers: Vec<RankScorer>,
    /// Figures of its part of the mining.
    pub selected: MinedCounts,
}

/// The records of one shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RankShard {
    /// Hash of the record of its images.
    pub images: Sha256,
    /// Hashes of the records of its predictions, in the order of the spec.
    pub predictions: Vec<Sha256>,
    /// Its rows in the rank's part of the mined table.
    pub mined: usize,
}

/// One scorer on the shards of a rank.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RankScorer {
    /// Images that it has scored.
    pub scored: u64,
    /// Its sums.
    pub sums: ScoreSums,
}

/// Figures of a mining, or of a part of one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MinedCounts {
    /// Items that all surrogates scored.
    pub items: u64,
    /// Hard items.
    pub hard: u64,
    /// Items with a near tie.
    pub near_ties: u64,
    /// Items by how many surrogates fail on them, from 0 to all.
    pub histogram: Vec<u64>,
}

/// What a rank was doing when it last said so. For people alone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LiveRecord {
    /// The machine.
    pub host: String,
    /// The process.
    pub process: u32,
    /// Its devices.
    pub device: String,
    /// What the engine calls it, such as `slurm 4711_17`.
    pub engine: String,
    /// When this was written, in seconds since 1970 by the clock of the machine.
    pub at: u64,
    /// When the process started.
    pub started: u64,
    /// The shard in hand.
    pub shard: Option<usize>,
    /// Shards that are done.
    pub done: usize,
    /// All shards of the rank.
    pub shards: usize,
    /// Images worked on since it started.
    pub images: u64,
    /// Starts that had a shard in hand and did not end it, by shard.
    pub starts: BTreeMap<usize, u32>,
    /// Shards that were left out, because they had been in hand at too many starts.
    pub left_out: Vec<usize>,
    /// Whether the process has ended by itself, and how.
    pub ended: Option<String>,
}

impl MinedCounts {
    /// No items, of a mining with `surrogates` that vote.
    pub fn none(surrogates: usize) -> Self {
        Self { histogram: vec![0; surrogates + 1], ..Self::default() }
    }

    /// Adds those of another part of the same mining.
    pub fn add(&mut self, other: &Self) {
        self.items += other.items;
        self.hard += other.hard;
        self.near_ties += other.near_ties;
        self.histogram.iter_mut().zip(&other.histogram).for_each(|(sum, items)| *sum += items);
    }
}

impl LiveRecord {
    /// Images a second since it started; `None` if nothing was done yet.
    pub fn images_per_sec(&self) -> Option<f64> {
        let seconds = self.at.saturating_sub(self.started);
        (self.images > 0 && seconds > 0).then(|| self.images as f64 / seconds as f64)
    }
}

impl fmt::Display for JobEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
