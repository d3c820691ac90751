//! The networks on ONNX Runtime: each is written as a graph for the shapes that it is called in, and called from then on.
//!
//! On a CPU graphs are of standard operators and in f32, and take one image at a time (with guidance the pair of it), so
//! that an image's numbers cannot depend on the batch. On CUDA they are of the provider's fused operators, in f16 or f32, and
//! take a whole batch, filled up where images are fewer. Holds always: no shape in a graph is open.

mod call;
mod graph;
mod layers;

use std::sync::{Arc, Mutex, PoisonError};

use ort::value::TensorElementType;

use super::engine::{Array, Engine, EngineError, NetworkError, Work};
use super::model::{ModelConfig, Weights};
use super::network::{Decoder, TextEncoder, Unet, waves};
use crate::domain::{Device, Precision};
use crate::onnx::Runtime;
use call::Call;
use graph::{Dialect, Writer, outlet};

/// Images decoded in one call on CUDA: with more, ONNX Runtime's decoder was seen to give wrong pictures (its issue 18273).
const DECODED_ON_CUDA: usize = 4;

/// In what numbers a graph computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Number {
    F32,
    F16,
}

impl Number {
    /// As ONNX numbers its types (`TensorProto.DataType`).
    fn onnx(self) -> i64 {
        match self {
            Self::F32 => 1,
            Self::F16 => 10,
        }
    }
}

/// The networks of one model on one device.
pub(super) struct Networks {
    runtime: Arc<Runtime>,
    config: ModelConfig,
    device: Device,
    dialect: Dialect,
    guided: bool,
    threads: usize,
    text: Part,
    unet: Part,
    decoder: Part,
}

/// Entries of one call, and rows and columns of their latents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    count: usize,
    height: usize,
    width: usize,
}

/// A network's weights, and its session in the shape that was asked for last.
struct Part {
    weights: Arc<Weights>,
    made: Mutex<Option<Made>>,
}

struct Made {
    shape: Shape,
    call: Call,
}

impl Part {
    fn new(weights: Weights) -> Self {
        Self { weights: Arc::new(weights), made: Mutex::default() }
    }

    /// Runs with a session that takes at least `shape.count` entries: the one that is there, or the one that `write` makes.
    fn with<T>(
        &self,
        shape: Shape,
        write: impl FnOnce(Shape) -> Result<Call, NetworkError>,
        run: impl FnOnce(&mut Call, usize) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let fits =
            |there: &Made| Shape { count: shape.count, ..there.shape } == shape && there.shape.count >= shape.count;
        let mut there = match made.take().filter(fits) {
            Some(there) => there,
            None => Made { shape, call: write(shape)? },
        };
        let result = run(&mut there.call, there.shape.count);
        // After a lack of memory the next call is a smaller one, and needs what this session holds.
        if !matches!(result, Err(EngineError::OutOfMemory)) {
            *made = Some(there);
        }
        result
    }
}

impl Networks {
    /// Maps the weights and makes the sessions for `work`, on a device that `runtime` chose.
    ///
    /// An error if the model's files are damaged, or if the precision is one that the device's operators do not have.
    pub fn load(config: &ModelConfig, runtime: Arc<Runtime>, work: &Work) -> Result<Self, NetworkError> {
        let networks = Self {
            runtime,
            config: config.clone(),
            device: work.device,
            dialect: dialect(work.device, work.precision)?,
            guided: work.guided,
            threads: rayon::current_num_threads(),
            text: Part::new(config.weights("text_encoder")?),
            unet: Part::new(config.weights("unet")?),
            decoder: Part::new(config.weights("vae")?),
        };
        let latents = |count: usize| Shape { count, height: work.height, width: work.width };
        let made = |_: &mut Call, _: usize| Ok(());
        let entries = if work.guided { 2 * work.images } else { work.images };
        networks.text.with(TEXT, |_| networks.write_text(), made).map_err(NetworkError::Engine)?;
        let shape = networks.at_a_time(latents(entries));
        networks.unet.with(shape, |shape| networks.write_unet(shape), made).map_err(NetworkError::Engine)?;
        let shape = networks.decoded_at_a_time(latents(work.images));
        networks.decoder.with(shape, |shape| networks.write_decoder(shape), made).map_err(NetworkError::Engine)?;
        Ok(networks)
    }

