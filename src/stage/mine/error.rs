//! Why a mining stops. What costs one image only is not an error: it is a row in `dropped.parquet`.

use crate::config::ConfigError;
use crate::imported::ImportError;
use crate::pool::PoolError;
use crate::scorer::ScorerError;
use crate::stage::prepare::PrepareError;
use crate::store::StoreError;
use crate::table::TableError;
use crate::work::WorkError;

/// Why a mining stops.
#[derive(Debug, thiserror::Error)]
pub enum MineError {
    /// The recipe is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Something that the run needs is missing or wrong.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// The run cannot be read.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// A scorer cannot be used.
    #[error(transparent)]
    Scorer(#[from] ScorerError),
    /// A file of predictions cannot be read.
    #[error("surrogate `{name}`: {source}")]
    Import {
        /// The surrogate.
        name: String,
        /// The cause.
        source: ImportError,
    },
    /// No row of a file of predictions can be used.
    #[error(
        "surrogate `{name}`: no row of {file} can be used ({reason}); the file, or what the TOML says of it, is wrong"
    )]
    NoRowFits {
        /// The surrogate.
        name: String,
        /// The file.
        file: String,
        /// The reason for one of them.
        reason: String,
    },
    /// A file of predictions has no row for any image.
    #[error(
        "surrogate `{name}`: no row of {file} is of an image of this run; the first one names {key}, and `{wanted}` \
         would be one: {remedy}"
    )]
    NoRowMatches {
        /// The surrogate.
        name: String,
        /// The file.
        file: String,
        /// What its first row names.
        key: String,
        /// What would be right.
        wanted: String,
        /// What to write.
        remedy: &'static str,
    },
    /// A table cannot be read or written.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A file of the run cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The work was stopped.
    #[error(transparent)]
    Work(#[from] WorkError),
    /// The predictions of the run were made on another kind of device than the requested one.
    #[error(
        "surrogate `{name}` has predictions made on {made_on}, but --device {wanted} is requested; leave --device out \
         to use them, or delete {folder} to make them again"
    )]
    OtherDevice {
        /// The surrogate.
        name: String,
        /// Where they were made.
        made_on: String,
        /// The requested device.
        wanted: String,
        /// Their folder.
        folder: String,
    },
    /// Every image of a shard failed for one surrogate.
    #[error(
        "surrogate `{name}` failed on every image of shard {shard} ({reason}); its weights or preprocessing are wrong"
    )]
    AllFailed {
        /// The surrogate.
        name: String,
        /// The shard.
        shard: usize,
        /// The reason for the first image.
        reason: String,
    },
}
