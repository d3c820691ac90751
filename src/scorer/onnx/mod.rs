//! ONNX classifiers through ONNX Runtime.
//!
//! On a CPU, sessions are single-threaded and the caller runs one instance per core, the fastest layout (ADR 0002).
//! Instances share their packed weights.
//!
//! On a GPU, there is one session for each model, with a batch that never changes (ADR 0016), so that every call uses
//! the same algorithms and the graph has no arithmetic on shapes.
//!
//! Holds always: the scores of an image do not depend on the number of threads.

mod bound;
mod classifier;
mod output;
mod shape;
mod tensor;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, PrepackedWeights};

use super::contract::Instances;
use super::error::ScorerError;
use crate::domain::{Device, OnnxModel, Sha256};
use crate::onnx::Runtime;
use classifier::Classifier;

/// Makes classifiers on one device; holds what their instances share.
pub struct Classifiers {
    runtime: Arc<Runtime>,
    device: Device,
    instances: Instances,
    packed: Mutex<BTreeMap<Sha256, PrepackedWeights>>,
}

impl Classifiers {
    /// Classifiers on a device that `runtime` chose.
    pub fn new(runtime: Arc<Runtime>, device: Device, instances: Instances) -> Self {
        Self { runtime, device, instances, packed: Mutex::default() }
    }

    /// Loads one instance of a classifier and tries it on `batch` grey pictures.
    pub fn build(&self, name: &str, model: &OnnxModel, batch: usize) -> Result<Classifier, ScorerError> {
        let mut classifier = match self.instances {
            Instances::PerCore => Classifier::new(name, model, self.session(name, model)?)?,
            Instances::PerModel => {
                let batch = model.input.batch.map_or(batch, |fixed| fixed as usize);
                let session = self.session_for(name, model, batch)?;
                Classifier::with_batch(name, model, session, batch, self.device)?
            }
        };
        classifier.try_out(batch).map(|()| classifier)
    }

    /// A session for one core.
    fn session(&self, name: &str, model: &OnnxModel) -> Result<Session, ScorerError> {
        let packed = self.packed_weights(model.weights.sha256);
        let made = self.runtime.explain(|| {
            let options = self.runtime.options(self.device, 1)?;
            options.with_prepacked_weights(&packed)?.commit_from_file(&model.weights.path)
        });
        made.map_err(|problem| cannot_load(name, model, problem))
    }

    /// A session for `batch` pictures per call, on the chosen device; an error if heavy operators would run elsewhere.
    fn session_for(&self, name: &str, model: &OnnxModel, batch: usize) -> Result<Session, ScorerError> {
        let made = self.runtime.explain(|| {
            let mut options = self.runtime.options(self.device, 1)?;
            if let Some(dimension) = self.batch_dimension(model)? {
                options = options.with_dimension_override(dimension, batch as i64)?;
            }
            options.commit_from_file(&model.weights.path)
        });
        let session = made.map_err(|problem| cannot_load(name, model, problem))?;
        let misplaced = match self.device {
            Device::Cuda(_) => self.runtime.misplaced(&session),
            Device::Cpu | Device::Auto => None,
        };
        match misplaced {
            None => Ok(session),
            Some(problem) => {
                let problem = format!("it cannot run on {}: {problem}; choose --device cpu", self.device);
                Err(ScorerError::Mismatch { name: name.to_owned(), problem })
            }
        }
    }

    /// The name of the model's batch dimension, if it is open and has a name.
    fn batch_dimension(&self, model: &OnnxModel) -> ort::Result<Option<String>> {
        // Only a session has this information; without optimisations it is made quickly.
        let options = self.runtime.options(Device::Cpu, 1)?;
        let mut options = options.with_optimization_level(GraphOptimizationLevel::Disable)?;
        let session = options.commit_from_file(&model.weights.path)?;
        Ok(session.inputs().first().and_then(shape::batch_dimension))
    }

    /// The packed weights that all instances of a model share; the lock is not held while a session is made.
    fn packed_weights(&self, model: Sha256) -> PrepackedWeights {
        let mut packed = self.packed.lock().unwrap_or_else(PoisonError::into_inner);
        packed.entry(model).or_insert_with(PrepackedWeights::new).clone()
    }
}

fn cannot_load(name: &str, model: &OnnxModel, problem: String) -> ScorerError {
    ScorerError::Load { name: name.to_owned(), file: model.weights.path.display().to_string(), problem }
}
