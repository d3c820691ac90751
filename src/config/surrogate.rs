//! The TOML of a surrogate -> its checked definition; `stage` finds the weights later.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{ConfigError, lookup, lookup::TomlFile, manifest};
use crate::domain::{
    ChannelOrder, DataEntry, Dtype, FakeModel, Geometry, IMAGENET_CLASSES, InputSpec, Interpolation, Layout,
    OutputKind, OutputSpec, Resize, Sha256,
};

/// A surrogate as its TOML describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct SurrogateDef {
    /// The stem of the file's name.
    pub name: String,
    /// The file, for messages.
    pub file: String,
    /// What scores the images.
    pub model: ModelDef,
}

/// What scores images.
#[derive(Debug, Clone, PartialEq)]
pub enum ModelDef {
    /// See [`FakeModel`].
    Fake(FakeModel),
    /// An ONNX classifier.
    Onnx(Box<OnnxDef>),
}

/// An ONNX classifier.
#[derive(Debug, Clone, PartialEq)]
pub struct OnnxDef {
    /// Its file.
    pub weights: WeightsRef,
    /// From a picture to the model's size.
    pub preprocess: Geometry,
    /// From pixels to the input tensor.
    pub input: InputSpec,
    /// From the output tensor to classes.
    pub output: OutputSpec,
}

