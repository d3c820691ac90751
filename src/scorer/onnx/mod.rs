//! ONNX classifiers through ONNX Runtime.
//!
//! On a CPU, sessions are single-threaded and the caller runs one instance per core, the fastest layout (ADR 0002).
//! Instances share their packed weights.
//!
//! On a GPU, there is one session for each model, with a batch that never changes (ADR 0016), so that every call uses
//! the same algorithms and the graph has no arithmetic on shapes.
//!
//! Holds always: the scores of an image depend neither on the number of threads nor on the images beside it.

mod bound;
mod classifier;
mod neighbours;
mod output;
mod probe;
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
pub use probe::Probe;

/// Makes classifiers on one device; holds what their instances share.
pub struct Classifiers {
    runtime: Arc<Runtime>,
    device: Device,
    instances: Instances,
    packed: Mutex<BTreeMap<Sha256, PrepackedWeights>>,
    /// Models by name: whether their scores depend on the pictures beside one, once that is known.
    dependent: Mutex<BTreeMap<String, Arc<Mutex<Option<bool>>>>>,
}

impl Classifiers {
    /// Classifiers on a device that `runtime` chose.
    pub fn new(runtime: Arc<Runtime>, device: Device, instances: Instances) -> Self {
        Self { runtime, device, instances, packed: Mutex::default(), dependent: Mutex::default() }
    }

    /// Loads one instance of a classifier that is called with `batch` pictures, and tries it. One whose scores depend
    /// on the pictures beside one is called with one picture.
    pub fn build(&self, name: &str, model: &OnnxModel, batch: usize) -> Result<Classifier, ScorerError> {
        let mut classifier = self.instance(name, model, batch)?;
        classifier.try_out()?;
        if !self.depends_on_neighbours(name, &mut classifier)? {
            return Ok(classifier);
        }
        if classifier.takes_any() {
            classifier = self.instance(name, model, 1)?;
            classifier.try_out()?;
        }
        classifier.score_alone();
        Ok(classifier)
    }

    fn instance(&self, name: &str, model: &OnnxModel, batch: usize) -> Result<Classifier, ScorerError> {
        match self.instances {
            Instances::PerCore => Classifier::new(name, model, self.session(name, model)?, batch),
            Instances::PerModel => {
                let batch = model.input.batch.map_or(batch, |fixed| fixed as usize);
                let session = self.session_for(name, model, batch)?;
                Classifier::bound(name, model, session, batch, self.device)
            }
        }
    }

    /// Finds it out once for each model; its other instances wait.
    fn depends_on_neighbours(&self, name: &str, classifier: &mut Classifier) -> Result<bool, ScorerError> {
        let known = {
            let mut models = self.dependent.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(models.entry(name.to_owned()).or_default())
        };
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        match *known {
            Some(depends) => Ok(depends),
            None => Ok(*known.insert(classifier.depends_on_neighbours(self.device)?)),
        }
    }

    /// A session for one core.
    fn session(&self, name: &str, model: &OnnxModel) -> Result<Session, ScorerError> {
        let packed = self.packed_weights(model.sha256());
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

fn cannot_load(name: &str, model: &OnnxModel, mut problem: String) -> ScorerError {
    let lower = problem.to_lowercase();
    if lower.contains("ir version") || lower.contains("opset") {
        problem += "; export the model for older versions of ONNX, or set ORT_DYLIB_PATH to a newer ONNX Runtime";
    }
    ScorerError::Load { name: name.to_owned(), file: model.weights.path.display().to_string(), problem }
}
