//! Why a run cannot have what it needs.

use crate::assets::AssetError;
use crate::config::ConfigError;
use crate::generator::GeneratorError;
use crate::onnx::RuntimeError;
use crate::store::StoreError;
use crate::work::WorkError;

/// Why a run cannot have what it needs.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// A TOML file is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A file of the run cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The work was stopped.
    #[error(transparent)]
    Work(#[from] WorkError),
    /// An external file cannot be had.
    #[error(transparent)]
    Asset(#[from] AssetError),
    /// A surrogate's weights cannot be had.
    #[error("surrogate `{name}`: {source}")]
    Weights {
        /// The surrogate.
        name: String,
        /// The cause.
        source: Box<AssetError>,
    },
    /// The source of images cannot be used.
    #[error(transparent)]
    Generator(#[from] GeneratorError),
    /// ONNX Runtime or a device cannot be used.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// A target must not vote.
    #[error(
        "the surrogate `{voter}` is the same model as the target `{target}`, and a target must not vote; leave it out \
         of the surrogates, or take `{target}` out of mine.targets"
    )]
    TargetVotes {
        /// The target.
        target: String,
        /// Its name as a surrogate.
        voter: String,
    },
    /// The run directory holds another recipe's pool.
    #[error("{run} holds another pool: {difference}; give this one a directory of its own with --run-dir")]
    OtherPool {
        /// The run directory.
        run: String,
        /// What differs.
        difference: String,
    },
    /// The model of a run is not the one that it was planned with.
    #[error(
        "{file} is not what it was when {run} was planned; restore it, or make a new run with the changed model in \
         another --run-dir"
    )]
    OtherModel {
        /// The run directory.
        run: String,
        /// The first file that differs.
        file: String,
    },
    /// Images that are there were made by another engine than the one asked for.
    #[error(
        "{run} has images made with --engine {made_by}, but {wanted} is asked for; leave --engine out to go on, or \
         make another run with --run-dir"
    )]
    OtherEngine {
        /// The run.
        run: String,
        /// What made them.
        made_by: &'static str,
        /// What is asked for.
        wanted: &'static str,
    },
    /// Images that are there were made on another kind of device than the one asked for.
    #[error(
        "{run} has images made on {made_on}, but --device {wanted} is asked for; leave --device out to go on where \
         they were made, or make another run with --run-dir"
    )]
    OtherMaker {
        /// The run.
        run: String,
        /// `cpu` or `cuda`.
        made_on: String,
        /// What is asked for.
        wanted: String,
    },
}
