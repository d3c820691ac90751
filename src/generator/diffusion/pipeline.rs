//! Batches of prompts to pictures: tokens, embeddings, noise, sampling and decoding, with batches that shrink to fit.
//!
//! Holds always: an image depends on its row and the recipe alone, not on the batch around it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::choice::{Choice, Size};
use super::decoding::{self, Decoding, Latents};
use super::engine::{Array, Engine, EngineError};
use super::error::DiffusionError;
use super::model::ModelConfig;
use super::noise;
use super::run::Run;
use super::sampler::{self, SamplerConfig};
use crate::domain::{Device, DiffusionSource, PlanRow};
use crate::generator::{Generator, GeneratorError, Means, Pictures};
use crate::text::{Prompt, Tokens};

/// Embeddings kept for prompts that come again; 30 MB of them for Stable Diffusion 1.5.
const MOST_EMBEDDINGS: usize = 128;

/// Reads the model's configuration and checks that the recipe can be made with it; loads nothing.
pub fn check(spec: &DiffusionSource) -> Result<(), DiffusionError> {
    checked(spec).map(drop)
}

/// Loads the model of `spec`; `means.batch`: images per call, a default where it is `None`.
pub fn load(spec: &DiffusionSource, means: &Means) -> Result<Box<dyn Generator>, DiffusionError> {
    Ok(Box::new(Diffusion::load(spec, means)?))
}

fn checked(spec: &DiffusionSource) -> Result<(ModelConfig, SamplerConfig), DiffusionError> {
    let config = ModelConfig::open(&spec.model.path)?;
    let sampler = config.sampler(spec.sampler)?;
    sampler::build(&sampler, spec.steps)?;
    let (width_px, height_px, step_px) = (spec.width_px, spec.height_px, config.side_step_px());
    if width_px % step_px != 0 || height_px % step_px != 0 {
        return Err(DiffusionError::Size { width_px, height_px, step_px });
    }
    Ok((config, sampler))
}

/// A model, loaded.
struct Diffusion {
    spec: DiffusionSource,
    pixels_per_latent: u32,
    channels: usize,
    tokens: Tokens,
    sampler: SamplerConfig,
    engine: Arc<dyn Engine>,
    decoding: Arc<Decoding>,
    /// Whether images are decoded while the next ones are made. On a CPU all cores are busy already.
    overlaps: bool,
    batch: usize,
    embeddings: HashMap<String, Vec<f32>>,
    facts: BTreeMap<String, String>,
    notes: Vec<String>,
}

impl Diffusion {
    fn load(spec: &DiffusionSource, means: &Means) -> Result<Self, DiffusionError> {
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
            tokens: config.tokens()?,
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
        let embeddings = if self.spec.guidance > 1.0 {
            self.embed(&unwanted.chain(wanted).collect::<Vec<_>>())?
        } else {
            self.embed(&wanted.collect::<Vec<_>>())?
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
        if self.overlaps { Ok(Pictures::later(last_step)) } else { last_step().map(Pictures::ready) }
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

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::domain::{DiffusionModel, EngineChoice, ItemId, Outcome, Precision, PromptGrid};
    use crate::generator::Picture;

    /// A device on which at most this many images fit (counted twice, for the guidance).
    struct Small(Arc<dyn Engine>, usize);

    impl Engine for Small {
        fn encode(&self, tokens: &[Vec<u32>]) -> Result<Array, EngineError> {
            self.0.encode(tokens)
        }

        fn denoise(&self, latents: &Array, timestep: f32, embeddings: &Array) -> Result<Array, EngineError> {
            if latents.len() > self.1 {
                return Err(EngineError::OutOfMemory);
            }
            self.0.denoise(latents, timestep, embeddings)
        }

        fn decode(&self, latents: &Array) -> Result<Array, EngineError> {
            if 2 * latents.len() > self.1 {
                return Err(EngineError::OutOfMemory);
            }
            self.0.decode(latents)
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
