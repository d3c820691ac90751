//! Checks what CUDA needs on this machine before ONNX Runtime uses it: the provider beside the library, the CUDA
//! libraries that the provider needs, NVIDIA's driver, the GPU.
//!
//! Holds always: every missing part is named, and one pip command installs everything that pip has, because ONNX
//! Runtime's own error is only "Failed to load shared library".

#[cfg(not(feature = "onnx"))]
mod absent;
#[cfg(feature = "onnx")]
mod driver;
#[cfg(feature = "onnx")]
mod elf;
#[cfg(feature = "onnx")]
mod libraries;
#[cfg(feature = "onnx")]
mod machine;
mod survey;

use std::path::Path;

#[cfg(not(feature = "onnx"))]
pub use absent::{driver_is_here, survey};
#[cfg(feature = "onnx")]
pub use machine::{driver_is_here, survey};
pub use survey::{Driver, Missing, PACKAGE_VERSION, Survey};

/// Whether the CUDA provider is beside the ONNX Runtime at `library`.
pub fn has_provider(library: &Path) -> bool {
    library.with_file_name(survey::PROVIDER).is_file()
}
