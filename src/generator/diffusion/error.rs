//! Why a diffusion model cannot be used.

use super::engine::{EngineError, NetworkError};
use super::model::ModelError;
use super::sampler::SamplerError;
use crate::onnx::RuntimeError;

/// Why a model cannot make images.
#[derive(Debug, thiserror::Error)]
pub enum DiffusionError {
    /// Its files are not what they should be.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// It cannot be loaded.
    #[error(transparent)]
    Network(NetworkError),
    /// Its scheduler, or the recipe's, cannot be used.
    #[error(transparent)]
    Sampler(#[from] SamplerError),
    /// It cannot make images of this size.
    #[error("the model cannot make images of {width_px} x {height_px} px; sides must be multiples of {step_px} px")]
    Size {
        /// What the recipe asks for.
        width_px: u32,
        /// What the recipe asks for.
        height_px: u32,
        /// What sides must be multiples of.
        step_px: u32,
    },
    /// ONNX Runtime cannot use the device.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// ONNX Runtime is wanted, and this machine has none.
    #[error("--engine ort needs ONNX Runtime, and there is none here; pip install onnxruntime, or set ORT_DYLIB_PATH")]
    NoRuntime,
    /// candle is wanted, or there is no other engine, and this build has no candle.
    #[error("this hardset was built without candle; build it with --features candle, or leave out --engine candle")]
    NoCandle,
    /// It stopped working.
    #[error("the diffusion model failed: {0}")]
    Engine(#[from] EngineError),
    /// The reference to compare with cannot be read.
    #[error("{file}: {problem}")]
    Reference {
        /// The file.
        file: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl DiffusionError {
    /// Whether the engine stopped working, which no input explains.
    pub fn is_unexpected(&self) -> bool {
        matches!(self, Self::Engine(_))
    }

    /// Whether a file or a device is missing.
    pub fn is_missing(&self) -> bool {
        matches!(
            self,
            Self::Model(ModelError::Read { .. } | ModelError::NoWeights { .. })
                | Self::Network(NetworkError::Device { .. })
                | Self::Runtime(_)
                | Self::NoRuntime
                | Self::NoCandle
        )
    }
}

impl From<NetworkError> for DiffusionError {
    fn from(error: NetworkError) -> Self {
        match error {
            NetworkError::Model(error) => Self::Model(error),
            other => Self::Network(other),
        }
    }
}
