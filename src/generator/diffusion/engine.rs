//! The interface between sampling and the engines that run the networks: plain arrays of f32, no tensor library.

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
    /// `data` in `shape`; its length must be the product of the sizes.
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

/// Words of CUDA and cuBLAS (`CUDA_ERROR_OUT_OF_MEMORY`, "out of memory"), cuDNN (`CUDNN_STATUS_ALLOC_FAILED`, and from
/// version 9 on `CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED`) and ONNX Runtime (its arena, `bfc_arena.cc`)
/// for a device whose memory is full. A host without memory is not among them: a smaller batch would not help it.
const FULL: [&str; 7] = [
    "out of memory",
    "OUT_OF_MEMORY",
    "STATUS_ALLOC_FAILED",
    "DEVICE_ALLOCATION_FAILED",
    "Failed to allocate memory for requested buffer",
    "is smaller than requested bytes of",
    "bfc_arena",
];

impl EngineError {
    /// What a library's message means. Only its first line is kept: the rest is a trace of functions.
    pub(super) fn from_text(text: &str) -> Self {
        if FULL.iter().any(|words| text.contains(words)) {
            return Self::OutOfMemory;
        }
        Self::Failed(text.lines().next().unwrap_or_default().to_owned())
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
    /// The engine refuses it.
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
/// Holds always: an entry's numbers depend on that entry alone (on a CPU bit for bit). One thread may decode while
/// another one denoises.
pub(super) trait Engine: Send + Sync {
    /// Token ids `[n][positions]` -> embeddings `[n, positions, width]`.
    fn encode(&self, tokens: &[Vec<u32>]) -> Result<Array, EngineError>;
    /// Latents `[n, c, h, w]` at `timestep` (0 to 1000) and embeddings `[n, positions, width]` -> the UNet's answer, in
    /// the shape of the latents.
    fn denoise(&self, latents: &Array, timestep: f32, embeddings: &Array) -> Result<Array, EngineError>;
    /// Latents `[n, c, h, w]` -> pictures `[n, 3, h', w']`, about -1 to 1.
    fn decode(&self, latents: &Array) -> Result<Array, EngineError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The one place that reads messages.
    fn check(text: &str, expected: &str) {
        assert_eq!(EngineError::from_text(text).to_string(), expected, "{text}");
    }

    #[test]
    fn a_full_device_is_recognised_in_the_words_of_each_library() {
        for text in [
            r#"DriverError(CUDA_ERROR_OUT_OF_MEMORY, "out of memory")"#,
            "CUBLAS_STATUS_ALLOC_FAILED",
            "CUDNN_STATUS_ALLOC_FAILED",
            "CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED",
            "CUDA failure 2: out of memory ; GPU=0 ; expr=cudaMalloc((void**)&p, size);",
            "CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED ; GPU=0 ; hostname=h ; expr=cublasCreate(&cublas_handle_);",
            "Non-zero status code returned while running Conv node. Status Message: /onnxruntime_src/onnxruntime/core/\
             framework/bfc_arena.cc:376 Failed to allocate memory for requested buffer of size 4294967296",
            "Available memory of 1024 is smaller than requested bytes of 4096",
            "bfc_arena.cc:359 Available memory of 0 is smaller than requested bytes of 1048576",
            "a trace\nDriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")",
        ] {
            check(text, "out of memory");
        }
    }

    #[test]
    fn other_failures_keep_their_first_line() {
        let too_little = "CUDNN_STATUS_NOT_SUPPORTED_SHARED_MEMORY_INSUFFICIENT";
        check(too_little, too_little);
        let host = "CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED";
        check(host, host);
        check(
            "no cuda implementation for layer-norm\n   0: candle_core::error",
            "no cuda implementation for layer-norm",
        );
        check("", "");
    }
}
