//! Asks this machine for everything that CUDA needs.

use std::path::Path;

use super::survey::{PROVIDER, Survey};
use super::{driver, libraries};

pub use super::driver::driver_is_here;

/// Checks everything, and leaves the CUDA libraries open. `library`: the ONNX Runtime that would be used, if there is
/// one.
pub fn survey(library: Option<&Path>) -> Option<Survey> {
    let provider = library.map(|library| library.with_file_name(PROVIDER)).filter(|provider| provider.is_file());
    let opened = libraries::open(provider.as_deref(), || crate::onnx::python::nvidia_folders(library));
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
