//! ONNX Runtime: the only loaded library of this process, its environment and its devices.
//!
//! Surrogates and the diffusion engine make their sessions with [`Runtime::options`]; they know neither the source of
//! the library nor the needs of a device. Does not look for the library (`stage::prepare` does) and runs no model.
//!
//! Holds always: the requested device is the one that [`Chosen`] names, or the call is an error, because a silent
//! fall-back to the CPU would take days instead of hours; only `auto` may choose the CPU, and then
//! [`Chosen::note`] says why, if the machine has a GPU.
//!
//! Only this module, `scorer::onnx` and `generator::diffusion::onnx` know the crate ort, because a change of its
//! version must not reach the stages.

#[cfg(not(feature = "onnx"))]
mod absent;
mod cuda;
mod error;
mod external;
#[cfg(feature = "onnx")]
mod library;
#[cfg(feature = "onnx")]
mod log;
#[cfg(feature = "onnx")]
mod placement;
#[cfg(feature = "onnx")]
mod plain;
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
pub use external::{ExternalError, external_files};
#[cfg(feature = "onnx")]
pub use log::explained;
#[cfg(feature = "onnx")]
pub use plain::plain;
pub use python::libraries_of_python;
#[cfg(feature = "onnx")]
pub use runtime::{OnGpu, Runtime};

/// The device on which models run, as [`Runtime::choose`] decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// The CPU or one GPU; never [`Device::Auto`].
    pub device: Device,
    /// Why `auto` took the CPU although this machine has a GPU.
    pub note: Option<String>,
    /// Facts for records: `runtime`, `runtime_version`, `device` (`cpu` or `cuda`); for a GPU also `gpu` (its model)
    /// and the versions `driver`, `cuda` and `cudnn`, as far as they are known.
    pub facts: BTreeMap<String, String>,
}
