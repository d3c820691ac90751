//! Looks at a model: what it is, whether it gives the numbers of a reference, how fast it is here.

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::choice::{Choice, Size};
use super::engine::{Array, Engine, EngineError};
use super::error::DiffusionError;
use super::model::{self, ModelConfig};
use super::reference::Reference;
use super::run::Run;
use super::sampler::{self, SamplerConfig};
use super::{noise, pixels};
use crate::domain::{Compared, Precision, SamplerKind, UnknownSampler};
use crate::generator::{Benchmark, Means};
use crate::text::Tokens;

/// Largest differences that rounding in another order explains.
#[derive(Clone, Copy)]
struct Tolerance {
    /// Absolute, of an embedding, a UNet call or a VAE call.
    numbers: f64,
    /// Of final latents, relative to their length (L2).
    latents: f64,
    /// Of one pixel of an image, in levels.
    levels: f64,
    /// Share of the pixels that may differ at all.
    unequal: f64,
}

const IN_F32: Tolerance = Tolerance { numbers: 1e-4, latents: 1e-3, levels: 1.0, unequal: 0.01 };
/// In f16 and bf16 eps is 8,192 and 65,536 times that of f32, but errors average out. Images differ by more than a
/// level; the latents say how far.
const IN_HALVES: Tolerance = Tolerance { numbers: 5e-2, latents: 1e-1, levels: 255.0, unequal: 1.0 };

/// The files of the model in folder `root` that decide what it makes, relative to it, in a fixed order.
pub fn files(root: &Path) -> Result<Vec<PathBuf>, DiffusionError> {
    Ok(model::files(root)?)
}

/// What the model in folder `root` is and needs.
pub fn facts(root: &Path) -> Result<Vec<(&'static str, String)>, DiffusionError> {
    let config = ModelConfig::open(root)?;
    let weights = ["text_encoder", "unet", "vae"].map(|part| config.weights(part));
    let [text, unet, vae] = weights;
    let (text, unet, vae) = (text?, unet?, vae?);
    let counts = [text.count(""), unet.count(""), vae.count("decoder.") + vae.count("post_quant_conv.")];
    let millions = |count: u64| format!("{:.1} M parameters", count as f64 / 1e6);
    let gib = |bytes: u64| counts.iter().sum::<u64>() as f64 * bytes as f64 / f64::from(1 << 30);
    let sampler = config.sampler(None)?;
    config.tokens()?;
    let blocks: Vec<String> = config.unet.blocks.iter().map(|block| block.channels.to_string()).collect();
    let native = config.native_side_px().map_or_else(|| "not said".to_owned(), |side| format!("{side} x {side} px"));
    Ok(vec![
        (
            "text encoder",
            format!("CLIP, {} layers of {}, {}", config.text.layers, config.text.width, millions(counts[0])),
        ),
        ("UNet", format!("levels of {} channels, {}", blocks.join(", "), millions(counts[1]))),
        ("VAE decoder", format!("{} levels, {}", config.vae.channels.len(), millions(counts[2]))),
        ("stored in", unet.main_type()),
        ("trained for", native),
        ("sides", format!("multiples of {} px", config.side_step_px())),
        ("sampler", format!("{}, predicts {}", sampler.kind(), sampler.prediction.name())),
        ("memory for weights", format!("{:.2} GiB in f32, {:.2} GiB in f16", gib(4), gib(2))),
    ])
}

/// Loads all networks of the model in folder `root`, for one image of the size that it was trained for.
pub fn load_networks(root: &Path, means: &Means, precision: Precision) -> Result<(), DiffusionError> {
    let config = ModelConfig::open(root)?;
    let choice = Choice::new(means, precision)?;
    let side = side_of_latents(&config, config.native_side_px().unwrap_or(0));
    choice.load(&config, Size { images: 1, guided: true, height: side, width: side })?;
    Ok(())
}

/// The latents' side for images of about `side_px` that the model can make.
fn side_of_latents(config: &ModelConfig, side_px: u32) -> usize {
    let step_px = config.side_step_px();
    ((side_px / step_px).max(1) * step_px / config.pixels_per_latent()) as usize
}

/// Compares the model with a reference file, as `tests/golden/make_sd.py` writes it.
pub fn compare(
    root: &Path,
    reference: &Path,
    means: &Means,
    precision: Precision,
) -> Result<Vec<Compared>, DiffusionError> {
    let config = ModelConfig::open(root)?;
    let reference = Reference::read(reference)?;
    let choice = Choice::new(means, precision)?;
    let allowed = match choice.precision {
        Precision::F16 | Precision::Bf16 => IN_HALVES,
        Precision::Auto | Precision::F32 => IN_F32,
    };
    let tokens = config.tokens()?;
    let shapes = Shapes::of(&config, &reference)?;
    let [images, _, height, width] = shapes.latents;
    let engine = choice.load(&config, Size { images, guided: reference.guidance > 1.0, height, width })?;
    let comparison = Comparison { config, reference, engine: &*engine, shapes, allowed };
    let mut table = comparison.of_networks(&tokens)?;
    for name in comparison.reference.samplers()? {
        table.extend(comparison.of_sampler(&name)?);
    }
    Ok(table)
}

