//! Why a model cannot be looked at, or its readings cannot be tried.

use crate::assets::AssetError;
use crate::config::ConfigError;
use crate::scorer::ScorerError;
use crate::source::SourceError;
use crate::stage::prepare::PrepareError;
use crate::store::StoreError;
use crate::work::WorkError;

/// Why there is no draft.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// A file beside the model is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// ONNX Runtime is missing or cannot be used.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// The graph cannot be loaded or called.
    #[error(transparent)]
    Scorer(#[from] ScorerError),
    /// The photographs have no labels.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The hub does not give the model.
    #[error(transparent)]
    Asset(#[from] AssetError),
    /// The draft cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The work was stopped.
    #[error(transparent)]
    Work(#[from] WorkError),
    /// There is no such model.
    #[error("there is no {model}; name an ONNX file, a folder that has one, or a model on the hub as owner/name")]
    NoSuch {
        /// As it was asked for.
        model: String,
    },
    /// A folder without a graph.
    #[error(
        "{folder} has no ONNX file, neither in it nor in onnx/; export the model, for example with optimum or timm"
    )]
    NoGraph {
        /// The folder.
        folder: String,
    },
    /// A folder with several graphs.
    #[error("{folder} has several ONNX files ({files}); name one of them")]
    Several {
        /// The folder.
        folder: String,
        /// Their names.
        files: String,
    },
    /// The graph takes no pictures.
    #[error("{file} is no model of pictures: {problem}")]
    NoPictures {
        /// The graph.
        file: String,
        /// What it takes or gives.
        problem: String,
    },
    /// The readings cannot be tried.
    #[error("--try {folder}: {problem}")]
    CannotTry {
        /// The folder of photographs.
        folder: String,
        /// Why not, and what to do.
        problem: String,
    },
    /// The file for the draft is already there.
    #[error("{path} is already there, and a draft replaces nothing; name another file with --out")]
    Exists {
        /// The file.
        path: String,
    },
}
