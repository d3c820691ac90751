//! Which engine runs the networks, on which device and in which precision: what was asked for, or why that is not
//! possible.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::candle;
use super::engine::{Engine, NetworkError, Work};
use super::error::DiffusionError;
use super::model::ModelConfig;
use super::onnx;
use crate::domain::{Device, EngineChoice, Precision};
use crate::generator::Means;
use crate::onnx::{Chosen, Runtime};

/// Images at a time on a GPU.
const ON_GPU: usize = 8;

/// Engine, device and precision; none of them is `auto`.
pub(super) struct Choice {
    pub device: Device,
    pub precision: Precision,
    /// What goes into records.
    pub facts: BTreeMap<String, String>,
    /// What people should know.
    pub note: Option<String>,
    by: By,
}

enum By {
    Onnx(Arc<Runtime>),
    Candle,
}

/// How many images, of what size, are made at a time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub images: usize,
    pub guided: bool,
    /// Rows of the latents.
    pub height: usize,
    /// Columns of the latents.
    pub width: usize,
}

impl Choice {
    /// `auto` takes ONNX Runtime where there is one, else candle; and the first GPU that the engine can use, else the
    /// CPU.
    pub fn new(means: &Means, precision: Precision) -> Result<Self, DiffusionError> {
        match (means.engine, &means.runtime) {
            (EngineChoice::Auto | EngineChoice::Ort, Some(runtime)) => Self::onnx(runtime, means.device, precision),
            (EngineChoice::Ort, None) => Err(DiffusionError::NoRuntime),
            (EngineChoice::Auto | EngineChoice::Candle, _) => Self::candle(means.device, precision),
        }
    }

    fn onnx(runtime: &Arc<Runtime>, device: Device, precision: Precision) -> Result<Self, DiffusionError> {
        let Chosen { device, note, mut facts } = runtime.choose(device)?;
        let precision = settled(device, precision)?;
        facts.insert("engine".to_owned(), EngineChoice::Ort.name().to_owned());
        facts.insert("precision".to_owned(), precision.name().to_owned());
        Ok(Self { device, precision, facts, note, by: By::Onnx(Arc::clone(runtime)) })
    }

    fn candle(wanted: Device, precision: Precision) -> Result<Self, DiffusionError> {
        if cfg!(not(feature = "candle")) {
            return Err(DiffusionError::NoCandle);
        }
        let device = match wanted {
            Device::Auto if candle::check(Device::Cuda(0)).is_ok() => Device::Cuda(0),
            Device::Auto => Device::Cpu,
            other => other,
        };
        candle::check(device).map_err(|problem| NetworkError::Device { device: device.to_string(), problem })?;
        let precision = settled(device, precision)?;
        let facts =
            [("engine", EngineChoice::Candle.name()), ("device", device.kind()), ("precision", precision.name())];
        let facts = facts.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Ok(Self { device, precision, facts, note: None, by: By::Candle })
    }

    /// Images at a time where the user does not say how many.
    pub fn images(&self, config: &ModelConfig) -> Result<usize, DiffusionError> {
        match (self.device, &self.by) {
            (Device::Cuda(_), _) => Ok(ON_GPU),
            (_, By::Onnx(_)) => Ok(onnx::Networks::images_on_cpu(config)?),
            // More are not faster.
            (_, By::Candle) => Ok(1),
        }
    }

    /// Loads the networks of a model.
    pub fn load(&self, config: &ModelConfig, size: Size) -> Result<Arc<dyn Engine>, DiffusionError> {
        let Size { images, guided, height, width } = size;
        let work = Work { device: self.device, precision: self.precision, images, guided, height, width };
        Ok(match &self.by {
            By::Onnx(runtime) => Arc::new(onnx::Networks::load(config, Arc::clone(runtime), &work)?),
            By::Candle => Arc::new(candle::Networks::load(config, &work)?),
        })
    }
}

/// What would run a model's networks: names and values, as records have them.
pub fn engine_facts(means: &Means, precision: Precision) -> Result<BTreeMap<String, String>, DiffusionError> {
    Ok(Choice::new(means, precision)?.facts)
}

/// Why candle cannot run models on the GPU `index`; `None`: it can.
pub fn candle_problem(index: u32) -> Option<String> {
    candle::check(Device::Cuda(index)).err()
}

/// The precision that `auto` means on a device; a CPU has only one.
fn settled(device: Device, precision: Precision) -> Result<Precision, NetworkError> {
    match (device, precision) {
        (Device::Cuda(_), Precision::Auto) => Ok(Precision::F16),
        (Device::Cuda(_), precision) => Ok(precision),
        (Device::Cpu | Device::Auto, Precision::Auto | Precision::F32) => Ok(Precision::F32),
        (Device::Cpu | Device::Auto, _) => {
            let problem = "a CPU computes in f32 only; write precision = \"f32\" or \"auto\"".to_owned();
            Err(NetworkError::Device { device: device.to_string(), problem })
        }
    }
}
