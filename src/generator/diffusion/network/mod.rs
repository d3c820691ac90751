//! The three networks of Stable Diffusion on candle: the only place that knows candle.
//!
//! One graph for CPU and CUDA; `ops` chooses the kernels. Holds always: on a CPU everything is f32, and an image's numbers
//! do not depend on what else is in the batch.

mod clip;
mod cpu;
#[cfg(feature = "cuda")]
mod cudnn;
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
use gpu::Place;
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
    dtype: DType,
    /// Dropped last, after all that lies there.
    place: Place,
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
        let place = Place::open(device)
            .map_err(|error| NetworkError::Device { device: device.to_string(), problem: error.to_string() })?;
        let dtype = match precision {
            Precision::F16 => DType::F16,
            Precision::Bf16 => DType::BF16,
            Precision::Auto | Precision::F32 => DType::F32,
        };
        let source = |part, device: &Device| -> Result<Source, NetworkError> {
            Ok(Source { weights: config.weights(part)?, device: device.clone(), dtype })
        };
        Ok(Self {
            text: TextEncoder::load(&config.text, &mut source("text_encoder", &place.denoises_on)?)?,
            unet: Unet::load(&config.unet, &mut source("unet", &place.denoises_on)?)?,
            decoder: Decoder::load(&config.vae, &mut source("vae", &place.decodes_on)?)?,
            dtype,
            place,
        })
    }

    fn tensor(&self, array: &Array, device: &Device) -> candle_core::Result<Tensor> {
        Tensor::from_slice(&array.data, array.shape.as_slice(), device)?.to_dtype(self.dtype)
    }

    /// The numbers of an answer. After a call that had too little memory what it has freed is given back: the next one,
    /// with fewer images, wants it in other sizes.
    fn array(&self, answer: candle_core::Result<Tensor>) -> Result<Array, EngineError> {
        let numbers = |tensor: Tensor| -> candle_core::Result<Array> {
            let data = tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
            Ok(Array::new(tensor.dims(), data))
        };
        let array = answer.and_then(numbers).map_err(|error| EngineError::from_text(&error.to_string()));
        if matches!(array, Err(EngineError::OutOfMemory)) {
            self.place.give_back();
        }
        array
    }

    fn encoded(&self, tokens: &[Vec<u32>]) -> candle_core::Result<Tensor> {
        let positions = tokens.first().map_or(0, Vec::len);
        let ids = Tensor::from_vec(tokens.concat(), (tokens.len(), positions), &self.place.denoises_on)?;
        self.text.forward(&ids)
    }

    fn denoised(&self, latents: &Array, timestep: f32, embeddings: &Array) -> candle_core::Result<Tensor> {
        let device = &self.place.denoises_on;
        self.unet.forward(&self.tensor(latents, device)?, timestep, &self.tensor(embeddings, device)?)
    }

    fn decoded(&self, latents: &Array) -> candle_core::Result<Tensor> {
        self.decoder.forward(&self.tensor(latents, &self.place.decodes_on)?)
    }
}

impl Engine for Networks {
    fn encode(&self, tokens: &[Vec<u32>]) -> Result<Array, EngineError> {
        self.array(self.encoded(tokens))
    }

    fn denoise(&self, latents: &Array, timestep: f32, embeddings: &Array) -> Result<Array, EngineError> {
        self.array(self.denoised(latents, timestep, embeddings))
    }

    fn decode(&self, latents: &Array) -> Result<Array, EngineError> {
        self.array(self.decoded(latents))
    }
}
