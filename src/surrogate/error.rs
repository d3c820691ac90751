//! What can be wrong with a surrogate or its runtime; every message about a surrogate names it.

/// Why a surrogate cannot score.
#[derive(Debug, thiserror::Error)]
pub enum SurrogateError {
    /// This program was built without ONNX.
    #[error("this hardset was built without the `onnx` feature; build it with `cargo build --release --features onnx`")]
    NoOnnx,
    /// The library cannot be loaded or is the wrong one.
    #[error(
        "ONNX Runtime cannot be used: {problem}; set ORT_DYLIB_PATH to a libonnxruntime of version 1.17 or later, or unset it and run `hardset fetch onnxruntime`"
    )]
    Library {
        /// The cause.
        problem: String,
    },
    /// The device is not there.
    #[error("device {device} cannot be used: {problem}; choose --device cpu, or mend the CUDA installation")]
    Device {
        /// As asked for.
        device: String,
        /// The cause.
        problem: String,
    },
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
    /// A call of the model failed.
    #[error("surrogate `{name}` failed while scoring: {problem}")]
    Run {
        /// The surrogate.
        name: String,
        /// The cause.
        problem: String,
    },
}
