//! The networks on candle, on the CPU or (feature `cuda`) on a GPU: the only place that knows candle. Needs no library.
//!
//! `layers` loads and applies layers, `ops` chooses the kernels: on a CPU those of `cpu`, on a GPU those of `cudnn` for
//! convolutions and candle's own for the rest; `gpu` has the devices. Holds always: on a CPU everything is f32, and an
//! image's numbers do not depend on what else is in the batch.

mod cpu;
#[cfg(feature = "cuda")]
mod cudnn;
mod gpu;
mod layers;
mod ops;

use candle_core::{DType, Device, Tensor};

use super::engine::{Array, Engine, EngineError, NetworkError, Work};
use super::model::{ModelConfig, UnetConfig, VaeConfig};
use super::network::{Decoder, TextEncoder, Unet, waves};
use crate::domain::{Device as Wanted, Precision};
use gpu::Place;
use layers::Candle;

/// The networks of one model on one device.
pub(super) struct Networks {
    text: Part<TextEncoder<Candle>>,
    unet: Part<Unet<Candle>>,
    /// On a GPU on its own stream, so that it does not wait for the UNet.
    decoder: Part<Decoder<Candle>>,
    unet_config: UnetConfig,
    vae_config: VaeConfig,
    /// Dropped last, after everything that is there.
    place: Place,
}

/// A network, and the device and type of number that its layers are applied with.
struct Part<N> {
    candle: Candle,
    network: N,
}

/// Whether candle can work on the device; an error says why not.
pub(super) fn check(device: Wanted) -> Result<(), String> {
    match device {
        Wanted::Cuda(at) => gpu::check(at),
        Wanted::Auto | Wanted::Cpu => Ok(()),
    }
}

impl Networks {
    /// Reads all weights onto the device.
    pub fn load(config: &ModelConfig, work: &Work) -> Result<Self, NetworkError> {
        let place = Place::open(work.device)
            .map_err(|error| NetworkError::Device { device: work.device.to_string(), problem: error.to_string() })?;
        let dtype = match work.precision {
            Precision::F16 => DType::F16,
            Precision::Bf16 => DType::BF16,
            Precision::Auto | Precision::F32 => DType::F32,
        };
        let candle = |part, device: &Device| -> Result<Candle, NetworkError> {
            Ok(Candle { weights: config.weights(part)?, device: device.clone(), dtype })
        };
        Ok(Self {
            text: Part::load(candle("text_encoder", &place.denoises_on)?, |layers| {
                TextEncoder::load(&config.text, layers)
            })?,
            unet: Part::load(candle("unet", &place.denoises_on)?, |layers| Unet::load(&config.unet, layers))?,
            decoder: Part::load(candle("vae", &place.decodes_on)?, |layers| Decoder::load(&config.vae, layers))?,
            unet_config: config.unet.clone(),
            vae_config: config.vae.clone(),
            place,
        })
    }

    /// The numbers of an answer. After a call that had too little memory, the memory that it freed is given back: the
    /// next call, with fewer images, wants it in other sizes.
    fn array(&self, answer: Result<Tensor, NetworkError>) -> Result<Array, EngineError> {
        let numbers = |tensor: Tensor| -> Result<Array, NetworkError> {
            let data = tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
            Ok(Array::new(tensor.dims(), data))
        };
        let array = answer.and_then(numbers).map_err(EngineError::from);
        if matches!(array, Err(EngineError::OutOfMemory)) {
            self.place.give_back();
        }
        array
    }

    fn encoded(&self, tokens: &[Vec<u32>]) -> Result<Tensor, NetworkError> {
        let Part { candle, network } = &self.text;
        let positions = tokens.first().map_or(0, Vec::len);
        let ids = Tensor::from_vec(tokens.concat(), (tokens.len(), positions), &candle.device)?;
        network.forward(candle, &ids)
    }

    fn denoised(&self, latents: &Array, timestep: f32, embeddings: &Array) -> Result<Tensor, NetworkError> {
        let part = &self.unet;
        let waves = waves(timestep, &self.unet_config);
        let waves = part.tensor(&Array::new([1, 1, waves.len()], waves))?;
        let (latents, prompt) = (part.tensor(latents)?, part.tensor(embeddings)?);
        part.network.forward(&part.candle, &latents, &waves, &prompt)
    }

    fn decoded(&self, latents: &Array) -> Result<Tensor, NetworkError> {
        let part = &self.decoder;
        let latents = Array::new(latents.shape.clone(), self.vae_config.unscaled(&latents.data));
        part.network.forward(&part.candle, &part.tensor(&latents)?)
    }
}

impl<N> Part<N> {
    fn load(
        mut candle: Candle,
        load: impl FnOnce(&mut Candle) -> Result<N, NetworkError>,
    ) -> Result<Self, NetworkError> {
        let network = load(&mut candle)?;
        Ok(Self { candle, network })
    }

    fn tensor(&self, array: &Array) -> candle_core::Result<Tensor> {
        let Candle { device, dtype, .. } = &self.candle;
        Tensor::from_slice(&array.data, array.shape.as_slice(), device)?.to_dtype(*dtype)
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

impl From<candle_core::Error> for EngineError {
    fn from(error: candle_core::Error) -> Self {
        Self::from_text(&error.to_string())
    }
}

impl From<candle_core::Error> for NetworkError {
    fn from(error: candle_core::Error) -> Self {
        Self::Engine(error.into())
    }
}
