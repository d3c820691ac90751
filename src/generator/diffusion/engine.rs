//! The seam between sampling and whatever runs the networks: plain arrays of f32, no tensor library.

use super::model::ModelError;
use crate::domain::{Device, Precision};

/// Numbers with a shape, row-major.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Array {
    /// Sizes of its axes.
    pub shape: Vec<usize>,
    /// As many as the sizes' product.
    pub data: Vec<f32>,
}

impl Array {
    /// `data` in `shape`, whose product its length must be.
    pub fn new(shape: impl Into<Vec<usize>>, data: Vec<f32>) -> Self {
        let shape = shape.into();
        assert_eq!(shape.iter().product::<usize>(), data.len(), "an array's numbers fill its shape");
        Self { shape, data }
    }

    /// Entries along the first axis.
    pub fn len(&self) -> usize {
        self.shape[0]
    }

    /// Numbers of one entry along the first axis.
    pub fn stride(&self) -> usize {
        self.shape[1..].iter().product()
    }

    /// Entry `at` along the first axis.
    pub fn entry(&self, at: usize) -> &[f32] {
        &self.data[at * self.stride()..][..self.stride()]
    }

    /// Entries of one shape, one after the other.
    pub fn stack<'a>(shape: &[usize], entries: impl IntoIterator<Item = &'a [f32]>) -> Self {
        let data: Vec<f32> = entries.into_iter().flatten().copied().collect();
        let count = data.len() / shape.iter().product::<usize>().max(1);
        Self::new([&[count], shape].concat(), data)
    }
}

/// Why an engine could not do something.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The device has not enough memory for the batch.
    #[error("out of memory")]
    OutOfMemory,
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

impl EngineError {
    /// What a library's message means.
    pub fn from_text(text: &str) -> Self {
        let lacks = ["OUT_OF_MEMORY", "out of memory", "ALLOC_FAILED", "Failed to allocate memory"];
        match lacks.iter().any(|lack| text.contains(lack)) {
            true => Self::OutOfMemory,
            // Further lines are a trace of the library's own functions.
            false => Self::Failed(text.lines().next().unwrap_or_default().to_owned()),
        }
    }
}

/// What networks are loaded for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Work {
    /// The CPU or one GPU.
    pub device: Device,
    /// What the networks compute in; not `auto`.
    pub precision: Precision,
    /// Images at a time, at most.
    pub images: usize,
    /// Whether the UNet is asked twice for each image.
    pub guided: bool,
    /// Rows of the latents.
    pub height: usize,
    /// Columns of the latents.
    pub width: usize,
}

/// Why the networks of a model cannot be loaded or run.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The model's files are not what they should be.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The device cannot be used.
    #[error("cannot use {device} for diffusion: {problem}")]
    Device {
        /// The device that was asked for.
        device: String,
        /// Why not.
        problem: String,
    },
    /// The engine says no.
    #[error("cannot load the model: {0}")]
    Engine(EngineError),
}

impl From<NetworkError> for EngineError {
    fn from(error: NetworkError) -> Self {
        match error {
            NetworkError::Engine(error) => error,
            other => Self::Failed(other.to_string()),
        }
    }
}

/// Runs the three networks of a model.
///
/// Holds always: an entry's numbers depend on that entry alone (on a CPU bit for bit). One thread may decode while another
/// denoises.
pub(super) trait Engine: Send + Sync {
    /// Token ids `[n][positions]` -> embeddings `[n, positions, width]`.
    fn encode(&self, tokens: &[Vec<u32>]) -> Result<Array, EngineError>;
    /// Latents `[n, c, h, w]` at `timestep` (0 to 1000) and embeddings `[n, positions, width]` -> the UNet's answer, as the
    /// latents.
    fn denoise(&self, latents: &Array, timestep: f32, embeddings: &Array) -> Result<Array, EngineError>;
    /// Latents `[n, c, h, w]` -> pictures `[n, 3, h', w']`, about -1 to 1.
    fn decode(&self, latents: &Array) -> Result<Array, EngineError>;
}
