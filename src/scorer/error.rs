//! Why a surrogate cannot score. Every message names the surrogate.

use crate::onnx::RuntimeError;

/// Why a surrogate cannot score.
#[derive(Debug, thiserror::Error)]
pub enum ScorerError {
    /// The runtime cannot be used.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The file is not a model that the runtime can load.
    #[error("surrogate `{name}`: {file} cannot be loaded: {problem}")]
    Load {
        /// The surrogate.
        name: String,
        /// Its weights.
        file: String,
        /// The cause.
        problem: String,
    },
    /// The model is not what the recipe says.
    #[error("surrogate `{name}`: {problem}")]
    Mismatch {
        /// The surrogate.
        name: String,
        /// What differs and what to write.
        problem: String,
    },
    /// There is no model: another program has made the predictions.
    #[error("surrogate `{name}` has predictions of another program, and no model that could score")]
    Imported {
        /// The surrogate.
        name: String,
    },
    /// A call of the model failed.
    #[error("surrogate `{name}` failed while scoring: {problem}")]
    Run {
        /// The surrogate.
        name: String,
        /// The cause.
        problem: String,
    },
}
