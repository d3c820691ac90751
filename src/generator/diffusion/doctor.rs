//! Looks at a model: what it is, whether it gives the numbers of a reference, how fast it is here.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use super::choice::{Choice, Size};
use super::engine::{Array, Engine};
use super::model::{ModelConfig, Tokens};
use super::reference::Reference;
use super::sampler::{self, SamplerConfig};
use super::{DiffusionError, Run, pixels};
use crate::domain::{Precision, SamplerKind, UnknownSampler};
use crate::generator::{Benchmark, Compared, Means};

/// Largest absolute difference of an embedding, a UNet call or a VAE call that rounding in another order explains, in
/// f32.
const NUMBERS: f64 = 1e-4;
/// Largest distance of final latents, relative to their length (L2), in f32.
const LATENTS: f64 = 1e-3;
/// The same two in f16 and bf16: eps is 8,192 and 65,536 times f32's, but errors average out.
const HALF_NUMBERS: f64 = 5e-2;
const HALF_LATENTS: f64 = 1e-1;

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
    Tokens::read(root, &config.text)?;
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

/// What would run a model's networks.
pub fn engine(means: &Means, precision: Precision) -> Result<BTreeMap<String, String>, DiffusionError> {
    Ok(Choice::new(means, precision)?.facts)
}