/// Shapes that a reference for a model must have.
struct Shapes {
    embeddings: [usize; 3],
    latents: [usize; 4],
    images: [usize; 4],
}

impl Shapes {
    /// As many images as prompts, of the size that the reference's first latents have; it must suit the model.
    fn of(config: &ModelConfig, reference: &Reference) -> Result<Self, DiffusionError> {
        let (n, channels, scale) =
            (reference.prompts.len(), config.vae.latent_channels, config.pixels_per_latent() as usize);
        let first = reference.array("initial_latents", &[n, channels, 0, 0])?;
        let (height, width) = (first.shape[2], first.shape[3]);
        let step = config.side_step_px() as usize / scale;
        if height % step != 0 || width % step != 0 {
            let problem = format!("`initial_latents` are {height} x {width}; multiples of {step} are wanted");
            return Err(DiffusionError::Reference { file: "the reference".to_owned(), problem });
        }
        Ok(Self {
            embeddings: [n, config.text.positions, config.text.width],
            latents: [n, channels, height, width],
            images: [n, 3, height * scale, width * scale],
        })
    }
}

/// A model beside its reference.
struct Comparison<'a> {
    config: ModelConfig,
    reference: Reference,
    engine: &'a dyn Engine,
    shapes: Shapes,
    allowed: Tolerance,
}

impl Comparison<'_> {
    /// The tokens, and one call of each network.
    fn of_networks(&self, tokens: &Tokens) -> Result<Vec<Compared>, DiffusionError> {
        let (reference, shapes, engine) = (&self.reference, &self.shapes, self.engine);
        let mut ids = Vec::new();
        for prompt in &reference.prompts {
            ids.push(encoded(tokens, prompt)?);
        }
        let theirs = reference.ids("token_ids", &shapes.embeddings[..2])?;
        let differ = ids.concat().iter().zip(theirs).filter(|(a, b)| i64::from(**a) != *b).count();
        let wanted = reference.array("text_embeddings", &shapes.embeddings)?;
        let embeddings = engine.encode(&ids)?;
        let unwanted = engine.encode(&vec![encoded(tokens, &reference.negative)?; ids.len()])?;
        let unwanted_there = reference.array("uncond_embeddings", &shapes.embeddings)?;
        let first = reference.array("initial_latents", &shapes.latents)?;
        let answer = engine.denoise(&first, 801.0, &wanted)?;
        let answer_there = reference.array("unet_at_t801", &shapes.latents)?;
        let pixels_there = reference.array("vae_decode_of_initial", &shapes.images)?;
        let pixels = engine.decode(&first)?;
        Ok(vec![
            Compared { what: "token ids".to_owned(), measure: "differ", found: differ as f64, allowed: 0.0 },
            self.numbers("text embeddings", &embeddings, &wanted),
            self.numbers("negative embeddings", &unwanted, &unwanted_there),
            self.numbers("UNet call at 801", &answer, &answer_there),
            self.numbers("VAE call", &pixels, &pixels_there),
        ])
    }

    fn numbers(&self, what: &str, ours: &Array, theirs: &Array) -> Compared {
        let found = largest_difference(ours, theirs);
        Compared { what: what.to_owned(), measure: "max abs", found, allowed: self.allowed.numbers }
    }

    /// The timesteps of the sampler `name`, all its steps from the reference's noise, and the images at their end.
    fn of_sampler(&self, name: &str) -> Result<Vec<Compared>, DiffusionError> {
        let (reference, shapes) = (&self.reference, &self.shapes);
        let sampler = sampler_called(&self.config, name)?;
        let built = sampler::build(&sampler, reference.steps)?;
        let (steps, calls) = (built.timesteps(), built.timesteps().len());
        let theirs = reference.array(&format!("timesteps_{name}"), &[0])?.data;
        let differ = steps.iter().zip(&theirs).filter(|(a, b)| a != b).count() + calls.abs_diff(theirs.len());
        let embeddings = self.embeddings()?;
        let noise = if (0..calls).any(|call| built.wants_noise(call)) {
            let [n, c, h, w] = shapes.latents;
            Some(reference.array(&format!("noise_{name}"), &[calls, n, c, h, w])?)
        } else {
            None
        };
        let fresh = |call: usize, _| noise.as_ref().map_or_else(Vec::new, |noise| noise.entry(call).to_vec());
        let run = Run { sampler: &sampler, steps: reference.steps, guidance: reference.guidance };
        let first = reference.array("initial_latents", &shapes.latents)?;
        let ours = run.sample(self.engine, first, &embeddings, fresh)?;
        let theirs = reference.array(&format!("final_latents_{name}"), &shapes.latents)?;
        let images = self.engine.decode(&ours)?;
        let planes = images.data.chunks(images.stride());
        let levels: Vec<u8> = planes.flat_map(|planes| pixels::levels(planes, images.shape[3])).collect();
        let wanted = reference.pixels(&format!("image_u8_{name}"), &shapes.images)?;
        let apart = levels.iter().zip(&wanted).map(|(a, b)| a.abs_diff(*b));
        let unequal = apart.clone().filter(|&apart| apart > 0).count() as f64 / wanted.len().max(1) as f64;
        let most = f64::from(apart.max().unwrap_or(0));
        let row =
            |what: &str, measure, found, allowed| Compared { what: format!("{what}, {name}"), measure, found, allowed };
        let allowed = self.allowed;
        Ok(vec![
            row("timesteps", "differ", differ as f64, 0.0),
            row("final latents", "rel L2", relative_distance(&ours, &theirs), allowed.latents),
            row("images", "levels", most, allowed.levels),
            row("images", "unequal", unequal, allowed.unequal),
        ])
    }

    /// The reference's own embeddings, with guidance those of the negative prompt first.
    fn embeddings(&self) -> Result<Array, DiffusionError> {
        let unwanted = self.reference.array("uncond_embeddings", &self.shapes.embeddings)?;
        let wanted = self.reference.array("text_embeddings", &self.shapes.embeddings)?;
        if self.reference.guidance <= 1.0 {
            return Ok(wanted);
        }
        Ok(Array::stack(&wanted.shape[1..], [unwanted.data.as_slice(), wanted.data.as_slice()]))
    }
}

