//! What CUDA needs on this machine, looked at before ONNX Runtime is asked for it: the provider beside the library, the
//! CUDA libraries that the provider asks for, NVIDIA's driver, the GPU.
//!
//! ONNX Runtime's own error says "Failed to load shared library" and no more; here every missing part has a name, and
//! one pip command brings all that pip has.

#[cfg(feature = "onnx")]
mod driver;
#[cfg(feature = "onnx")]
mod elf;
#[cfg(feature = "onnx")]
mod libraries;
mod survey;

use std::path::Path;

pub use survey::{Driver, Missing, PACKAGE_VERSION, Survey};

/// Whether NVIDIA's driver is on this machine.
#[cfg(feature = "onnx")]
pub fn driver_is_here() -> bool {
    driver::driver_is_here()
}

/// As above; a build without ONNX Runtime has no use for it.
#[cfg(not(feature = "onnx"))]
pub fn driver_is_here() -> bool {
    false
}

/// Whether the CUDA provider lies beside the ONNX Runtime at `library`.
pub fn has_provider(library: &Path) -> bool {
    library.with_file_name(survey::PROVIDER).is_file()
}

/// Looks at everything, and opens the CUDA libraries for good; `library`: the ONNX Runtime that would be used, if there
/// is one. `None` in a build without ONNX Runtime.
#[cfg(not(feature = "onnx"))]
pub fn survey(_library: Option<&Path>) -> Option<Survey> {
    None
}

/// Looks at everything, and opens the CUDA libraries for good; `library`: the ONNX Runtime that would be used, if there
/// is one.
#[cfg(feature = "onnx")]
pub fn survey(library: Option<&Path>) -> Option<Survey> {
    let provider =
        library.map(|library| library.with_file_name(survey::PROVIDER)).filter(|provider| provider.is_file());
    let opened = libraries::open(provider.as_deref(), || super::python::nvidia_folders(library));
    let version = |stem: &str, ask: fn(&libloading::Library) -> Option<String>| {
        opened.here.iter().find(|here| here.name.starts_with(stem)).and_then(|here| ask(&here.handle))
    };
    let (cuda, cudnn) = (version("libcudart.", driver::runtime_version), version("libcudnn.", driver::cudnn_version));
    // They stay open, and the loader takes them for the provider.
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