    /// What one call of the UNet takes, of the entries of `shape`.
    fn at_a_time(&self, shape: Shape) -> Shape {
        let count = match self.dialect {
            Dialect::Cpu if self.guided => 2,
            Dialect::Cpu => 1,
            Dialect::Cuda(_) => shape.count,
        };
        Shape { count, ..shape }
    }

    fn decoded_at_a_time(&self, shape: Shape) -> Shape {
        let count = match self.dialect {
            Dialect::Cpu => 1,
            Dialect::Cuda(_) => shape.count.min(DECODED_ON_CUDA),
        };
        Shape { count, ..shape }
    }

    fn write_text(&self) -> Result<Call, NetworkError> {
        let (positions, width) = (self.config.text.positions, self.config.text.width);
        let mut writer = Writer::new(self.text.weights.clone(), self.dialect)?;
        let network = TextEncoder::load(&self.config.text, &mut writer)?;
        let ids = writer.input_ids("ids", &[1, positions])?;
        let embeddings = network.forward(&writer, &ids)?;
        writer.output(&embeddings, "embeddings")?;
        self.call(&self.text, writer, &[("ids", &[1, positions])], ("embeddings", &[positions, width]))
    }

    fn write_unet(&self, shape: Shape) -> Result<Call, NetworkError> {
        let config = &self.config.unet;
        let Shape { count, height, width } = shape;
        let latents = [count, config.in_channels, height, width];
        let (waves, positions) = (config.blocks[0].channels, self.config.text.positions);
        let mut writer = Writer::new(self.unet.weights.clone(), self.dialect)?;
        let network = Unet::load(config, &mut writer)?;
        let seen = writer.input_picture("latents", &latents)?;
        let time = writer.input_rows("waves", &[1, 1, waves])?;
        let prompts = writer.input_rows("prompts", &[count, positions, config.context_width])?;
        let answer = network.forward(&writer, &seen, &time, &prompts)?;
        writer.output(&answer, "answer")?;
        let prompts = [count * positions, config.context_width];
        let inputs: [(&str, &[usize]); 3] = [("latents", &latents), ("waves", &[1, waves]), ("prompts", &prompts)];
        self.call(&self.unet, writer, &inputs, ("answer", &answer.shape))
    }

    fn write_decoder(&self, shape: Shape) -> Result<Call, NetworkError> {
        let config = &self.config.vae;
        let latents = [shape.count, config.latent_channels, shape.height, shape.width];
        let mut writer = Writer::new(self.decoder.weights.clone(), self.dialect)?;
        let network = Decoder::load(config, &mut writer)?;
        let pictures = network.forward(&writer, &writer.input_picture("latents", &latents)?)?;
        writer.output(&pictures, "pictures")?;
        self.call(&self.decoder, writer, &[("latents", &latents)], ("pictures", &pictures.shape))
    }

    /// Makes a session of a graph; inputs and output are in f32.
    fn call(
        &self,
        part: &Part,
        writer: Writer,
        inputs: &[(&str, &[usize])],
        output: (&str, &[usize]),
    ) -> Result<Call, NetworkError> {
        let port = |name: &str, shape: &[usize]| outlet(name, TensorElementType::Float32, shape);
        let inputs = inputs.iter().map(|(name, shape)| port(name, shape)).collect();
        let options = self.runtime.options(self.device, self.threads)?;
        let session = writer.finish(inputs, vec![port(output.0, output.1)], &options)?;
        part.weights.forget_pages();
        Ok(Call::new(session, part.weights.clone(), self.device)?)
    }
}

/// The text encoder's shape does not depend on the latents'.
const TEXT: Shape = Shape { count: 1, height: 0, width: 0 };

