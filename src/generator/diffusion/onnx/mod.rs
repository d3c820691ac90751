//! The networks on ONNX Runtime: each is written once as a graph for the shapes that it is called with, then called.
//!
//! On a CPU graphs consist of standard operators and two of our own, in f32. A small model's calls take one entry and
//! one thread each, side by side; a large model's take one entry (with guidance two) and all threads. Either way an
//! image's numbers cannot depend on the batch. On CUDA graphs consist of the provider's fused operators, in f16 or f32,
//! and take a whole batch, filled up where there are fewer images. Holds always: no shape in a graph is open.

mod call;
#[cfg(test)]
mod dialects;
mod draw;
mod graph;
mod layers;
mod operators;
mod shape;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rayon::prelude::*;

use super::engine::{Array, Engine, EngineError, NetworkError, Work};
use super::model::{ModelConfig, Weights};
use super::network::waves;
use crate::domain::{Device, Precision};
use crate::onnx::{OnGpu, Runtime};
use call::Call;
use draw::Drawing;
use graph::{Dialect, Writer};
use shape::{Number, Shape, TEXT};

/// Images decoded in one call on CUDA: with more, ONNX Runtime's decoder was seen to give wrong pictures (its issue
/// 18273).
const DECODED_ON_CUDA: usize = 4;

/// Numbers in all weights together up to which a model is small: 64 MB of them, of which each thread can have a copy.
const MOST_OF_A_SMALL_MODEL: u64 = 1 << 24;

/// Set to 1, the UNet's runs on CUDA are recorded once and played back (CUDA graphs): an experiment; `call.rs` says
/// what that requires.
const CUDA_GRAPHS: &str = "HARDSET_CUDA_GRAPHS";

/// The networks of one model on one device.
pub(super) struct Networks {
    runtime: Arc<Runtime>,
    config: ModelConfig,
    device: Device,
    dialect: Dialect,
    guided: bool,
    /// Whether entries are run side by side, each on one thread.
    side_by_side: bool,
    /// Of one session.
    threads: usize,
    text: Part,
    unet: Part,
    decoder: Part,
}

/// A network's weights, and sessions that wait for work.
struct Part {
    weights: Arc<Weights>,
    idle: Mutex<Vec<Made>>,
    /// Whether a GPU records its runs.
    recorded: bool,
}

struct Made {
    shape: Shape,
    call: Call,
}

impl Part {
    fn new(weights: Weights) -> Self {
        Self { weights: Arc::new(weights), idle: Mutex::default(), recorded: false }
    }

