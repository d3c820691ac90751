//! Scores images, for surrogates and targets alike: trait [`Scorer`], and how each kind is built from its spec.
//!
//! Pictures in, scores over ImageNet's classes out. Does not decide what is hard.
//!
//! Holds always: an image that cannot be scored costs that image only; a scorer that cannot work is an error before any
//! image is scored, because hours of work would otherwise be lost.

mod contract;
mod error;
mod fake;
#[cfg_attr(not(feature = "onnx"), path = "absent.rs")]
mod onnx;
mod ports;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::{Outcome, SurrogateModel, SurrogateSpec};
use crate::imaging::{self, RgbImage};
use crate::onnx::{Chosen, Runtime, RuntimeError};

pub use contract::{Instances, Scorer};
pub use error::ScorerError;
pub use onnx::Probe;
pub use ports::{Ask, Given, Port, PortKind};

/// Fits an image to the input of a scorer, on any thread; an image that cannot be fitted is dropped.
pub fn fit(spec: &SurrogateSpec, image: &RgbImage) -> Outcome<RgbImage> {
    match &spec.model {
        SurrogateModel::Fake(_) => Outcome::Kept(image.clone()),
        SurrogateModel::Onnx(model) => match imaging::fit(image, &model.preprocess) {
            Ok(image) => Outcome::Kept(image),
            Err(error) => Outcome::Dropped(error.to_string()),
        },
    }
}

/// Builds scorers on one device; holds what they share.
pub struct ScorerFactory {
    onnx: Option<onnx::Classifiers>,
    instances: Instances,
    facts: BTreeMap<String, String>,
}

impl ScorerFactory {
    /// A factory for fakes only, which needs no library.
    pub fn without_runtime() -> Self {
        Self {
            onnx: None,
            instances: Instances::PerCore,
            facts: BTreeMap::from([("runtime".to_owned(), "fake".to_owned())]),
        }
    }

    /// A factory for ONNX models, on a device that `runtime` chose.
    pub fn with_onnx_runtime(runtime: Arc<Runtime>, chosen: Chosen, instances: Instances) -> Self {
        Self { onnx: Some(onnx::Classifiers::new(runtime, chosen.device, instances)), instances, facts: chosen.facts }
    }

    /// How its scorers must be called.
    pub fn instances(&self) -> Instances {
        self.instances
    }

    /// What made the predictions: runtime, version, device.
    pub fn facts(&self) -> &BTreeMap<String, String> {
        &self.facts
    }

    /// Builds an instance of a scorer that is called with `batch` images at a time; instances share what they can.
    pub fn build(&self, spec: &SurrogateSpec, batch: usize) -> Result<Box<dyn Scorer>, ScorerError> {
        match &spec.model {
            SurrogateModel::Fake(model) => Ok(Box::new(fake::Fake::new(model))),
            SurrogateModel::Onnx(model) => {
                let classifiers = self.onnx.as_ref().ok_or(RuntimeError::Absent)?;
                Ok(Box::new(classifiers.build(&spec.name, model, batch)?))
            }
        }
    }
}
