//! Who judges images: trait [`Surrogate`], and how each kind is built from its spec.
//!
//! Pictures in, scores over ImageNet's classes out; no tensor crosses, and nothing is decided here about what is kept.

mod error;
mod fake;
#[cfg(feature = "onnx")]
mod onnx;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::{Device, MineSpec, OnnxModel, Outcome, Scores, SurrogateModel, SurrogateSpec};
use crate::imaging::{self, RgbImage};
use crate::onnx::{Chosen, Runtime, RuntimeError};

pub use error::SurrogateError;

/// Scores images.
pub trait Surrogate: Send {
    /// One outcome per image, in order. Images are scored together in one call of the model where it allows that;
    /// `Err` is for a surrogate that cannot work at all.
    fn score(&mut self, images: &[&RgbImage]) -> Result<Vec<Outcome<Scores>>, SurrogateError>;

    /// As [`Surrogate::score`], for images that went through [`fit`].
    fn score_fitted(&mut self, images: &[RgbImage]) -> Result<Vec<Outcome<Scores>>, SurrogateError>;
}

/// Brings an image to the size that a surrogate wants, on any thread; one that cannot be is dropped.
pub fn fit(spec: &SurrogateSpec, image: &RgbImage) -> Outcome<RgbImage> {
    match &spec.model {
        SurrogateModel::Fake(_) => Outcome::Kept(image.clone()),
        SurrogateModel::Onnx(model) => match imaging::fit(image, &model.preprocess) {
            Ok(image) => Outcome::Kept(image),
            Err(error) => Outcome::Dropped(error.to_string()),
        },
    }
}

/// How many instances of a model score, and how they are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instances {
    /// One on each core, each called with a few images whenever it has time (ADR 0002).
    PerCore,
    /// One for each model, called with many images that all cores prepare (ADR 0016).
    PerModel,
}

impl Instances {
    /// What suits a device.
    pub fn on(device: Device) -> Self {
        match device {
            Device::Cuda(_) => Self::PerModel,
            Device::Cpu | Device::Auto => Self::PerCore,
        }
    }

    /// Images per call where the recipe says nothing.
    pub fn default_batch(self) -> u32 {
        match self {
            Self::PerCore => MineSpec::CPU_BATCH,
            Self::PerModel => 32,
        }
    }
}

/// Builds surrogates on one device; holds what all of them share.
pub struct Host {
    #[cfg(feature = "onnx")]
    onnx: Option<onnx::Classifiers>,
    instances: Instances,
    facts: BTreeMap<String, String>,
}

impl Host {
    /// A host for fakes alone: needs no library.
    pub fn without_runtime() -> Self {
        Self {
            #[cfg(feature = "onnx")]
            onnx: None,
            instances: Instances::PerCore,
            facts: BTreeMap::from([("runtime".to_owned(), "fake".to_owned())]),
        }
    }

    /// A host for ONNX models, on a device that `runtime` chose.
    #[cfg_attr(not(feature = "onnx"), expect(unused_variables, reason = "there is no runtime then"))]
    pub fn with_onnx_runtime(runtime: Arc<Runtime>, chosen: Chosen, instances: Instances) -> Self {
        Self {
            #[cfg(feature = "onnx")]
            onnx: Some(onnx::Classifiers::new(runtime, chosen.device, instances)),
            instances,
            facts: chosen.facts,
        }
    }

    /// How its surrogates are to be called.
    pub fn instances(&self) -> Instances {
        self.instances
    }

    /// What made the predictions: runtime, version, device.
    pub fn facts(&self) -> &BTreeMap<String, String> {
        &self.facts
    }

    /// Builds one more instance of a surrogate, to be given `batch` images at a time; instances share what can be
    /// shared.
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
