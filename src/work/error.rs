//! What can stop the work on shards, in any verb.
//!
//! Holds always: a stop by a signal and a process that ended say that the same command continues, because finished work
//! is kept.

use crate::store::StoreError;

/// Why work on shards stopped.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// A file of the run cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Rows were lost without a reason, which is a bug.
    #[error("{stage}, shard {shard}: {given} rows went in, but {accounted} came out; please report this bug")]
    Accounting {
        /// The stage.
        stage: &'static str,
        /// The shard.
        shard: usize,
        /// Rows given.
        given: u64,
        /// Rows kept, dropped or failed.
        accounted: u64,
    },
    /// A process that did a part of the work failed; it has printed why, unless a signal ended it.
    #[error(
        "the process for {device} stopped ({how}; an unexpected SIGKILL means that memory ran out); finished \
         work is kept: run the same command again to continue"
    )]
    Process {
        /// Its device.
        device: String,
        /// Exit status or signal.
        how: String,
        /// Its exit code, unless a signal ended it.
        code: Option<u8>,
    },
    /// Something else makes results than what made the first ones of the job.
    #[error(
        "the results in {output} come from other means than the first ones of this job ({found} here, {pinned} there), \
         which round differently; start the ranks on machines of one kind, or submit with --mixed-devices, which gives \
         up that the same run has the same bytes"
    )]
    OtherMaker {
        /// The folder of the results.
        output: String,
        /// What made the first ones.
        pinned: String,
        /// What would make these.
        found: String,
    },
    /// A process could not be started or observed.
    #[error("cannot {action}: {source}")]
    System {
        /// What was tried.
        action: String,
        /// The cause.
        source: std::io::Error,
    },
    /// The spec could not be passed to another process.
    #[error("the recipe cannot be handed to a process: {0}; please report this bug")]
    Spec(String),
    /// No threads could be started.
    #[error("cannot start threads: {0}")]
    Threads(String),
    /// A signal came.
    #[error("stopped by a signal; finished work is kept: run the same command again to continue")]
    Interrupted,
}
