//! Errors of ONNX Runtime and of devices. All of them mean that this machine lacks something: exit code 4.

/// Why sessions cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuntimeError {
    /// This program was built without ONNX Runtime.
    #[error("this hardset was built without the `onnx` feature; build it with `cargo build --release --features onnx`")]
    Absent,
    /// The library cannot be loaded, or it is not ONNX Runtime in a usable version.
    #[error(
        "ONNX Runtime cannot be used: {problem}; set ORT_DYLIB_PATH to a libonnxruntime of version 1.22 or \
         later, or unset it and run `hardset fetch onnxruntime`"
    )]
    Library {
        /// The cause.
        problem: String,
    },
    /// ORT_DYLIB_PATH names a file that does not exist.
    #[error(
        "ONNX Runtime cannot be used: ORT_DYLIB_PATH is {path}, which is not a file; set it to a libonnxruntime of \
         version 1.22 or later, or unset it and run `hardset fetch onnxruntime`"
    )]
    NoFile {
        /// The path.
        path: String,
    },
    /// The device, or a library that it needs, is missing.
    #[error("device {device} cannot be used: {problem}; or choose --device cpu")]
    Device {
        /// The requested device.
        device: String,
        /// The cause, and what to do about it.
        problem: String,
    },
}
