//! What a build without ONNX Runtime says of CUDA: it uses neither the driver nor the libraries, so that there is none.

use std::path::Path;

use super::survey::Survey;

/// Always `false`.
pub fn driver_is_here() -> bool {
    false
}

/// Always `None`.
pub fn survey(_library: Option<&Path>) -> Option<Survey> {
    None
}
