//! Sessions for one device, and what those of one graph share.
//!
//! On a CPU, sessions are single-threaded and share their packed weights (ADR 0002). On a GPU a session has a batch
//! that never changes (ADR 0016). Holds always: on a GPU no heavy operator runs elsewhere, or there is an error.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, PrepackedWeights};

use super::shape;
use crate::domain::{Device, OnnxGraph, Sha256};
use crate::onnx::Runtime;
use crate::scorer::error::ScorerError;

/// See the module.
pub struct Sessions {
    runtime: Arc<Runtime>,
    device: Device,
    packed: Mutex<BTreeMap<Sha256, PrepackedWeights>>,
}

impl Sessions {
    /// Sessions on a device that `runtime` chose.
    pub fn new(runtime: Arc<Runtime>, device: Device) -> Self {
        Self { runtime, device, packed: Mutex::default() }
    }

    /// The device.
    pub fn device(&self) -> Device {
        self.device
    }

    /// The library's version.
    pub fn version(&self) -> &str {
        self.runtime.version()
    }

    /// A session of one thread that is called with any number of pictures or texts, on the device or on the CPU.
    pub fn plain(&self, device: Device, name: &str, graph: &OnnxGraph) -> Result<Session, ScorerError> {
        let packed = self.packed_weights(graph.sha256());
        let made = self.runtime.explain(|| {
            let options = self.runtime.options(device, 1)?;
            options.with_prepacked_weights(&packed)?.commit_from_file(&graph.weights.path)
        });
        made.map_err(|problem| cannot_load(name, graph, problem))
    }

    /// A session for `batch` pictures or texts per call, on the device.
    pub fn on_device(&self, name: &str, graph: &OnnxGraph, batch: usize) -> Result<Session, ScorerError> {
        let made = self.runtime.explain(|| {
            let mut options = self.runtime.options(self.device, 1)?;
            if let Some(dimension) = self.batch_dimension(graph)? {
                options = options.with_dimension_override(dimension, batch as i64)?;
            }
            options.commit_from_file(&graph.weights.path)
        });
        let session = made.map_err(|problem| cannot_load(name, graph, problem))?;
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

    /// Frees the packed weights of a graph of which no more sessions are made, once the last one is gone.
    pub fn forget(&self, graph: &OnnxGraph) {
        self.packed.lock().unwrap_or_else(PoisonError::into_inner).remove(&graph.sha256());
    }

    /// The name of the graph's batch dimension, if it is open and has a name.
    fn batch_dimension(&self, graph: &OnnxGraph) -> ort::Result<Option<String>> {
        // Only a session has this information; without optimisations it is made quickly.
        let options = self.runtime.options(Device::Cpu, 1)?;
        let mut options = options.with_optimization_level(GraphOptimizationLevel::Disable)?;
        let session = options.commit_from_file(&graph.weights.path)?;
        Ok(shape::main_input(session.inputs()).and_then(shape::batch_dimension))
    }

    /// The packed weights that all sessions of a graph share; the lock is not held while a session is made.
    fn packed_weights(&self, graph: Sha256) -> PrepackedWeights {
        let mut packed = self.packed.lock().unwrap_or_else(PoisonError::into_inner);
        packed.entry(graph).or_insert_with(PrepackedWeights::new).clone()
    }
}

fn cannot_load(name: &str, graph: &OnnxGraph, mut problem: String) -> ScorerError {
    let lower = problem.to_lowercase();
    if lower.contains("ir version") || lower.contains("opset") {
        problem += "; export the model for older versions of ONNX, or set ORT_DYLIB_PATH to a newer ONNX Runtime";
    }
    ScorerError::Load { name: name.to_owned(), file: graph.weights.path.display().to_string(), problem }
}
