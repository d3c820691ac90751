//! What can be wrong with ONNX Runtime or a device. All of it is something that this machine lacks: exit code 4.

/// Why no session can be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuntimeError {
    /// This program was built without ONNX Runtime.
    #[error("this hardset was built without the `onnx` feature; build it with `cargo build --release --features onnx`")]
    Absent,
    /// The library cannot be loaded or is the wrong one.
    #[error(
        "ONNX Runtime cannot be used: {problem}; set ORT_DYLIB_PATH to a libonnxruntime of version 1.22 or \
         later, or unset it and run `hardset fetch onnxruntime`"
    )]
    Library {
        /// The cause.
        problem: String,
    },
    /// The library that was named is not there.
    #[error(
        "ONNX Runtime cannot be used: ORT_DYLIB_PATH is {path}, which is no file; set it to a libonnxruntime of \
         version 1.22 or later, or unset it and run `hardset fetch onnxruntime`"
    )]
    NoFile {
        /// The path.
        path: String,
    },
    /// The device is not there, or a library that it needs is not.
    #[error("device {device} cannot be used: {problem}; or choose --device cpu")]
    Device {
        /// As asked for.
        device: String,
        /// The cause, and what to do about it.
        problem: String,
    },
}
