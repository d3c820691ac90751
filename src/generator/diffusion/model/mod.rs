//! A model on disk: a folder in the Hugging Face diffusers layout.
//!
//! Reads the folder's own JSON; the code holds nothing about any one model. Settings that cannot be run are refused
//! here, by file and key, before any weight is read. Runs nothing itself.

mod json;
mod text;
mod unet;
mod vae;
mod weights;

use std::path::{Path, PathBuf};

pub use json::ModelError;
pub(super) use text::{Activation, TextConfig};
pub(super) use unet::{Block, UnetConfig};
pub(super) use vae::VaeConfig;
pub(super) use weights::{Raw, RawType, Weights};

use json::Json;

use super::sampler::SamplerConfig;
use crate::domain::SamplerKind;
use crate::text::{TextError, Tokens};

/// The parts of a pipeline that are read, and the stem of their weights.
const PARTS: [(&str, &str); 3] =
    [("text_encoder", "model"), ("unet", "diffusion_pytorch_model"), ("vae", "diffusion_pytorch_model")];

/// Files that are read where they exist, beside the weights.
const SMALL_FILES: [&str; 11] = [
    "model_index.json",
    "scheduler/scheduler_config.json",
    "text_encoder/config.json",
    "tokenizer/merges.txt",
    "tokenizer/special_tokens_map.json",
    "tokenizer/tokenizer.json",
    "tokenizer/tokenizer_config.json",
    "tokenizer/vocab.json",
    "unet/config.json",
    "vae/config.json",
    "tokenizer/added_tokens.json",
];

/// A model's configuration, checked.
#[derive(Debug, Clone)]
pub(super) struct ModelConfig {
    pub root: PathBuf,
    pub text: TextConfig,
    pub unet: UnetConfig,
    pub vae: VaeConfig,
}

impl ModelConfig {
    /// Reads the folder's JSON files.
    pub fn open(root: &Path) -> Result<Self, ModelError> {
        let index = Json::read(root, "model_index.json")?;
        index.only("_class_name", &["StableDiffusionPipeline"])?;
        index.only_part("text_encoder", "CLIPTextModel")?;
        index.only_part("unet", "UNet2DConditionModel")?;
        index.only_part("vae", "AutoencoderKL")?;
        let text = TextConfig::read(&Json::read(root, "text_encoder/config.json")?)?;
        let json = Json::read(root, "unet/config.json")?;
        let unet = UnetConfig::read(&json)?;
        let vae = VaeConfig::read(&Json::read(root, "vae/config.json")?)?;
        if unet.context_width != text.width {
            let problem = format!("is {}, but the text encoder gives {}", unet.context_width, text.width);
            return Err(json.refuse("cross_attention_dim", problem));
        }
        if unet.in_channels != vae.latent_channels || unet.out_channels != vae.latent_channels {
            let problem = format!(
                "is {} and `out_channels` {}, but the latents have {} channels (inpainting and depth models take more)",
                unet.in_channels, unet.out_channels, vae.latent_channels
            );
            return Err(json.refuse("in_channels", problem));
        }
        let config = Self { root: root.to_owned(), text, unet, vae };
        config.sampler(None)?;
        Ok(config)
    }

    /// The scheduler that the model's own file describes, or another one made of that file's keys.
    pub fn sampler(&self, choice: Option<SamplerKind>) -> Result<SamplerConfig, ModelError> {
        let (file, text) = json::read_text(&self.root, "scheduler/scheduler_config.json")?;
        SamplerConfig::from_json(&text, choice).map_err(|error| ModelError::File { file, problem: error.to_string() })
    }

    /// The tokenizer.
    pub fn tokens(&self) -> Result<Tokens, ModelError> {
        Tokens::read(&self.root, self.text.vocabulary, self.text.positions).map_err(|error| match error {
            TextError::Read { file, source } => ModelError::Read { file, source },
            TextError::File { file, problem } => ModelError::File { file, problem },
        })
    }

    /// Pixels of the image for one of the latents, each way.
    pub fn pixels_per_latent(&self) -> u32 {
        1 << (self.vae.channels.len() - 1)
    }

    /// Sides of images must be multiples of this, in pixels: every level of the UNet halves the latents.
    pub fn side_step_px(&self) -> u32 {
        self.pixels_per_latent() << (self.unet.blocks.len() - 1)
    }

    /// The side that the model was trained for, in pixels, if its JSON says so.
    pub fn native_side_px(&self) -> Option<u32> {
        self.unet.sample_size.map(|side| side as u32 * self.pixels_per_latent())
    }

    /// The weights of one part: `text_encoder`, `unet` or `vae`.
    pub fn weights(&self, part: &'static str) -> Result<Weights, ModelError> {
        let files = weight_files(&self.root, part)?;
        Weights::open(&files)
    }
}

/// All files of a model that decide what it makes, in a fixed order, relative to its folder.
pub fn files(root: &Path) -> Result<Vec<PathBuf>, ModelError> {
    let small = SMALL_FILES.iter().map(PathBuf::from).filter(|path| root.join(path).is_file());
    let mut files: Vec<PathBuf> = small.collect();
    for (part, _) in PARTS {
        let weights = weight_files(root, part)?;
        files.extend(weights.iter().filter_map(|path| path.strip_prefix(root).ok()).map(Path::to_owned));
    }
    Ok(files)
}

/// Variants of weights that are looked for after those without a name, in this order. `non_ema` is for training.
const VARIANTS: [&str; 3] = ["fp16", "bf16", "fp32"];

/// The safetensors of a part: one file, or the shards that its index lists; of several variants the first.
fn weight_files(root: &Path, part: &'static str) -> Result<Vec<PathBuf>, ModelError> {
    let stem = PARTS.iter().find(|(name, _)| *name == part).map_or("model", |(_, stem)| stem);
    let folder = root.join(part);
    let (mut whole, mut indices) =
        (vec![format!("{stem}.safetensors")], vec![format!("{stem}.safetensors.index.json")]);
    for variant in VARIANTS {
        whole.push(format!("{stem}.{variant}.safetensors"));
        // The names of diffusers and transformers (`_add_variant`), and those that early versions wrote.
        indices.push(format!("{stem}.safetensors.index.{variant}.json"));
        indices.push(format!("{stem}.{variant}.safetensors.index.json"));
    }
    if let Some(name) = whole.iter().find(|name| folder.join(name).is_file()) {
        return Ok(vec![folder.join(name)]);
    }
    if let Some(name) = indices.iter().find(|name| folder.join(name).is_file()) {
        return Json::read(root, &format!("{part}/{name}"))?.shards(&folder);
    }
    Err(ModelError::NoWeights { folder: folder.display().to_string(), stem: (*stem).to_owned() })
}
