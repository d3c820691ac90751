//! Who judges images: trait [`Surrogate`], and how each kind is built from its spec.
//!
//! Pictures in, scores over ImageNet's classes out; no tensor crosses, and nothing is decided here about what is kept.

mod error;
mod fake;
#[cfg(feature = "onnx")]
mod onnx;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::{OnnxModel, Outcome, Scores, SurrogateModel, SurrogateSpec};
use crate::imaging::RgbImage;
use crate::onnx::{Chosen, Runtime, RuntimeError};

pub use error::SurrogateError;

/// Scores images.
pub trait Surrogate: Send {
    /// One outcome per image, in order. Images are scored together in one call of the model where it allows that;
    /// `Err` is for a surrogate that cannot work at all.
    fn score(&mut self, images: &[&RgbImage]) -> Result<Vec<Outcome<Scores>>, SurrogateError>;
}

/// Builds surrogates on one device; holds what all of them share.
pub struct Host {
    #[cfg(feature = "onnx")]
    onnx: Option<onnx::Classifiers>,
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

    /// A host for ONNX models, on a device that `runtime` chose.
    #[cfg_attr(not(feature = "onnx"), expect(unused_variables, reason = "there is no runtime then"))]
    pub fn with_onnx_runtime(runtime: Arc<Runtime>, chosen: Chosen) -> Self {
        Self {
            #[cfg(feature = "onnx")]
            onnx: Some(onnx::Classifiers::new(runtime, chosen.device)),
            facts: chosen.facts,
        }
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
        let classifiers = self.onnx.as_ref().ok_or(RuntimeError::Absent)?;
        Ok(Box::new(classifiers.build(name, model, batch)?))
    }

    #[cfg(not(feature = "onnx"))]
    fn build_onnx(&self, _name: &str, _model: &OnnxModel, _batch: usize) -> Result<Box<dyn Surrogate>, SurrogateError> {
        Err(RuntimeError::Absent.into())
    }
}
