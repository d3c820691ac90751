//! The TOML of a surrogate -> its checked definition; `stage` finds the weights later.

use std::path::Path;

use serde::Deserialize;

use super::categories::class_names;
use super::weights_ref::{RawWeights, WeightsRef};
use super::zero_shot::{self, RawText, ZeroShotDef};
use super::{ConfigError, lookup, lookup::TomlFile};
use crate::domain::{
    Activation, ChannelOrder, Crop, Dtype, FakeModel, Geometry, IMAGENET_CLASSES, InputSpec, Interpolation, Layout,
    OutputKind, OutputSpec, Resize,
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
    /// Two towers in ONNX format.
    ZeroShot(Box<ZeroShotDef>),
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSurrogate {
    fake: Option<RawFake>,
    weights: Option<RawWeights>,
    preprocess: Option<RawGeometry>,
    input: Option<RawInput>,
    text: Option<RawText>,
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
    crop_px: u32,
    #[serde(default)]
    crop: Crop,
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
    kind: RawKind,
    classes: Option<u32>,
    offset: Option<u32>,
    name: Option<String>,
    scale: Option<f64>,
    bias: Option<f64>,
}

/// What an output's numbers are, of a classifier and of a zero-shot model.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawKind {
    Logits,
    Probabilities,
    Softmax,
    Sigmoid,
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
    let onnx_keys = onnx_keys || raw.text.is_some();
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
    let weights = raw.weights.ok_or_else(|| missing("weights"))?.resolve("weights", found)?;
    let preprocess = geometry(raw.preprocess.ok_or_else(|| missing("preprocess"))?, &found.file)?;
    let input = input(raw.input.ok_or_else(|| missing("input"))?, &found.file)?;
    let outputs = raw.output.ok_or_else(|| missing("output"))?;
    let Some(text) = raw.text else {
        let output = output(outputs, &found.file)?;
        return Ok(ModelDef::Onnx(Box::new(OnnxDef { weights, preprocess, input, output })));
    };
    let (activation, scale, bias) = logits(&outputs, &found.file)?;
    let classes: Vec<String> = class_names().into_iter().map(str::to_owned).collect();
    let (text, output) = (text.resolve(&classes, found)?, outputs.name);
    let def = ZeroShotDef { weights, preprocess, input, output, text, activation, scale, bias };
    Ok(ModelDef::ZeroShot(Box::new(def)))
}

/// `[output]` of a zero-shot model: activation, scale, bias.
fn logits(raw: &RawOutput, file: &str) -> Result<(Activation, f64, f64), ConfigError> {
    let activation = match raw.kind {
        RawKind::Softmax => Activation::Softmax,
        RawKind::Sigmoid => Activation::Sigmoid,
        RawKind::Logits | RawKind::Probabilities => {
            let problem = "is that of a classifier, but there is [text]; write \"softmax\" or \"sigmoid\"";
            return Err(ConfigError::value(file, "output.kind", problem));
        }
    };
    if raw.classes.is_some() || raw.offset.is_some() {
        let problem = "has classes or offset, which belong to a classifier; a zero-shot model has those of text.names";
        return Err(ConfigError::value(file, "output", problem));
    }
    let (scale, bias) = zero_shot::scale_and_bias(raw.scale, raw.bias, file)?;
    Ok((activation, scale, bias))
}

fn geometry(raw: RawGeometry, file: &str) -> Result<Geometry, ConfigError> {
    const LARGEST: u32 = 8192;
    let RawGeometry { resize, interpolation, crop_px, crop } = raw;
    let geometry = Geometry { resize, interpolation, crop_px, crop };
    let refuse = |key: &str, problem: &str| Err(ConfigError::value(file, key, problem));
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
    let refuse = |key: &str, problem: &str| Err(ConfigError::value(file, key, problem));
    let kind = match raw.kind {
        RawKind::Logits => OutputKind::Logits,
        RawKind::Probabilities => OutputKind::Probabilities,
        RawKind::Softmax | RawKind::Sigmoid => {
            return refuse("output.kind", "is that of a zero-shot model, which needs [text]");
        }
    };
    if raw.scale.is_some() || raw.bias.is_some() {
        return refuse("output", "has scale or bias, which belong to a zero-shot model, and there is no [text]");
    }
    let offset = raw.offset.unwrap_or(0);
    let Some(classes) = raw.classes else {
        return refuse("output.classes", "is missing; write how many numbers the model gives for a picture");
    };
    if u64::from(classes) != u64::from(offset) + IMAGENET_CLASSES as u64 {
        let problem = format!("is {classes} with offset {offset}; it must be the offset plus ImageNet's 1000");
        return Err(ConfigError::value(file, "output.classes", problem));
    }
    Ok(OutputSpec { kind, classes, offset, name: raw.name })
}
