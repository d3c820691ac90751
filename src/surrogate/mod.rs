//! Who judges images: trait [`Surrogate`], and how each kind is built from its spec.
//!
//! Pictures in, scores over ImageNet's classes out; no tensor crosses, and nothing is decided here about what is kept.

mod error;
mod fake;
#[cfg(feature = "onnx")]
mod onnx;
mod python;

use std::collections::BTreeMap;
use std::path::Path;

use crate::domain::{Device, OnnxModel, Outcome, Scores, SurrogateModel, SurrogateSpec};
use crate::imaging::RgbImage;

pub use error::SurrogateError;
pub use python::library_of_python;

/// Scores images.
pub trait Surrogate: Send {
    /// One outcome per image, in order. Images are scored together in one call of the model where it allows that;
    /// `Err` is for a surrogate that cannot work at all.
    fn score(&mut self, images: &[&RgbImage]) -> Result<Vec<Outcome<Scores>>, SurrogateError>;
}

/// Builds surrogates on one device; holds what all of them share.
pub struct Host {
    #[cfg(feature = "onnx")]
    onnx: Option<onnx::Runtime>,
    facts: BTreeMap<String, String>,
}

impl Host {
    /// A host for fakes alone: needs no library.
    pub fn without_runtime() -> Self {
        Self {
            #[cfg(feature = "onnx")]
            onnx: None,
            facts: BTreeMap::from([("runtime".to_owned(), "fake".to_owned())]),
        }
    }

    /// A host for ONNX models: loads the ONNX Runtime library at `library` and readies `device`.
    #[cfg(feature = "onnx")]
    pub fn with_onnx_runtime(library: &Path, device: Device) -> Result<Self, SurrogateError> {
        let onnx = onnx::Runtime::load(library, device)?;
        let facts = onnx.facts();
        Ok(Self { onnx: Some(onnx), facts })
    }

    /// As above; this build has no `onnx` feature.
    #[cfg(not(feature = "onnx"))]
    pub fn with_onnx_runtime(_library: &Path, _device: Device) -> Result<Self, SurrogateError> {
        Err(SurrogateError::NoOnnx)
    }

    /// Whether `library` is an ONNX Runtime of a version that will do; readies no device.
    #[cfg(feature = "onnx")]
    pub fn check_library(library: &Path) -> Result<(), SurrogateError> {
        onnx::check_library(library)
    }

    /// As above; this build has no `onnx` feature.
    #[cfg(not(feature = "onnx"))]
    pub fn check_library(_library: &Path) -> Result<(), SurrogateError> {
        Err(SurrogateError::NoOnnx)
    }

    /// What made the predictions: runtime, version, device.
    pub fn facts(&self) -> &BTreeMap<String, String> {
        &self.facts
    }

    /// Builds one more instance of a surrogate, to be given `batch` images at a time; instances share what can be shared.
    pub fn build(&self, spec: &SurrogateSpec, batch: usize) -> Result<Box<dyn Surrogate>, SurrogateError> {
        match &spec.model {
            SurrogateModel::Fake(model) => Ok(Box::new(fake::Fake::new(model))),
            SurrogateModel::Onnx(model) => self.build_onnx(&spec.name, model, batch),
        }
    }

    #[cfg(feature = "onnx")]
    fn build_onnx(&self, name: &str, model: &OnnxModel, batch: usize) -> Result<Box<dyn Surrogate>, SurrogateError> {
        let runtime = self.onnx.as_ref().ok_or(SurrogateError::NoOnnx)?;
        Ok(Box::new(runtime.build(name, model, batch)?))
    }

    #[cfg(not(feature = "onnx"))]
    fn build_onnx(&self, _name: &str, _model: &OnnxModel, _batch: usize) -> Result<Box<dyn Surrogate>, SurrogateError> {
        Err(SurrogateError::NoOnnx)
    }
}
