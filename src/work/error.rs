//! What can stop work on shards, whatever is made of them.

use crate::store::StoreError;

/// Why work on shards stopped.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// A file of the run cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Rows were lost without a trace: a bug.
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
    /// A process that did a part of the work ended badly; it has said why, unless a signal ended it.
    #[error(
        "the process for {device} stopped ({how}; a SIGKILL that nobody sent means that memory ran out); what is done \
         is kept: run the same command again to go on"
    )]
    Process {
        /// Its device.
        device: String,
        /// Exit status or signal.
        how: String,
        /// Its exit code, unless a signal ended it.
        code: Option<u8>,
    },
    /// A process could not be started or asked for its state.
    #[error("cannot {action}: {source}")]
    System {
        /// What was tried.
        action: String,
        /// The cause.
        source: std::io::Error,
    },
    /// The spec does not pass from one process to another.
    #[error("the recipe cannot be handed to a process: {0}; please report this bug")]
    Spec(String),
    /// No threads could be started.
    #[error("cannot start threads: {0}")]
    Threads(String),
    /// A signal came.
    #[error("stopped by a signal; what is done is kept: run the same command again to go on")]
    Interrupted,
}
