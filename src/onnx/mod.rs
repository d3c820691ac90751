//! ONNX Runtime: the one library of this process, its environment, its devices.
//!
//! Surrogates and the diffusion engine make their sessions with [`Runtime::options`]; neither knows where the library
//! comes from, nor what a device needs. Does not look for the library (`stage::library` does) and runs no model.
//!
//! Holds always: the device that was asked for is the one that [`Chosen`] names, or the call is an error; only `auto`
//! may fall to the CPU, and then [`Chosen::note`] says why, if there is a GPU at all.

#[cfg(not(feature = "onnx"))]
mod absent;
mod cuda;
mod error;
#[cfg(feature = "onnx")]
mod library;
#[cfg(feature = "onnx")]
mod log;
#[cfg(feature = "onnx")]
mod placement;
mod python;
#[cfg(feature = "onnx")]
mod runtime;
#[cfg(feature = "onnx")]
mod trial;

use std::collections::BTreeMap;

use crate::domain::Device;

#[cfg(not(feature = "onnx"))]
pub use absent::Runtime;
pub use cuda::{Driver, Missing, PACKAGE_VERSION, Survey, driver_is_here, has_provider, survey};
pub use error::RuntimeError;
#[cfg(feature = "onnx")]
pub use log::explained;
pub use python::libraries_of_python;
#[cfg(feature = "onnx")]
pub use runtime::{OnGpu, Runtime};

/// The device that models run on, after [`Runtime::choose`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// The CPU or one GPU; never [`Device::Auto`].
    pub device: Device,
    /// Why `auto` took the CPU although this machine has a GPU.
    pub note: Option<String>,
    /// What goes into records: `runtime`, `runtime_version`, `device` (`cpu` or `cuda`); for a GPU also `gpu` (its
    /// model), `driver`, `cuda` and `cudnn` (versions), as far as they say it.
    pub facts: BTreeMap<String, String>,
}
