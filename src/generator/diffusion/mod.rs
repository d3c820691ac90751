//! Images of a latent diffusion model: prompts in, pixels out.
//!
//! Tokens, noise, sampling, guidance and batching are here, on plain arrays; what runs the networks is behind
//! `engine::Engine`. Holds always: an image depends on its row and the recipe alone, not on the batch around it.

#[cfg(feature = "candle")]
mod candle;
mod choice;
mod decoding;
mod doctor;
mod engine;
mod kernels;
mod model;
mod network;
mod noise;
mod onnx;
mod pixels;
mod reference;
mod run;
mod sampler;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

pub use doctor::{benchmark, compare, engine as engine_facts, facts, load};
pub use engine::{EngineError, NetworkError};
pub use model::{ModelError, files};
pub use sampler::SamplerError;

use super::{Generator, GeneratorError, Means, Pictures};
use crate::domain::{Device, DiffusionSource, PlanRow};
use crate::onnx::RuntimeError;
use choice::{Choice, Size};
use decoding::{Decoding, Latents};
use engine::{Array, Engine};
use model::{ModelConfig, Prompt, Tokens};
use run::Run;
use sampler::SamplerConfig;

/// Embeddings kept for prompts that come again; 30 MB of them for Stable Diffusion 1.5.
const MOST_EMBEDDINGS: usize = 128;