/// Loads all networks of the model in folder `root`, for one image of the size that it was trained for.
pub fn load(root: &Path, means: &Means, precision: Precision) -> Result<(), DiffusionError> {
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

/// Holds the model against a reference file, in the shape of `tests/golden/make_sd.py`'s.
pub fn compare(
    root: &Path,
    reference: &Path,
    means: &Means,
    precision: Precision,
) -> Result<Vec<Compared>, DiffusionError> {
    let config = ModelConfig::open(root)?;
    let reference = Reference::read(reference)?;
    let choice = Choice::new(means, precision)?;
    let (numbers, latents) = match choice.precision {
        Precision::F16 | Precision::Bf16 => (HALF_NUMBERS, HALF_LATENTS),
        Precision::Auto | Precision::F32 => (NUMBERS, LATENTS),
    };
    let mut table = Vec::new();
    let tokens = Tokens::read(root, &config.text)?;
    let shapes = Shapes::of(&config, &reference)?;
    let [images, _, height, width] = shapes.latents;
    let engine = choice.load(&config, Size { images, guided: reference.guidance > 1.0, height, width })?;
    let encode = |prompt: &String| tokens.encode(prompt).map(|prompt| prompt.ids).map_err(super::EngineError::Failed);
    let ids = reference.prompts.iter().map(encode).collect::<Result<Vec<_>, _>>()?;
    let theirs = reference.ids("token_ids", &shapes.embeddings[..2])?;
    let differ = ids.concat().iter().zip(theirs).filter(|(a, b)| i64::from(**a) != *b).count();
    table.push(Compared { what: "token ids".to_owned(), measure: "differ", found: differ as f64, allowed: 0.0 });
    let close = |what: &str, ours: &Array, theirs: &Array| Compared {
        what: what.to_owned(),
        measure: "max abs",
        found: largest_difference(ours, theirs),
        allowed: numbers,
    };
    let wanted = reference.array("text_embeddings", &shapes.embeddings)?;
    table.push(close("text embeddings", &engine.encode(&ids)?, &wanted));
    let unwanted = engine.encode(&vec![encode(&reference.negative)?; ids.len()])?;
    table.push(close("negative embeddings", &unwanted, &reference.array("uncond_embeddings", &shapes.embeddings)?));
    let first = reference.array("initial_latents", &shapes.latents)?;
    let answer = engine.denoise(&first, 801.0, &wanted)?;
    table.push(close("UNet call at 801", &answer, &reference.array("unet_at_t801", &shapes.latents)?));
    let pixels = reference.array("vae_decode_of_initial", &shapes.images)?;
    table.push(close("VAE call", &engine.decode(&first)?, &pixels));
    for name in reference.samplers()? {
        let sampler = sampler_called(&config, &name)?;
        let steps = sampler::build(&sampler, reference.steps)?.timesteps().to_vec();
        let theirs = reference.array(&format!("timesteps_{name}"), &[0])?.data;
        let differ = steps.iter().zip(&theirs).filter(|(a, b)| a != b).count() + steps.len().abs_diff(theirs.len());
        let what = format!("timesteps, {name}");
        table.push(Compared { what, measure: "differ", found: differ as f64, allowed: 0.0 });
        table.extend(whole_way(&*engine, &reference, (&name, &sampler, &shapes), latents)?);
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

/// All steps of one sampler from the reference's noise, and the images they end in.
fn whole_way(
    engine: &dyn Engine,
    reference: &Reference,
    (name, sampler, shapes): (&str, &SamplerConfig, &Shapes),
    allowed: f64,
) -> Result<Vec<Compared>, DiffusionError> {
    let [unwanted, wanted] = ["uncond_embeddings", "text_embeddings"];
    let unwanted = reference.array(unwanted, &shapes.embeddings)?;
    let wanted = reference.array(wanted, &shapes.embeddings)?;
    let embeddings = match reference.guidance > 1.0 {
        true => Array::stack(&wanted.shape[1..], [unwanted.data.as_slice(), wanted.data.as_slice()]),
        false => wanted,
    };
    let built = sampler::build(sampler, reference.steps)?;
    let calls = built.timesteps().len();
    let noise = match (0..calls).any(|call| built.wants_noise(call)) {
        true => {
            let [n, c, h, w] = shapes.latents;
            Some(reference.array(&format!("noise_{name}"), &[calls, n, c, h, w])?)
        }
        false => None,
    };
    let fresh = |call: usize, _| noise.as_ref().map_or_else(Vec::new, |noise| noise.entry(call).to_vec());
    let run = Run { sampler, steps: reference.steps, guidance: reference.guidance };
    let ours = run.sample(engine, reference.array("initial_latents", &shapes.latents)?, &embeddings, fresh)?;
    let theirs = reference.array(&format!("final_latents_{name}"), &shapes.latents)?;
    let images = engine.decode(&ours)?;
    let planes = images.data.chunks(images.stride());
    let levels: Vec<u8> = planes.flat_map(|planes| pixels::levels(planes, images.shape[3])).collect();
    let wanted = reference.pixels(&format!("image_u8_{name}"), &shapes.images)?;
    let apart = levels.iter().zip(&wanted).map(|(a, b)| a.abs_diff(*b));
    let unequal = apart.clone().filter(|&apart| apart > 0).count() as f64 / wanted.len().max(1) as f64;
    let compared =
        |what: &str, measure, found, allowed| Compared { what: format!("{what}, {name}"), measure, found, allowed };
    // Half precision moves images by more than a level; the latents say how far.
    let (most, share) = if allowed > LATENTS { (255.0, 1.0) } else { (1.0, 0.01) };
    Ok(vec![
        compared("final latents", "rel L2", relative_distance(&ours, &theirs), allowed),
        compared("images", "levels", f64::from(apart.max().unwrap_or(0)), most),
        compared("images", "unequal", unequal, share),
    ])
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

/// Makes one image of `side_px` in `steps` calls of the UNet and takes the time; the first call of each network does
/// not
/// count.
pub fn benchmark(
    root: &Path,
    means: &Means,
    precision: Precision,
    (side_px, steps): (u32, u32),
) -> Result<Benchmark, DiffusionError> {
    let config = ModelConfig::open(root)?;
    let choice = Choice::new(means, precision)?;
    let side = side_of_latents(&config, side_px);
    let start = Instant::now();
    let engine = choice.load(&config, Size { images: 1, guided: true, height: side, width: side })?;
    let load_secs = start.elapsed().as_secs_f64();
    let tokens = Tokens::read(root, &config.text)?;
    let ids = ["", "a photo of a mug in the kitchen"].map(|prompt| tokens.encode(prompt).map(|prompt| prompt.ids));
    let [unwanted, wanted] = ids;
    let ids = [unwanted.map_err(super::EngineError::Failed)?, wanted.map_err(super::EngineError::Failed)?];
    let shape = [1, config.vae.latent_channels, side, side];
    let latents = Array::new(shape, super::noise::latents(1, shape.iter().product()));
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
