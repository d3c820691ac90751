//! The settings of a diffusion model: the grid of prompts, and how an image is made from a prompt.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{PinnedFile, SamplerKind, Sha256};

/// Images of a text-to-image diffusion model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DiffusionSource {
    /// Width of the images.
    pub width_px: u32,
    /// Height of the images.
    pub height_px: u32,
    /// Steps of the sampler, from 1.
    pub steps: u32,
    /// Classifier-free guidance; 1 or less: none (Ho and Salimans, 2022).
    pub guidance: f64,
    /// The sampler; `None`: the one that the model's own `scheduler_config.json` names.
    pub sampler: Option<SamplerKind>,
    /// The type of numbers in which the networks compute.
    pub precision: Precision,
    /// What the images should show.
    pub prompts: PromptGrid,
    /// The model.
    pub model: DiffusionModel,
}

impl DiffusionSource {
    /// A description of everything that the time for an image depends on, except the device.
    pub fn workload(&self) -> String {
        let guided = if self.guidance > 1.0 { "guided" } else { "unguided" };
        format!("{} at {} x {} px, {} {guided} steps", self.model.name, self.width_px, self.height_px, self.steps)
    }
}

/// A model in a folder in the Hugging Face diffusers layout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DiffusionModel {
    /// The name in the recipe: a folder, or the id of a model in `data-manifest.toml`.
    pub name: String,
    /// The folder; empty until it has been found.
    pub path: PathBuf,
    /// Hash of the names and hashes of all its files.
    pub sha256: Option<Sha256>,
    /// Its files, paths relative to the folder.
    pub files: Vec<PinnedFile>,
    /// Its licence, from the data manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
}

impl DiffusionModel {
    /// The last part of its name, if that is a path; ids of models have one part.
    pub fn short_name(&self) -> String {
        Path::new(&self.name).file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    }
}

/// The type of numbers in which networks compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// f32 on a CPU, f16 on a GPU.
    Auto,
    /// 32-bit floating point.
    F32,
    /// 16-bit floating point; on a GPU only.
    F16,
    /// bfloat16; on a GPU only.
    Bf16,
}

impl Precision {
    /// The name in recipes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        }
    }
}

/// Categories x nuisances x templates x repetitions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PromptGrid {
    /// The negative prompt: what the images should not show; may be empty.
    pub negative_prompt: String,
    /// Images of each prompt, with different seeds; at least 1.
    pub images_per_prompt: u32,
    /// Nuisance values for each category, spread evenly over the kinds and their values; `None`: all of them.
    pub pairs_per_category: Option<u32>,
    /// The kinds of nuisance, in the order of the recipe.
    pub nuisances: Vec<NuisanceSet>,
}

/// A kind of nuisance, with the hash of the file it came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NuisanceSet {
    /// Its name: the stem of its TOML file.
    pub kind: String,
    /// Hash of the TOML that was read.
    pub sha256: Sha256,
    /// Templates of the prompts, for the values that have a phrase.
    pub templates: Vec<String>,
    /// The values, in the file's order.
    pub values: Vec<NuisanceValue>,
}

/// One value of a nuisance: with a phrase that goes into the kind's templates, or with a template of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NuisanceValue {
    /// Short name for tables, unique in its kind.
    pub id: String,
    /// The phrase for it in prompts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phrase: Option<String>,
    /// A template for this value alone, without a phrase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
}