/// How graphs are written for a device and a precision.
fn dialect(device: Device, precision: Precision) -> Result<Dialect, NetworkError> {
    let problem = match (device, precision) {
        (Device::Cpu | Device::Auto, Precision::Auto | Precision::F32) => return Ok(Dialect::Cpu),
        (Device::Cuda(_), Precision::F32) => return Ok(Dialect::Cuda(Number::F32)),
        (Device::Cuda(_), Precision::F16 | Precision::Auto) => return Ok(Dialect::Cuda(Number::F16)),
        (Device::Cuda(_), Precision::Bf16) => {
            "ONNX Runtime's operators have no bf16; write precision = \"f16\" or \"f32\""
        }
        (Device::Cpu | Device::Auto, _) => "a CPU computes in f32 only; write precision = \"f32\" or \"auto\"",
    };
    Err(NetworkError::Device { device: device.to_string(), problem: problem.to_owned() })
}

/// Entries `start..start + count` of `array`; past its end the last one again.
fn piece(array: &Array, start: usize, count: usize) -> Array {
    let last = array.len() - 1;
    Array::stack(&array.shape[1..], (start..start + count).map(|at| array.entry(at.min(last))))
}

fn shape_of(latents: &Array) -> Shape {
    Shape { count: latents.len(), height: latents.shape[2], width: latents.shape[3] }
}

impl Engine for Networks {
    fn encode(&self, tokens: &[Vec<u32>]) -> Result<Array, EngineError> {
        let (positions, width) = (self.config.text.positions, self.config.text.width);
        let embeddings = self.text.with(
            TEXT,
            |_| self.write_text(),
            |call, _| {
                let mut embeddings = Vec::with_capacity(tokens.len() * positions * width);
                for ids in tokens {
                    let ids: Vec<f32> = ids.iter().map(|&id| id as f32).collect();
                    embeddings.extend_from_slice(call.run(&[&ids])?);
                }
                Ok(embeddings)
            },
        )?;
        Ok(Array::new([tokens.len(), positions, width], embeddings))
    }

    fn denoise(&self, latents: &Array, timestep: f32, embeddings: &Array) -> Result<Array, EngineError> {
        let waves = waves(timestep, &self.config.unet);
        let shape = self.at_a_time(shape_of(latents));
        let answers = self.unet.with(
            shape,
            |shape| self.write_unet(shape),
            |call, count| {
                let mut answers = Vec::with_capacity(latents.data.len());
                for start in (0..latents.len()).step_by(count) {
                    let (seen, prompts) = (piece(latents, start, count), piece(embeddings, start, count));
                    answers.extend_from_slice(call.run(&[&seen.data, &waves, &prompts.data])?);
                }
                answers.truncate(latents.data.len());
                Ok(answers)
            },
        )?;
        Ok(Array::new(latents.shape.clone(), answers))
    }

    fn decode(&self, latents: &Array) -> Result<Array, EngineError> {
        let scale = self.config.pixels_per_latent() as usize;
        let shape = [latents.len(), 3, latents.shape[2] * scale, latents.shape[3] * scale];
        let numbers: usize = shape.iter().product();
        let pictures = self.decoder.with(
            self.decoded_at_a_time(shape_of(latents)),
            |shape| self.write_decoder(shape),
            |call, count| {
                let mut pictures = Vec::with_capacity(numbers);
                for start in (0..latents.len()).step_by(count) {
                    let seen = self.config.vae.unscaled(&piece(latents, start, count).data);
                    pictures.extend_from_slice(call.run(&[&seen])?);
                }
                pictures.truncate(numbers);
                Ok(pictures)
            },
        )?;
        Ok(Array::new(shape, pictures))
    }
}

impl<R> From<ort::Error<R>> for EngineError {
    fn from(error: ort::Error<R>) -> Self {
        Self::from_text(&error.to_string())
    }
}

impl<R> From<ort::Error<R>> for NetworkError {
    fn from(error: ort::Error<R>) -> Self {
        Self::Engine(error.into())
    }
}
