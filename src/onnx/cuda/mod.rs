//! Checks what CUDA needs on this machine before ONNX Runtime uses it: the provider beside the library, the CUDA
//! libraries that the provider needs, NVIDIA's driver, the GPU.
//!
//! Holds always: every missing part is named, and one pip command installs everything that pip has, because ONNX
//! Runtime's own error is only "Failed to load shared library".

#[cfg(feature = "onnx")]
mod driver;
#[cfg(feature = "onnx")]
mod elf;
#[cfg(feature = "onnx")]
mod libraries;
mod survey;

use std::path::Path;

pub use survey::{Driver, Missing, PACKAGE_VERSION, Survey};

/// Whether this machine has NVIDIA's driver.
#[cfg(feature = "onnx")]
pub fn driver_is_here() -> bool {
    driver::driver_is_here()
}

/// Always false, because a build without ONNX Runtime does not use the driver.
#[cfg(not(feature = "onnx"))]
pub fn driver_is_here() -> bool {
    false
}

/// Whether the CUDA provider is beside the ONNX Runtime at `library`.
pub fn has_provider(library: &Path) -> bool {
    library.with_file_name(survey::PROVIDER).is_file()
}

/// Always `None`, because a build without ONNX Runtime does not use CUDA.
#[cfg(not(feature = "onnx"))]
pub fn survey(_library: Option<&Path>) -> Option<Survey> {
    None
}

/// Checks everything, and leaves the CUDA libraries open. `library`: the ONNX Runtime that would be used, if there is
/// one.
#[cfg(feature = "onnx")]
pub fn survey(library: Option<&Path>) -> Option<Survey> {
    let provider =
        library.map(|library| library.with_file_name(survey::PROVIDER)).filter(|provider| provider.is_file());
    let opened = libraries::open(provider.as_deref(), || super::python::nvidia_folders(library));
    let version = |stem: &str, ask: fn(&libloading::Library) -> Option<String>| {
        opened.here.iter().find(|here| here.name.starts_with(stem)).and_then(|here| ask(&here.handle))
    };
    let (cuda, cudnn) = (version("libcudart.", driver::runtime_version), version("libcudnn.", driver::cudnn_version));
    // They stay open, so that the loader uses them for the provider.
    opened.here.into_iter().for_each(std::mem::forget);
    Some(Survey {
        library: library.map(Path::to_owned),
        has_provider: provider.is_some(),
        missing: opened.missing,
        driver: driver::driver(),
        cuda,
        cudnn,
    })
}
