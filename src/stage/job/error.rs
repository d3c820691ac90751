//! Why a job cannot be submitted, worked on or finished.

use crate::pool::PoolError;
use crate::render::jobs::shell;
use crate::stage::generate::GenerateError;
use crate::stage::mine::MineError;
use crate::stage::prepare::PrepareError;
use crate::store::StoreError;
use crate::table::TableError;
use crate::work::{Context, WorkError};

/// Why a job cannot be submitted, worked on or finished.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// A file cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The run cannot be read.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// Something that the run needs is missing or wrong.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// Images cannot be made.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// Images cannot be scored, or hard ones not selected.
    #[error(transparent)]
    Mine(#[from] MineError),
    /// A table cannot be read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The work was stopped.
    #[error(transparent)]
    Work(#[from] WorkError),
    /// A job is asked for something that its engine or its run does not allow.
    #[error("{0}")]
    Ask(String),
    /// The rank is none of the job's.
    #[error("job {job} has the ranks 0 to {last}, and --rank {rank} is none of them")]
    NoSuchRank {
        /// The job.
        job: String,
        /// Its last rank.
        last: usize,
        /// What was asked for.
        rank: usize,
    },
    /// The recipe or the plan is not the one that was submitted.
    #[error(
        "the {what} of {run} is not the one of job {job}; submit the run again: \
         `hardset submit {run} --to {engine} --ranks {ranks}`"
    )]
    Changed {
        /// `recipe` or `plan`.
        what: &'static str,
        /// The run directory.
        run: String,
        /// The job.
        job: String,
        /// Its engine.
        engine: &'static str,
        /// Its ranks.
        ranks: usize,
    },
    /// Shards that ended too many processes were left out.
    #[error(
        "shard(s) {shards} of rank {rank} were left out, because {starts} processes each ended without a word while \
         they had it in hand; the rest of the rank is made. Look into the logs, then start the rank again with \
         `hardset submit {run} --missing`"
    )]
    LeftOut {
        /// The run directory.
        run: String,
        /// The rank.
        rank: usize,
        /// Their numbers.
        shards: String,
        /// How many starts are too many.
        starts: u32,
    },
    /// Some ranks are not through.
    #[error("job {job} of {run} is not through: {lacking}")]
    NotThrough {
        /// The run directory.
        run: String,
        /// The job.
        job: String,
        /// Which ranks, what they last said, and what to do.
        lacking: String,
    },
    /// Shards have changed since ranks have vouched for them.
    #[error(
        "shards of rank(s) {ranks} of job {job} are not those any more that the ranks' records vouch for: they were \
         made again since then, or a file of them was removed. These records were taken back; start the ranks again \
         with `hardset submit {run} --missing`"
    )]
    ShardsChanged {
        /// The run directory.
        run: String,
        /// The job.
        job: String,
        /// The ranks.
        ranks: String,
    },
    /// What a rank has made does not fit to the run.
    #[error(
        "{path} does not fit to the run: {problem}; delete it and start the rank again: \
         `hardset submit {run} --missing`"
    )]
    RankDamaged {
        /// The record of the rank.
        path: String,
        /// What is wrong.
        problem: String,
        /// The run directory.
        run: String,
    },
    /// The scripts were written and could not be started.
    #[error("{script} ended with {how}; what it has started goes on. Read it, mend it, and start it by hand")]
    NotStarted {
        /// The script.
        script: String,
        /// Its exit status.
        how: String,
    },
}

/// The run directory, as a word of the commands that messages give.
pub(super) fn run_in_commands(ctx: &Context) -> String {
    shell(&ctx.run_name())
}
