//! The three networks of Stable Diffusion on candle: the only place that knows candle.
//!
//! One graph for CPU and CUDA; `ops` chooses the kernels. Holds always: on a CPU everything is f32, and an image's numbers
//! do not depend on what else is in the batch.

mod clip;
mod cpu;
mod gpu;
mod ops;
mod resnet;
mod scope;
mod transformer;
mod unet;
mod vae;

use candle_core::{DType, Device, Tensor};

pub(super) use cpu::Activation;

use super::engine::{Array, Engine, EngineError};
use super::model::{ModelConfig, ModelError};
use crate::domain::{Device as Wanted, Precision};
use clip::TextEncoder;
use scope::Source;
use unet::Unet;
use vae::Decoder;

/// Why the networks cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The model's files are not what they should be.
    #[error(transparent)]
    Model(ModelError),
    /// The device cannot be used.
    #[error("cannot use {device} for diffusion: {problem}")]
    Device {
        /// The device that was asked for.
        device: String,
        /// Why not.
        problem: String,
    },
    /// candle says no.
    #[error("cannot load the model: {0}")]
    Candle(#[from] candle_core::Error),
}

/// The networks of one model on one device.
pub(super) struct Networks {
    text: TextEncoder,
    unet: Unet,
    decoder: Decoder,
    device: Device,
    /// Of the decoder: on a GPU a stream of its own, so that it does not wait for the UNet.
    decodes_on: Device,
    dtype: DType,
}

/// The device and the precision that will be used for what is asked: `auto` takes the first GPU where one can be used.
pub(super) fn choose(wanted: Wanted, precision: Precision) -> Result<(Wanted, Precision), NetworkError> {
    let device = match wanted {
        Wanted::Auto if gpu::check(0).is_ok() => Wanted::Cuda(0),
        Wanted::Auto => Wanted::Cpu,
        other => other,
    };
    let refuse = |problem: &str| NetworkError::Device { device: device.to_string(), problem: problem.to_owned() };
    if let Wanted::Cuda(at) = wanted {
        gpu::check(at).map_err(|problem| refuse(&problem))?;
    }
    match (device, precision) {
        (Wanted::Cuda(_), Precision::Auto) => Ok((device, Precision::F16)),
        (Wanted::Cuda(_), precision) => Ok((device, precision)),
        (Wanted::Cpu | Wanted::Auto, Precision::Auto | Precision::F32) => Ok((Wanted::Cpu, Precision::F32)),
        (Wanted::Cpu | Wanted::Auto, _) => {
            Err(refuse("a CPU computes in f32 only; write precision = \"f32\" or \"auto\""))
        }
    }
}

impl Networks {
    /// Reads all weights onto the device that [`choose`] gave.
    pub fn load(config: &ModelConfig, device: Wanted, precision: Precision) -> Result<Self, NetworkError> {
        let name = device.to_string();
        let (device, decodes_on) = match device {
            Wanted::Cuda(at) => Device::new_cuda(at as usize)
                .and_then(|first| Ok((first, Device::new_cuda_with_stream(at as usize)?)))
                .map_err(|error| NetworkError::Device { device: name, problem: error.to_string() })?,
            Wanted::Auto | Wanted::Cpu => (Device::Cpu, Device::Cpu),
        };
        let dtype = match precision {
            Precision::F16 => DType::F16,
            Precision::Bf16 => DType::BF16,
            Precision::Auto | Precision::F32 => DType::F32,
        };
        let source = |part, device: &Device| -> Result<Source, NetworkError> {
            Ok(Source { weights: config.weights(part)?, device: device.clone(), dtype })
        };
        Ok(Self {
            text: TextEncoder::load(&config.text, &mut source("text_encoder", &device)?)?,
            unet: Unet::load(&config.unet, &mut source("unet", &device)?)?,
            decoder: Decoder::load(&config.vae, &mut source("vae", &decodes_on)?)?,
            device,
            decodes_on,
            dtype,
        })
    }

    fn tensor(&self, array: &Array, device: &Device) -> candle_core::Result<Tensor> {
        Tensor::from_slice(&array.data, array.shape.as_slice(), device)?.to_dtype(self.dtype)
    }
}

fn array(tensor: &Tensor) -> candle_core::Result<Array> {
    let data = tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
    Ok(Array::new(tensor.dims(), data))
}

impl Engine for Networks {
    fn encode(&self, tokens: &[Vec<u32>]) -> Result<Array, EngineError> {
        let positions = tokens.first().map_or(0, Vec::len);
        let ids = Tensor::from_vec(tokens.concat(), (tokens.len(), positions), &self.device)?;
        Ok(array(&self.text.forward(&ids)?)?)
    }

    fn denoise(&self, latents: &Array, timestep: f32, embeddings: &Array) -> Result<Array, EngineError> {
        let (latents, prompt) = (self.tensor(latents, &self.device)?, self.tensor(embeddings, &self.device)?);
        Ok(array(&self.unet.forward(&latents, timestep, &prompt)?)?)
    }

    fn decode(&self, latents: &Array) -> Result<Array, EngineError> {
        Ok(array(&self.decoder.forward(&self.tensor(latents, &self.decodes_on)?)?)?)
    }
}

impl From<candle_core::Error> for EngineError {
    fn from(error: candle_core::Error) -> Self {
        let text = error.to_string();
        match text.contains("OUT_OF_MEMORY") || text.contains("out of memory") || text.contains("ALLOC_FAILED") {
            true => Self::OutOfMemory,
            // Further lines are a trace of candle's own functions.
            false => Self::Failed(text.lines().next().unwrap_or_default().to_owned()),
        }
    }
}
