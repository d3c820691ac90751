//! Shapes and types of number of a graph.

/// The type of number that a graph computes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Number {
    F32,
    F16,
}

impl Number {
    /// As ONNX numbers its types (`TensorProto.DataType`).
    pub fn onnx(self) -> i64 {
        match self {
            Self::F32 => 1,
            Self::F16 => 10,
        }
    }
}

/// Entries of one call, and rows and columns of their latents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    pub count: usize,
    pub height: usize,
    pub width: usize,
}

/// The text encoder's shape does not depend on the latents.
pub const TEXT: Shape = Shape { count: 1, height: 0, width: 0 };