fn encoded(tokens: &Tokens, prompt: &str) -> Result<Vec<u32>, EngineError> {
    Ok(tokens.encode(prompt).map_err(EngineError::Failed)?.ids)
}

fn sampler_called(config: &ModelConfig, name: &str) -> Result<SamplerConfig, DiffusionError> {
    let kind: SamplerKind = name.replace('_', "-").parse().map_err(|problem: UnknownSampler| {
        DiffusionError::Reference { file: format!("final_latents_{name}"), problem: problem.to_string() }
    })?;
    Ok(config.sampler(Some(kind))?)
}

fn largest_difference(ours: &Array, theirs: &Array) -> f64 {
    if ours.shape != theirs.shape {
        return f64::NAN;
    }
    let apart = ours.data.iter().zip(&theirs.data).map(|(a, b)| f64::from((a - b).abs()));
    apart.fold(0.0, |most, apart| if apart.is_nan() || apart > most { apart } else { most })
}

fn relative_distance(ours: &Array, theirs: &Array) -> f64 {
    if ours.shape != theirs.shape {
        return f64::NAN;
    }
    let square = |x: f32| f64::from(x) * f64::from(x);
    let apart: f64 = ours.data.iter().zip(&theirs.data).map(|(a, b)| square(a - b)).sum();
    (apart / theirs.data.iter().map(|&x| square(x)).sum::<f64>()).sqrt()
}

/// Makes one image and takes the time; the first call of each network does not count.
///
/// `size`: side in px, calls of the UNet.
pub fn benchmark(
    root: &Path,
    means: &Means,
    precision: Precision,
    size: (u32, u32),
) -> Result<Benchmark, DiffusionError> {
    let (side_px, steps) = size;
    let config = ModelConfig::open(root)?;
    let choice = Choice::new(means, precision)?;
    let side = side_of_latents(&config, side_px);
    let start = Instant::now();
    let engine = choice.load(&config, Size { images: 1, guided: true, height: side, width: side })?;
    let load_secs = start.elapsed().as_secs_f64();
    let tokens = config.tokens()?;
    let ids = [encoded(&tokens, "")?, encoded(&tokens, "a photo of a mug in the kitchen")?];
    let shape = [1, config.vae.latent_channels, side, side];
    let latents = Array::new(shape, noise::latents(1, shape.iter().product()));
    let both = Array::stack(&shape[1..], [latents.data.as_slice(), &latents.data]);
    let embeddings = engine.encode(&ids)?;
    engine.denoise(&both, 801.0, &embeddings)?;
    engine.decode(&latents)?;
    let start = Instant::now();
    engine.encode(&ids)?;
    let text_secs = start.elapsed().as_secs_f64();
    let start = Instant::now();
    for step in 0..steps.max(1) {
        engine.denoise(&both, 800.0 - step as f32, &embeddings)?;
    }
    let unet_secs = start.elapsed().as_secs_f64() / f64::from(steps.max(1));
    let start = Instant::now();
    engine.decode(&latents)?;
    let vae_secs = start.elapsed().as_secs_f64();
    let images_per_sec = 1.0 / (text_secs + f64::from(steps) * unet_secs + vae_secs);
    Ok(Benchmark { load_secs, text_secs, unet_secs, vae_secs, images_per_sec })
}