/// How a surrogate's TOML names its weights.
#[derive(Debug, Clone, PartialEq)]
pub enum WeightsRef {
    /// By id in the data manifest.
    Entry(DataEntry),
    /// By path, with an optional hash.
    Path {
        /// The file.
        path: PathBuf,
        /// The hash that the file must have.
        sha256: Option<Sha256>,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSurrogate {
    fake: Option<RawFake>,
    weights: Option<RawWeights>,
    preprocess: Option<RawGeometry>,
    input: Option<RawInput>,
    output: Option<RawOutput>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFake {
    seed: u64,
    accuracy: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGeometry {
    resize: Resize,
    interpolation: Interpolation,
    antialias: Option<bool>,
    crop_px: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWeights {
    id: Option<String>,
    path: Option<PathBuf>,
    sha256: Option<Sha256>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawInput {
    layout: Layout,
    dtype: Dtype,
    channels: ChannelOrder,
    scale: Option<f64>,
    mean: Option<[f64; 3]>,
    std: Option<[f64; 3]>,
    batch: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOutput {
    kind: OutputKind,
    classes: u32,
    offset: Option<u32>,
    name: Option<String>,
}

/// Reads and checks the surrogate `name`, which the file `file` in folder `from` names.
pub fn load(name: &str, from: &Path, file: &str) -> Result<SurrogateDef, ConfigError> {
    let found = lookup::find("surrogates", name, from, file)?;
    let raw: RawSurrogate = found.parse()?;
    if found.stem.starts_with('.') || !found.stem.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) {
        return Err(ConfigError::value(
            &found.file,
            "(file name)",
            "also names a folder of the run; use letters, digits, `-`, `_` and `.`, and no leading dot",
        ));
    }
    let model = model(raw, &found)?;
    Ok(SurrogateDef { name: found.stem, file: found.file, model })
}

fn model(raw: RawSurrogate, found: &TomlFile) -> Result<ModelDef, ConfigError> {
    let missing = |key: &str| ConfigError::value(&found.file, key, "is missing; an ONNX surrogate needs it");
    let onnx_keys = raw.weights.is_some() || raw.preprocess.is_some() || raw.input.is_some() || raw.output.is_some();
    if let Some(fake) = raw.fake {
        if !(0.0..=1.0).contains(&fake.accuracy) {
            return Err(ConfigError::value(&found.file, "fake.accuracy", "is outside 0 to 1"));
        }
        if onnx_keys {
            return Err(ConfigError::value(
                &found.file,
                "fake",
                "is beside the keys of an ONNX surrogate; keep one kind",
            ));
        }
        return Ok(ModelDef::Fake(FakeModel { seed: fake.seed, accuracy: fake.accuracy }));
    }
    Ok(ModelDef::Onnx(Box::new(OnnxDef {
        weights: weights(raw.weights.ok_or_else(|| missing("weights"))?, found)?,
        preprocess: geometry(raw.preprocess.ok_or_else(|| missing("preprocess"))?, &found.file)?,
        input: input(raw.input.ok_or_else(|| missing("input"))?, &found.file)?,
        output: output(raw.output.ok_or_else(|| missing("output"))?, &found.file)?,
    })))
}

fn weights(raw: RawWeights, found: &TomlFile) -> Result<WeightsRef, ConfigError> {
    match (raw.id, raw.path) {
        (Some(_), None) if raw.sha256.is_some() => Err(ConfigError::value(
            &found.file,
            "weights.sha256",
            "belongs to `path`; with `id` the data manifest gives the hash",
        )),
        (Some(id), None) => manifest::entry(&id, &found.dir, &found.file).map(WeightsRef::Entry),
        (None, Some(path)) => Ok(WeightsRef::Path { path: found.dir.join(path), sha256: raw.sha256 }),
        _ => Err(ConfigError::value(&found.file, "weights", "needs either `id` (in data-manifest.toml) or `path`")),
    }
}

fn geometry(raw: RawGeometry, file: &str) -> Result<Geometry, ConfigError> {
    const LARGEST: u32 = 8192;
    let RawGeometry { resize, interpolation, antialias, crop_px } = raw;
    let geometry = Geometry { resize, interpolation, antialias: antialias.unwrap_or(true), crop_px };
    let refuse = |key: &str, problem: &str| Err(ConfigError::value(file, key, problem));
    if interpolation == Interpolation::Lanczos && !geometry.antialias {
        let problem = "is false, but Lanczos is always with antialias here; write bilinear or bicubic, or true";
        return refuse("preprocess.antialias", problem);
    }
    let side = match geometry.resize {
        Resize::Shorter(side) | Resize::Squash(side) => side,
        Resize::None => geometry.crop_px,
    };
    match (side, geometry.crop_px) {
        (1..=LARGEST, 1..=LARGEST) if geometry.crop_px <= side => Ok(geometry),
        (1..=LARGEST, 1..=LARGEST) => refuse("preprocess.crop_px", "is larger than the side after `resize`"),
        _ => refuse("preprocess", "has a side outside 1 to 8192 px"),
    }
}

fn input(raw: RawInput, file: &str) -> Result<InputSpec, ConfigError> {
    let refuse = |key: &str, problem: &str| Err(ConfigError::value(file, key, problem));
    let numbers = (raw.scale, raw.mean, raw.std);
    let (scale, mean, std) = match (raw.dtype, numbers) {
        (Dtype::U8, (None, None, None)) => (1.0, [0.0; 3], [1.0; 3]),
        (Dtype::U8, _) => {
            return refuse("input", "has dtype u8, which takes pixels unchanged; remove scale, mean and std");
        }
        (_, (Some(scale), Some(mean), Some(std))) => (scale, mean, std),
        _ => return refuse("input", "lacks scale, mean or std; a value is (pixel * scale - mean) / std"),
    };
    let is_positive = |number: &f64| number.is_finite() && *number > 0.0;
    if !is_positive(&scale) || !std.iter().all(is_positive) || !mean.iter().all(|mean| mean.is_finite()) {
        return refuse("input", "has a bad number: scale and std must be positive, and all numbers finite");
    }
    if raw.batch == Some(0) {
        return refuse("input.batch", "is 0; write the model's fixed batch size or leave it out");
    }
    let RawInput { layout, dtype, channels, batch, .. } = raw;
    Ok(InputSpec { layout, dtype, channels, scale, mean, std, batch })
}

fn output(raw: RawOutput, file: &str) -> Result<OutputSpec, ConfigError> {
    let offset = raw.offset.unwrap_or(0);
    if u64::from(raw.classes) != u64::from(offset) + IMAGENET_CLASSES as u64 {
        let problem = format!("is {} with offset {offset}; it must be the offset plus ImageNet's 1000", raw.classes);
        return Err(ConfigError::value(file, "output.classes", problem));
    }
    Ok(OutputSpec { kind: raw.kind, classes: raw.classes, offset, name: raw.name })
}
