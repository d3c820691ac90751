//! ONNX classifiers through ONNX Runtime; the only place that knows `ort`.
//!
//! Sessions are single-threaded: the caller runs one instance per core, the best layout found (DESIGN part 4), and the
//! result of an image does not depend on the number of threads then. Instances share their packed weights.

mod classifier;
mod library;
mod shape;
mod tensor;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use ort::environment::Environment;
use ort::logging::LogLevel;
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, PrepackedWeights, SessionBuilder};

use super::SurrogateError;
use crate::domain::{Device, OnnxModel, Sha256};
use classifier::Classifier;

/// Whether the library at `path` can be loaded and is new enough.
pub fn check_library(path: &Path) -> Result<(), SurrogateError> {
    library::version(path).map(drop).map_err(|problem| SurrogateError::Library { problem })
}

/// The loaded library with its environment, on one device.
pub struct Runtime {
    environment: Environment,
    device: Device,
    facts: BTreeMap<String, String>,
    packed: Mutex<BTreeMap<Sha256, PrepackedWeights>>,
}

impl Runtime {
    /// Loads the library at `path`; only one per process.
    pub fn load(path: &Path, device: Device) -> Result<Self, SurrogateError> {
        let refuse = |problem: String| SurrogateError::Library { problem };
        let version = library::version(path).map_err(refuse)?;
        let builder = ort::init_from(path).map_err(|e| refuse(e.to_string()))?;
        // Everything that matters comes back as an error; the library's own lines would break the progress display.
        let silent = Arc::new(|_: LogLevel, _: &str, _: &str, _: &str, _: &str| {});
        let environment = builder.with_name("hardset").with_telemetry(false).with_logger(silent).build();
        let environment = environment.map_err(|e| refuse(e.to_string()))?;
        let device = usable(&environment, device)?;
        let facts =
            [("runtime", "onnxruntime".to_owned()), ("runtime_version", version), ("device", device.to_string())];
        let facts = facts.map(|(name, value)| (name.to_owned(), value)).into();
        Ok(Self { environment, device, facts, packed: Mutex::default() })
    }

    /// Runtime, version and device.
    pub fn facts(&self) -> BTreeMap<String, String> {
        self.facts.clone()
    }

    /// Loads one instance of a classifier and tries it on `batch` grey pictures.
    pub fn build(&self, name: &str, model: &OnnxModel, batch: usize) -> Result<Classifier, SurrogateError> {
        let file = &model.weights.path;
        let cannot =
            |problem: String| SurrogateError::Load { name: name.to_owned(), file: file.display().to_string(), problem };
        let packed = self.packed_weights(model.weights.sha256);
        let session =
            (|| options(&self.environment, self.device)?.with_prepacked_weights(&packed)?.commit_from_file(file))();
        let mut classifier = Classifier::new(name, model, session.map_err(|e| cannot(e.to_string()))?)?;
        classifier.try_out(batch).map(|()| classifier)
    }

    /// The packed weights that all instances of a model share; the lock is not held while a session is made.
    fn packed_weights(&self, model: Sha256) -> PrepackedWeights {
        let mut packed = self.packed.lock().unwrap_or_else(PoisonError::into_inner);
        packed.entry(model).or_insert_with(PrepackedWeights::new).clone()
    }
}

fn options(environment: &Environment, device: Device) -> ort::Result<SessionBuilder> {
    let builder = Session::builder(environment)?
        .with_optimization_level(GraphOptimizationLevel::All)?
        .with_intra_threads(1)?
        .with_inter_threads(1)?;
    on_device(builder, device)
}

#[cfg(feature = "cuda")]
fn on_device(builder: SessionBuilder, device: Device) -> ort::Result<SessionBuilder> {
    match device {
        // TF32 would round inputs to 10 bits; the precision asked for is the one used.
        Device::Cuda(index) => {
            let cuda = ort::ep::CUDA::default().with_device_id(index as i32).with_tf32(false);
            Ok(builder.with_execution_providers([cuda.build().error_on_failure()])?.with_disable_cpu_fallback()?)
        }
        Device::Cpu | Device::Auto => Ok(builder),
    }
}

#[cfg(not(feature = "cuda"))]
fn on_device(builder: SessionBuilder, _device: Device) -> ort::Result<SessionBuilder> {
    Ok(builder)
}

/// The device that is used for `device`: `auto` falls back to the CPU, anything else stops where it is not to be had.
#[cfg(feature = "cuda")]
fn usable(environment: &Environment, device: Device) -> Result<Device, SurrogateError> {
    let cuda = |index| options(environment, Device::Cuda(index)).map(|_| Device::Cuda(index));
    match device {
        Device::Cpu => Ok(Device::Cpu),
        Device::Auto => Ok(cuda(0).unwrap_or(Device::Cpu)),
        Device::Cuda(index) => {
            cuda(index).map_err(|e| SurrogateError::Device { device: device.to_string(), problem: e.to_string() })
        }
    }
}

#[cfg(not(feature = "cuda"))]
fn usable(_environment: &Environment, device: Device) -> Result<Device, SurrogateError> {
    match device {
        Device::Cpu | Device::Auto => Ok(Device::Cpu),
        Device::Cuda(_) => Err(SurrogateError::Device {
            device: device.to_string(),
            problem: "this hardset was built without the `cuda` feature".to_owned(),
        }),
    }
}