/// Why a model cannot make images.
#[derive(Debug, thiserror::Error)]
pub enum DiffusionError {
    /// Its files are not what they should be.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// It cannot be loaded.
    #[error(transparent)]
    Network(NetworkError),
    /// Its scheduler, or the recipe's, cannot be used.
    #[error(transparent)]
    Sampler(#[from] SamplerError),
    /// It cannot make images of this size.
    #[error("the model cannot make images of {width_px} x {height_px} px; sides must be multiples of {step_px} px")]
    Size {
        /// What the recipe asks for.
        width_px: u32,
        /// What the recipe asks for.
        height_px: u32,
        /// What would do.
        step_px: u32,
    },
    /// ONNX Runtime cannot use the device.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// ONNX Runtime is wanted, and there is none.
    #[error("--engine ort needs ONNX Runtime, and there is none here; pip install onnxruntime, or set ORT_DYLIB_PATH")]
    NoRuntime,
    /// candle is wanted, or nothing else is there, and this build has none.
    #[error("this hardset was built without candle; build it with --features candle, or leave out --engine candle")]
    NoCandle,
    /// It stopped working.
    #[error("the diffusion model failed: {0}")]
    Engine(#[from] EngineError),
    /// The reference to compare with cannot be read.
    #[error("{file}: {problem}")]
    Reference {
        /// The file.
        file: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl DiffusionError {
    /// Whether a file or a device is missing.
    pub fn is_missing(&self) -> bool {
        matches!(
            self,
            Self::Model(ModelError::Read { .. } | ModelError::NoWeights { .. })
                | Self::Network(NetworkError::Device { .. })
                | Self::Runtime(_)
                | Self::NoRuntime
                | Self::NoCandle
        )
    }
}

impl From<NetworkError> for DiffusionError {
    fn from(error: NetworkError) -> Self {
        match error {
            NetworkError::Model(error) => Self::Model(error),
            other => Self::Network(other),
        }
    }
}

/// A model, loaded.
pub(super) struct Diffusion {
    spec: DiffusionSource,
    pixels_per_latent: u32,
    channels: usize,
    tokens: Tokens,
    sampler: SamplerConfig,
    engine: Arc<dyn Engine>,
    decoding: Arc<Decoding>,
    /// Whether images are decoded while the next ones are made. A CPU has no hands free for that.
    overlaps: bool,
    batch: usize,
    embeddings: HashMap<String, Vec<f32>>,
    facts: BTreeMap<String, String>,
    notes: Vec<String>,
}

/// Reads the model's configuration and checks that the recipe can be made with it; loads nothing.
pub(super) fn check(spec: &DiffusionSource) -> Result<(), DiffusionError> {
    checked(spec).map(|_| ())
}

fn checked(spec: &DiffusionSource) -> Result<(ModelConfig, SamplerConfig), DiffusionError> {
    let config = ModelConfig::open(&spec.model.path)?;
    let sampler = config.sampler(spec.sampler)?;
    sampler::build(&sampler, spec.steps)?;
    let (width_px, height_px, step_px) = (spec.width_px, spec.height_px, config.side_step_px());
    match width_px % step_px == 0 && height_px % step_px == 0 {
        true => Ok((config, sampler)),
        false => Err(DiffusionError::Size { width_px, height_px, step_px }),
    }
}

impl Diffusion {
    /// Loads the model of `spec`; `means.batch`: images per call, a default where there is none.
    pub fn load(spec: &DiffusionSource, means: &Means) -> Result<Self, DiffusionError> {
        let (config, sampler) = checked(spec)?;
        let choice = Choice::new(means, spec.precision)?;
        let batch = match means.batch {
            Some(batch) => batch.max(1) as usize,
            None => choice.images(&config)?,
        };
        let latents = |side_px: u32| (side_px / config.pixels_per_latent()) as usize;
        let (height, width) = (latents(spec.height_px), latents(spec.width_px));
        let engine = choice.load(&config, Size { images: batch, guided: spec.guidance > 1.0, height, width })?;
        let most = decoding::most_images(&config.vae.channels, spec.width_px as usize * spec.height_px as usize);
        let mut facts = choice.facts;
        facts.insert("sampler".to_owned(), sampler.kind().to_string());
        Ok(Self {
            decoding: Arc::new(Decoding::new(engine.clone(), (spec.width_px, spec.height_px)).at_most(most)),
            engine,
            overlaps: choice.device != Device::Cpu,
            pixels_per_latent: config.pixels_per_latent(),
            channels: config.vae.latent_channels,
            tokens: Tokens::read(&config.root, &config.text)?,
            facts,
            batch,
            embeddings: HashMap::new(),
            notes: choice.note.into_iter().collect(),
            spec: spec.clone(),
            sampler,
        })
    }

    /// As many images as fit; halves the batch, for good, when memory runs out.
    fn sample(&mut self, rows: &[PlanRow]) -> Result<Vec<Latents>, DiffusionError> {
        let (mut made, mut rest) = (Vec::new(), rows);
        while !rest.is_empty() {
            let (next, others) = rest.split_at(rest.len().min(self.batch));
            match self.sample_batch(next) {
                Err(DiffusionError::Engine(EngineError::OutOfMemory)) if self.batch > 1 => {
                    self.batch = self.batch.min(next.len()).div_ceil(2);
                    self.notes.push(format!("out of memory: {} image(s) at a time from here on", self.batch));
                }
                batch => {
                    made.push(batch?);
                    rest = others;
                }
            }
        }
        Ok(made)
    }

    fn sample_batch(&mut self, rows: &[PlanRow]) -> Result<Latents, DiffusionError> {
        let warnings = rows.iter().map(|row| self.warning(row)).collect::<Result<Vec<_>, _>>()?;
        let wanted = rows.iter().map(|row| row.prompt.as_deref().unwrap_or_default());
        let unwanted = rows.iter().map(|row| row.negative_prompt.as_deref().unwrap_or_default());
        let embeddings = match self.spec.guidance > 1.0 {
            true => self.embed(&unwanted.chain(wanted).collect::<Vec<_>>())?,
            false => self.embed(&wanted.collect::<Vec<_>>())?,
        };
        let (height, width) =
            (self.spec.height_px / self.pixels_per_latent, self.spec.width_px / self.pixels_per_latent);
        let shape = [self.channels, height as usize, width as usize];
        let seeds: Vec<u64> = rows.iter().map(|row| row.seed).collect();
        let first = seeds.iter().flat_map(|&seed| noise::latents(seed, shape.iter().product())).collect();
        let latents = Array::new([&[rows.len()], &shape[..]].concat(), first);
        let fresh =
            |call: usize, count: usize| seeds.iter().flat_map(|&seed| noise::fresh(seed, call, count)).collect();
        let run = Run { sampler: &self.sampler, steps: self.spec.steps, guidance: self.spec.guidance as f32 };
        Ok(Latents { array: run.sample(&*self.engine, latents, &embeddings, fresh)?, warnings })
    }

    /// What was cut off the row's prompts, if anything was.
    fn warning(&self, row: &PlanRow) -> Result<Option<String>, EngineError> {
        let mut cuts = Vec::new();
        for (what, text) in [("prompt", &row.prompt), ("negative prompt", &row.negative_prompt)] {
            let cut = self.tokens.encode(text.as_deref().unwrap_or_default()).map_err(EngineError::Failed)?.cut;
            cuts.extend((cut > 0).then(|| format!("the {what} is {cut} tokens too long and was cut")));
        }
        Ok((!cuts.is_empty()).then(|| cuts.join("; ")))
    }

    /// Embeddings of the prompts, each distinct one made once.
    fn embed(&mut self, prompts: &[&str]) -> Result<Array, DiffusionError> {
        if self.embeddings.len() > MOST_EMBEDDINGS {
            self.embeddings.clear();
        }
        let mut shape = Vec::new();
        for &prompt in prompts {
            if !self.embeddings.contains_key(prompt) {
                let Prompt { ids, .. } = self.tokens.encode(prompt).map_err(EngineError::Failed)?;
                let made = self.engine.encode(&[ids])?;
                self.embeddings.insert(prompt.to_owned(), made.data);
            }
            let length = self.embeddings[prompt].len();
            shape = vec![self.tokens.positions(), length / self.tokens.positions()];
        }
        Ok(Array::stack(&shape, prompts.iter().map(|&prompt| self.embeddings[prompt].as_slice())))
    }
}

impl Generator for Diffusion {
    fn generate(&mut self, requests: &[PlanRow]) -> Result<Pictures, GeneratorError> {
        let (latents, decoding) = (self.sample(requests)?, self.decoding.clone());
        let last_step = move || Ok(decoding.pictures(latents).map_err(DiffusionError::from)?);
        match self.overlaps {
            true => Ok(Pictures(Box::new(last_step))),
            false => last_step().map(Pictures::ready),
        }
    }

    fn block(&self) -> usize {
        self.batch
    }

    fn facts(&self) -> BTreeMap<String, String> {
        self.facts.clone()
    }

    fn take_notes(&mut self) -> Vec<String> {
        let mut notes = std::mem::take(&mut self.notes);
        notes.extend(self.decoding.take_notes());
        notes
    }
}

/// Why candle cannot run models on the GPU `index`; `None`: it can.
#[cfg(feature = "candle")]
pub fn candle_problem(index: u32) -> Option<String> {
    candle::check(Device::Cuda(index)).err()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::domain::{DiffusionModel, EngineChoice, ItemId, Outcome, Precision, PromptGrid};
    use crate::generator::Picture;

    /// A device on which no more than so many images (counted twice, for the guidance) fit.
    struct Small(Arc<dyn Engine>, usize);

    impl Engine for Small {
        fn encode(&self, tokens: &[Vec<u32>]) -> Result<Array, EngineError> {
            self.0.encode(tokens)
        }

        fn denoise(&self, latents: &Array, timestep: f32, embeddings: &Array) -> Result<Array, EngineError> {
            match latents.len() > self.1 {
                true => Err(EngineError::OutOfMemory),
                false => self.0.denoise(latents, timestep, embeddings),
            }
        }

        fn decode(&self, latents: &Array) -> Result<Array, EngineError> {
            match 2 * latents.len() > self.1 {
                true => Err(EngineError::OutOfMemory),
                false => self.0.decode(latents),
            }
        }
    }

    fn loaded() -> Diffusion {
        let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/sd-second"));
        let model = DiffusionModel { name: "second".into(), path, sha256: None, files: Vec::new(), licence: None };
        let prompts = PromptGrid {
            negative_prompt: String::new(),
            images_per_prompt: 1,
            pairs_per_category: None,
            nuisances: Vec::new(),
        };
        let (steps, guidance, precision) = (2, 4.0, Precision::Auto);
        let spec =
            DiffusionSource { width_px: 16, height_px: 16, steps, guidance, sampler: None, precision, prompts, model };
        let means = Means { device: Device::Cpu, batch: Some(8), engine: EngineChoice::Candle, runtime: None };
        Diffusion::load(&spec, &means).unwrap()
    }

    fn rows(n: u32) -> Vec<PlanRow> {
        let row = |id: u32| PlanRow {
            item_id: ItemId(id),
            category: "mug".into(),
            label_ids: vec![504],
            nuisance_kind: None,
            nuisance: None,
            template: None,
            prompt: Some(format!("a photo of mug {id}")),
            negative_prompt: None,
            seed: u64::from(id),
            source: None,
        };
        (0..n).map(row).collect()
    }

    fn small(fits: usize) -> Diffusion {
        let mut small = loaded();
        small.engine = Arc::new(Small(small.engine, fits));
        small.decoding = Arc::new(Decoding::new(small.engine.clone(), (16, 16)));
        small
    }

    fn made(diffusion: &mut Diffusion, count: u32) -> Vec<Outcome<Picture>> {
        diffusion.generate(&rows(count)).unwrap().finish().unwrap()
    }

    #[test]
    fn the_batch_halves_until_it_fits_and_stays_there() {
        let (mut large, mut small) = (loaded(), small(5));
        let pictures = made(&mut small, 11);
        assert_eq!(pictures, made(&mut large, 11));
        assert!(pictures.iter().all(|outcome| outcome.reason().is_none()), "{pictures:?}");
        assert_eq!((small.batch, small.block(), small.take_notes().len()), (2, 2, 2));
        made(&mut small, 3);
        assert!(small.take_notes().is_empty());
    }

    #[test]
    fn images_decoded_by_another_thread_in_pieces_are_the_same() {
        let (mut large, mut other) = (loaded(), loaded());
        other.overlaps = true;
        other.decoding = Arc::new(Decoding::new(Arc::new(Small(loaded().engine, 5)), (16, 16)));
        let first = other.generate(&rows(8)).unwrap();
        let thread = std::thread::spawn(|| first.finish().unwrap());
        let second = made(&mut other, 8);
        let first = thread.join().unwrap();
        assert_eq!((&first, &second), (&made(&mut large, 8), &first));
        assert_eq!(other.batch, 8);
        assert!(!other.take_notes().is_empty());
    }

    #[test]
    fn a_device_on_which_not_even_one_image_fits_is_an_error() {
        let error = small(1).generate(&rows(2)).err().unwrap().to_string();
        assert!(error.contains("out of memory"), "{error}");
    }
}
