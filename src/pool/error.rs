//! Why a run cannot be read.
//!
//! Every message about a missing step names the run and the command to run, because readers of a pool cannot know it.

use crate::source::SourceError;
use crate::store::StoreError;
use crate::table::TableError;
use crate::work::WorkError;

/// Why a run cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// A file of the run cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A table cannot be read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The source of images cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The work was stopped.
    #[error(transparent)]
    Work(#[from] WorkError),
    /// The spec names a class space and does not have it.
    #[error("{run}/spec.toml: a surrogate speaks over the classes of `{space}`, which `mine.spaces` does not list")]
    NoSpace {
        /// The run directory.
        run: String,
        /// The space.
        space: String,
    },
    /// An earlier stage is not done.
    #[error("{run} is not ready for this: {missing}; run `hardset build` first")]
    NotReady {
        /// The run directory.
        run: String,
        /// What is missing.
        missing: String,
    },
}
