//! Who scores images, surrogates and targets alike: trait [`Scorer`], and how each kind is built from its spec.
//!
//! Pictures in, scores over ImageNet's classes out; no tensor crosses, and nothing is decided here about what is kept.

mod contract;
mod error;
mod fake;
#[cfg_attr(not(feature = "onnx"), path = "absent.rs")]
mod onnx;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::{Outcome, SurrogateModel, SurrogateSpec};
use crate::imaging::{self, RgbImage};
use crate::onnx::{Chosen, Runtime, RuntimeError};

pub use contract::{Instances, Scorer};
pub use error::ScorerError;

/// Brings an image to the size that a scorer wants, on any thread; one that cannot be is dropped.
pub fn fit(spec: &SurrogateSpec, image: &RgbImage) -> Outcome<RgbImage> {
    match &spec.model {
        SurrogateModel::Fake(_) => Outcome::Kept(image.clone()),
        SurrogateModel::Onnx(model) => match imaging::fit(image, &model.preprocess) {
            Ok(image) => Outcome::Kept(image),
            Err(error) => Outcome::Dropped(error.to_string()),
        },
    }
}

/// Builds scorers on one device; holds what all of them share.
pub struct Host {
    onnx: Option<onnx::Classifiers>,
    instances: Instances,
    facts: BTreeMap<String, String>,
}

impl Host {
    /// A host for fakes alone: needs no library.
    pub fn without_runtime() -> Self {
        Self {
            onnx: None,
            instances: Instances::PerCore,
            facts: BTreeMap::from([("runtime".to_owned(), "fake".to_owned())]),
        }
    }

    /// A host for ONNX models, on a device that `runtime` chose.
    pub fn with_onnx_runtime(runtime: Arc<Runtime>, chosen: Chosen, instances: Instances) -> Self {
        Self { onnx: Some(onnx::Classifiers::new(runtime, chosen.device, instances)), instances, facts: chosen.facts }
    }

    /// How its scorers are to be called.
    pub fn instances(&self) -> Instances {
        self.instances
    }

    /// What made the predictions: runtime, version, device.
    pub fn facts(&self) -> &BTreeMap<String, String> {
        &self.facts
    }

    /// Builds one more instance of a scorer, to be given `batch` images at a time; instances share what can be shared.
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
