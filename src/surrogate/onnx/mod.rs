//! ONNX classifiers through ONNX Runtime.
//!
//! Sessions are single-threaded: the caller runs one instance per core, the best layout found (DESIGN part 4), and the
//! result of an image does not depend on the number of threads then. Instances share their packed weights.

mod classifier;
mod shape;
mod tensor;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use ort::session::builder::PrepackedWeights;

use super::SurrogateError;
use crate::domain::{Device, OnnxModel, Sha256};
use crate::onnx::Runtime;
use classifier::Classifier;

/// Makes classifiers on one device; holds what their instances share.
pub struct Classifiers {
    runtime: Arc<Runtime>,
    device: Device,
    packed: Mutex<BTreeMap<Sha256, PrepackedWeights>>,
}

impl Classifiers {
    /// On a device that `runtime` chose.
    pub fn new(runtime: Arc<Runtime>, device: Device) -> Self {
        Self { runtime, device, packed: Mutex::default() }
    }

    /// Loads one instance of a classifier and tries it on `batch` grey pictures.
    pub fn build(&self, name: &str, model: &OnnxModel, batch: usize) -> Result<Classifier, SurrogateError> {
        let file = &model.weights.path;
        let cannot =
            |problem: String| SurrogateError::Load { name: name.to_owned(), file: file.display().to_string(), problem };
        let packed = self.packed_weights(model.weights.sha256);
        let session =
            (|| self.runtime.options(self.device, 1)?.with_prepacked_weights(&packed)?.commit_from_file(file))();
        let mut classifier = Classifier::new(name, model, session.map_err(|e| cannot(e.to_string()))?)?;
        classifier.try_out(batch).map(|()| classifier)
    }

    /// The packed weights that all instances of a model share; the lock is not held while a session is made.
    fn packed_weights(&self, model: Sha256) -> PrepackedWeights {
        let mut packed = self.packed.lock().unwrap_or_else(PoisonError::into_inner);
        packed.entry(model).or_insert_with(PrepackedWeights::new).clone()
    }
}