    /// Runs with a session that takes at least `shape.count` entries: an idle one, or one that `write` makes.
    fn with<T>(
        &self,
        shape: Shape,
        write: impl FnOnce(Shape) -> Result<Call, NetworkError>,
        run: impl FnOnce(&mut Call, usize) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        let waiting = self.idle().pop();
        let fits = |made: &Made| Shape { count: shape.count, ..made.shape } == shape && made.shape.count >= shape.count;
        // A session that does not fit is dropped before another is made: there may be no room for two.
        let mut made = match waiting.filter(fits) {
            Some(made) => made,
            None => Made { shape, call: write(shape)? },
        };
        let result = run(&mut made.call, made.shape.count);
        // A session that failed is not used again. After a lack of memory the next call is smaller and needs the memory
        // that this session holds; and a convolution that found no memory for its output keeps the shapes of the call
        // without a plan for them, so that the next run would continue without a plan (conv.cc, `UpdateState`).
        if result.is_ok() {
            self.idle().push(made);
        }
        result
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Made>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Networks {
    /// Maps the weights and makes the sessions for `work`, on a device that `runtime` chose.
    ///
    /// An error if the model's files are damaged, or if the device's operators do not have the precision.
    pub fn load(config: &ModelConfig, runtime: Arc<Runtime>, work: &Work) -> Result<Self, NetworkError> {
        let weights = weights(config)?;
        let side_by_side = work.device == Device::Cpu && is_small(&weights);
        Self::with_weights(config, runtime, work, weights, side_by_side)
    }

    /// As above, with the strategy given.
    fn with_weights(
        config: &ModelConfig,
        runtime: Arc<Runtime>,
        work: &Work,
        weights: [Weights; 3],
        side_by_side: bool,
    ) -> Result<Self, NetworkError> {
        let [text, unet, decoder] = weights;
        let networks = Self {
            runtime,
            config: config.clone(),
            device: work.device,
            dialect: dialect(work.device, work.precision)?,
            guided: work.guided,
            side_by_side,
            threads: if side_by_side { 1 } else { rayon::current_num_threads() },
            text: Part::new(text),
            unet: Part { recorded: std::env::var_os(CUDA_GRAPHS).is_some_and(|set| set == "1"), ..Part::new(unet) },
            decoder: Part::new(decoder),
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

    /// Images at a time that suit the model on a CPU.
    pub fn images_on_cpu(config: &ModelConfig) -> Result<usize, NetworkError> {
        Ok(if is_small(&weights(config)?) { rayon::current_num_threads() } else { 1 })
    }

    /// What one call of the UNet takes, of the entries of `shape`.
    fn at_a_time(&self, shape: Shape) -> Shape {
        let count = match self.dialect {
            Dialect::Cpu if self.guided && !self.side_by_side => 2,
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
        self.call(&self.text, |writer| draw::text(&self.config, writer))
    }

    fn write_unet(&self, shape: Shape) -> Result<Call, NetworkError> {
        self.call(&self.unet, |writer| draw::unet(&self.config, writer, shape))
    }

    fn write_decoder(&self, shape: Shape) -> Result<Call, NetworkError> {
        self.call(&self.decoder, |writer| draw::decoder(&self.config, writer, shape))
    }

    /// Makes a session of the graph that `draw` writes over a part's weights.
    fn call(
        &self,
        part: &Part,
        draw: impl FnOnce(Writer) -> Result<Drawing, NetworkError>,
    ) -> Result<Call, NetworkError> {
        let drawing = draw(Writer::new(part.weights.clone(), self.dialect)?)?;
        let wanted = OnGpu { halves: self.dialect == Dialect::Cuda(Number::F16), recorded: part.recorded };
        let finished = drawing.session(self.runtime.options_with(self.device, self.threads, wanted)?)?;
        if let (Device::Cuda(_), Some(problem)) = (self.device, self.runtime.misplaced(&finished.session)) {
            return Err(NetworkError::Device { device: self.device.to_string(), problem });
        }
        part.weights.forget_pages();
        Ok(Call::new(finished, part.weights.clone(), self.device)?)
    }
}

/// How graphs are written for a device and a precision.
fn dialect(device: Device, precision: Precision) -> Result<Dialect, NetworkError> {
    let problem = match (device, precision) {
        (Device::Cpu | Device::Auto, Precision::Auto | Precision::F32) => return Ok(Dialect::Cpu),
        (Device::Cuda(_), Precision::F32) => return Ok(Dialect::Cuda(Number::F32)),
        (Device::Cuda(_), Precision::F16 | Precision::Auto) => return Ok(Dialect::Cuda(Number::F16)),
        (Device::Cuda(_), Precision::Bf16) => {
            "ONNX Runtime's operators have no bf16; write precision = \"f16\" or \"f32\", or take --engine candle"
        }
        (Device::Cpu | Device::Auto, _) => "a CPU computes in f32 only",
    };
    Err(NetworkError::Device { device: device.to_string(), problem: problem.to_owned() })
}

/// Entries `start..start + count` of `array`; past its end the last one again.
fn piece(array: &Array, start: usize, count: usize) -> Array {
    let last = array.len() - 1;
    Array::stack(&array.shape[1..], (start..start + count).map(|at| array.entry(at.min(last))))
}

/// What goes through a network.
#[derive(Debug, Clone, Copy)]
struct Entries {
    /// Of one call.
    shape: Shape,
    total: usize,
    /// Numbers of one entry's answer.
    each: usize,
}

fn shape_of(latents: &Array) -> Shape {
    Shape { count: latents.len(), height: latents.shape[2], width: latents.shape[3] }
}

impl Networks {
    /// Runs all entries and joins the answers. `run` gets a call, the first of its entries, and how many it takes; the
    /// answers of entries that only filled up the last call are cut off.
    fn run(
        &self,
        part: &Part,
        Entries { shape, total, each }: Entries,
        write: impl Fn(Shape) -> Result<Call, NetworkError> + Sync,
        run: impl Fn(&mut Call, usize, usize) -> Result<Vec<f32>, EngineError> + Sync,
    ) -> Result<Vec<f32>, EngineError> {
        let one = |start: usize| part.with(shape, &write, |call, count| run(call, start, count));
        let starts: Vec<usize> = (0..total).step_by(shape.count).collect();
        let answers: Vec<Vec<f32>> = if self.side_by_side {
            starts.into_par_iter().map(one).collect::<Result<_, _>>()?
        } else {
            starts.into_iter().map(one).collect::<Result<_, _>>()?
        };
        let mut all = answers.concat();
        all.truncate(total * each);
        Ok(all)
    }
}

impl Engine for Networks {
    fn encode(&self, tokens: &[Vec<u32>]) -> Result<Array, EngineError> {
        let (positions, width) = (self.config.text.positions, self.config.text.width);
        let run = |call: &mut Call, start: usize, _: usize| {
            let ids: Vec<f32> = tokens[start].iter().map(|&id| id as f32).collect();
            call.run(&[&ids])
        };
        let whole = Entries { shape: TEXT, total: tokens.len(), each: positions * width };
        let embeddings = self.run(&self.text, whole, |_| self.write_text(), run)?;
        Ok(Array::new([tokens.len(), positions, width], embeddings))
    }

    fn denoise(&self, latents: &Array, timestep: f32, embeddings: &Array) -> Result<Array, EngineError> {
        let waves = waves(timestep, &self.config.unet);
        let run = |call: &mut Call, start: usize, count: usize| {
            let (seen, prompts) = (piece(latents, start, count), piece(embeddings, start, count));
            call.run(&[&seen.data, &waves, &prompts.data])
        };
        let shape = self.at_a_time(shape_of(latents));
        let whole = Entries { shape, total: latents.len(), each: latents.stride() };
        let answers = self.run(&self.unet, whole, |shape| self.write_unet(shape), run)?;
        Ok(Array::new(latents.shape.clone(), answers))
    }

    fn decode(&self, latents: &Array) -> Result<Array, EngineError> {
        let scale = self.config.pixels_per_latent() as usize;
        let shape = [latents.len(), 3, latents.shape[2] * scale, latents.shape[3] * scale];
        let run = |call: &mut Call, start: usize, count: usize| {
            call.run(&[&self.config.vae.unscaled(&piece(latents, start, count).data)])
        };
        let (total, each) = (latents.len(), shape[1..].iter().product());
        let whole = Entries { shape: self.decoded_at_a_time(shape_of(latents)), total, each };
        let pictures = self.run(&self.decoder, whole, |shape| self.write_decoder(shape), run)?;
        Ok(Array::new(shape, pictures))
    }
}

/// The weights of the text encoder, the UNet and the autoencoder.
fn weights(config: &ModelConfig) -> Result<[Weights; 3], NetworkError> {
    Ok([config.weights("text_encoder")?, config.weights("unet")?, config.weights("vae")?])
}

fn is_small(weights: &[Weights; 3]) -> bool {
    weights.iter().map(|weights| weights.count("")).sum::<u64>() <= MOST_OF_A_SMALL_MODEL
}

impl<R> From<ort::Error<R>> for EngineError {
    fn from(error: ort::Error<R>) -> Self {
        match Self::from_text(&error.to_string()) {
            Self::Failed(text) => Self::Failed(crate::onnx::explained(&text)),
            lack => lack,
        }
    }
}

impl<R> From<ort::Error<R>> for NetworkError {
    fn from(error: ort::Error<R>) -> Self {
        Self::Engine(error.into())
    }
}
