//! The section `[generate]` of a pipeline -> a checked spec; `stage` looks for folders and models later.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{ConfigError, lookup, lookup::TomlFile, nuisances, read_file};
use crate::domain::{
    DiffusionModel, DiffusionSource, FakeImages, FolderSource, GenerateSpec, LabelSource, PinnedFile, Precision,
    PromptGrid, SamplerKind, Sha256,
};

/// The largest picture that is decoded by default: above it, Pillow warns of a decompression bomb.
const MAX_PIXELS: u64 = 89_478_485;
const MAX_FILE_BYTES: u64 = 256 << 20;
/// Defaults of Stable Diffusion 1.x in diffusers: size, guidance. 20 steps are enough for its faster samplers.
const SIZE_PX: u32 = 512;
const GUIDANCE: f64 = 7.5;
const STEPS: u32 = 20;

#[derive(Deserialize)]
#[serde(tag = "source", rename_all = "lowercase")]
pub(super) enum RawGenerate {
    Folder(RawFolder),
    Diffusion(RawDiffusion),
    Fake(RawFake),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFolder {
    root: Option<PathBuf>,
    labels: Option<LabelSource>,
    labels_csv: Option<PathBuf>,
    recursive: Option<bool>,
    max_pixels: Option<u64>,
    max_file_bytes: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDiffusion {
    model: String,
    nuisances: Vec<String>,
    negative_prompt: Option<String>,
    images_per_prompt: Option<u32>,
    pairs_per_category: Option<u32>,
    width_px: Option<u32>,
    height_px: Option<u32>,
    steps: Option<u32>,
    guidance: Option<f64>,
    sampler: Option<SamplerKind>,
    precision: Option<Precision>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFake {
    images_per_category: Option<u32>,
    size_px: Option<u32>,
    fail_every: Option<u32>,
}

/// Checks the section and fills in defaults.
pub(super) fn check(raw: RawGenerate, found: &TomlFile) -> Result<GenerateSpec, ConfigError> {
    match raw {
        RawGenerate::Folder(raw) => folder(raw, found),
        RawGenerate::Diffusion(raw) => diffusion(raw, found),
        RawGenerate::Fake(raw) => fake(&raw, &found.file),
    }
}

fn folder(raw: RawFolder, found: &TomlFile) -> Result<GenerateSpec, ConfigError> {
    let file = &found.file;
    let root = raw.root.ok_or_else(|| {
        ConfigError::value(
            file,
            "generate.root",
            "is missing; name the folder of photographs, or give --set generate.root=DIR",
        )
    })?;
    let labels = raw.labels.unwrap_or(LabelSource::WordnetId);
    let labels_csv = match (labels, raw.labels_csv) {
        (LabelSource::Csv, Some(csv)) => Some(hashed(&found.dir.join(csv))?),
        (LabelSource::Csv, None) => {
            return Err(ConfigError::value(file, "generate.labels_csv", "is missing; labels = \"csv\" needs it"));
        }
        (_, None) => None,
        (_, Some(_)) => {
            return Err(ConfigError::value(
                file,
                "generate.labels_csv",
                "has an effect only with labels = \"csv\"; remove it",
            ));
        }
    };
    Ok(GenerateSpec::Folder(FolderSource {
        root: lookup::real_path(&found.dir.join(root)),
        labels,
        labels_csv,
        recursive: raw.recursive.unwrap_or(true),
        max_pixels: raw.max_pixels.unwrap_or(MAX_PIXELS),
        max_file_bytes: raw.max_file_bytes.unwrap_or(MAX_FILE_BYTES),
    }))
}

fn hashed(path: &Path) -> Result<PinnedFile, ConfigError> {
    let bytes = read_file(path).map_err(|source| ConfigError::Read { file: path.display().to_string(), source })?;
    Ok(PinnedFile { path: lookup::real_path(path), bytes: bytes.len() as u64, sha256: Sha256::of(&bytes) })
}

fn diffusion(raw: RawDiffusion, found: &TomlFile) -> Result<GenerateSpec, ConfigError> {
    let file = &found.file;
    let refuse = |key: &str, problem: &str| Err(ConfigError::value(file, &format!("generate.{key}"), problem));
    if raw.model.is_empty() {
        return refuse(
            "model",
            "is empty; name a folder in the Hugging Face diffusers layout, or a model of data-manifest.toml",
        );
    }
    if raw.nuisances.is_empty() {
        return refuse("nuisances", "is empty; name at least one kind, such as \"background\"");
    }
    let nuisances =
        raw.nuisances.iter().map(|name| nuisances::load(name, &found.dir, file)).collect::<Result<Vec<_>, _>>()?;
    if let Some(set) =
        nuisances.iter().enumerate().find(|(at, set)| nuisances[..*at].iter().any(|other| other.kind == set.kind))
    {
        return refuse("nuisances", &format!("names `{}` twice", set.1.kind));
    }
    let prompts = PromptGrid {
        negative_prompt: raw.negative_prompt.unwrap_or_default(),
        images_per_prompt: raw.images_per_prompt.unwrap_or(1),
        pairs_per_category: raw.pairs_per_category,
        nuisances,
    };
    if prompts.images_per_prompt == 0 {
        return refuse("images_per_prompt", "is 0, so that no prompt gets an image; write 1 or more");
    }
    if prompts.pairs_per_category == Some(0) {
        return refuse("pairs_per_category", "is 0; leave it out to use all pairs");
    }
    let (width_px, height_px) = (raw.width_px.unwrap_or(SIZE_PX), raw.height_px.unwrap_or(SIZE_PX));
    if !(8..=4096).contains(&width_px) || !(8..=4096).contains(&height_px) {
        return refuse("width_px", "or `generate.height_px` is outside 8 to 4096");
    }
    let (steps, guidance) = (raw.steps.unwrap_or(STEPS), raw.guidance.unwrap_or(GUIDANCE));
    if !(1..=1000).contains(&steps) {
        return refuse("steps", "is outside 1 to 1000");
    }
    if !(0.0..=100.0).contains(&guidance) {
        return refuse("guidance", "is outside 0 to 100");
    }
    let (sampler, precision) = (raw.sampler, raw.precision.unwrap_or(Precision::Auto));
    // A folder beside the recipe, or a name that `stage` looks up later.
    let path = found.dir.join(&raw.model);
    let path = if path.is_dir() { lookup::real_path(&path) } else { PathBuf::new() };
    let model = DiffusionModel { name: raw.model, path, sha256: None, files: Vec::new(), licence: None };
    Ok(GenerateSpec::Diffusion(DiffusionSource {
        width_px,
        height_px,
        steps,
        guidance,
        sampler,
        precision,
        prompts,
        model,
    }))
}

fn fake(raw: &RawFake, file: &str) -> Result<GenerateSpec, ConfigError> {
    let fake = FakeImages {
        images_per_category: raw.images_per_category.unwrap_or(1),
        size_px: raw.size_px.unwrap_or(64),
        fail_every: raw.fail_every,
    };
    if fake.images_per_category == 0 || !(1..=4096).contains(&fake.size_px) || fake.fail_every == Some(0) {
        return Err(ConfigError::value(file, "generate", "has a count of 0, or a size_px outside 1 to 4096"));
    }
    Ok(GenerateSpec::Fake(fake))
}
