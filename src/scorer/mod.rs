//! Scores images, for surrogates and targets alike: trait [`Scorer`], and how each kind is built from its spec.
//!
//! Pictures in, scores over the classes of the scorer's space out. Does not decide what is hard.
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
use std::path::Path;
use std::sync::Arc;

use crate::domain::{Compared, Geometry, Outcome, SurrogateModel, SurrogateSpec};
use crate::imaging::{self, RgbImage};
use crate::onnx::{Chosen, Runtime, RuntimeError};

pub use contract::{Instances, Scorer, Stop};
pub use error::ScorerError;
pub use onnx::Probe;
pub use ports::{Ask, Given, Port, PortKind};

/// Fits an image to the input of a scorer, on any thread; an image that cannot be fitted is dropped.
///
/// `prepared_px`: see [`imaging::fit_prepared`].
pub fn fit(spec: &SurrogateSpec, image: &RgbImage, prepared_px: Option<u32>) -> Outcome<RgbImage> {
    match &spec.model {
        // What another program has scored is not looked at.
        SurrogateModel::Fake(_) | SurrogateModel::Imported(_) => Outcome::Kept(image.clone()),
        SurrogateModel::Onnx(model) => fitted(image, &model.preprocess, prepared_px),
        SurrogateModel::ZeroShot(model) => fitted(image, &model.image.preprocess, prepared_px),
    }
}

fn fitted(image: &RgbImage, preprocess: &Geometry, prepared_px: Option<u32>) -> Outcome<RgbImage> {
    match imaging::fit_prepared(image, preprocess, prepared_px) {
        Ok(image) => Outcome::Kept(image),
        Err(error) => Outcome::Dropped(error.to_string()),
    }
}

/// Builds scorers on one device; holds what they share.
pub struct ScorerFactory {
    onnx: Option<onnx::OnnxScorers>,
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

    /// A factory for ONNX models, on a device that `runtime` chose. `cache`: the program's, for rows of texts.
    pub fn with_onnx_runtime(runtime: Arc<Runtime>, chosen: Chosen, instances: Instances, cache: &Path) -> Self {
        let onnx = onnx::OnnxScorers::new(runtime, chosen.device, instances, cache.to_owned());
        Self { onnx: Some(onnx), instances, facts: chosen.facts }
    }

    /// How its scorers must be called.
    pub fn instances(&self) -> Instances {
        self.instances
    }

    /// What made the predictions: runtime, version, device.
    pub fn facts(&self) -> &BTreeMap<String, String> {
        &self.facts
    }

    /// Compares a zero-shot model with the reference file at `reference`, tensor by tensor; `photo` finds a photograph
    /// by the name of its file.
    pub fn compare(
        &self,
        spec: &SurrogateSpec,
        reference: &Path,
        photo: &dyn Fn(&str) -> Option<RgbImage>,
    ) -> Result<Vec<Compared>, ScorerError> {
        let SurrogateModel::ZeroShot(model) = &spec.model else {
            let problem =
                "only a zero-shot surrogate can be compared with a reference; leave --reference out".to_owned();
            return Err(ScorerError::Mismatch { name: spec.name.clone(), problem });
        };
        self.onnx.as_ref().ok_or(RuntimeError::Absent)?.compare(&spec.name, model, reference, photo)
    }

    /// Builds an instance of a scorer over `classes` classes that is called with `batch` images at a time; instances
    /// share what they can. Reading the texts of many classes takes minutes, and ends early where `stop` says so.
    pub fn build(
        &self,
        spec: &SurrogateSpec,
        classes: usize,
        batch: usize,
        stop: Stop,
    ) -> Result<Box<dyn Scorer>, ScorerError> {
        let onnx = || self.onnx.as_ref().ok_or(RuntimeError::Absent);
        match &spec.model {
            SurrogateModel::Fake(model) => Ok(Box::new(fake::Fake::new(model, classes))),
            SurrogateModel::Imported(_) => Err(ScorerError::Imported { name: spec.name.clone() }),
            SurrogateModel::Onnx(model) => Ok(Box::new(onnx()?.classifier(&spec.name, model, batch)?)),
            SurrogateModel::ZeroShot(model) => Ok(Box::new(onnx()?.zero_shot(&spec.name, model, batch, stop)?)),
        }
    }
}
