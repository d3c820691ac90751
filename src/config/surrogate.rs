//! The TOML of a surrogate -> its checked definition; `stage` finds the weights later.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::class_spaces;
use super::weights_ref::{RawWeights, WeightsRef};
use super::zero_shot::{self, RawText, ZeroShotDef};
use super::{ConfigError, SpaceRef, lookup, lookup::TomlFile};
use crate::domain::{
    Activation, Category, CategorySet, ChannelOrder, ClassSpace, Crop, Dtype, FakeModel, Geometry, ImportedScores,
    InputSpec, Interpolation, Layout, OutputKind, OutputSpec, Resize, Sha256,
};

/// A surrogate as its TOML describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct SurrogateDef {
    /// The stem of the file's name.
    pub name: String,
    /// The file, for messages.
    pub file: String,
    /// The classes over which it speaks.
    pub space: SpaceRef,
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
    /// Predictions of another program.
    Imported(ImportedDef),
}

/// Predictions of another program.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportedDef {
    /// The file.
    pub path: PathBuf,
    /// What its numbers are.
    pub scores: ImportedScores,
    /// Extra classes in front.
    pub offset: u32,
    /// The column or array with the scores, if the TOML names it.
    pub column: Option<String>,
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
    predictions: Option<PathBuf>,
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
    antialias: Option<bool>,
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
    space: Option<String>,
    scale: Option<f64>,
    bias: Option<f64>,
}

/// What the scores are; not every kind of model has each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RawKind {
    Logits,
    Probabilities,
    TopK,
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
    let space = match raw.output.as_ref().and_then(|output| output.space.as_deref()) {
        Some(name) => class_spaces::load(name, &found.dir, &found.file)?,
        None => class_spaces::imagenet(),
    };
    let model = model(raw, &found)?;
    Ok(SurrogateDef { name: found.stem, file: found.file, space, model })
}

/// A scorer of ImageNet-1k whose scores are in `file`, without a TOML of its own.
pub fn imported_alone(name: &str, file: &Path, scores: ImportedScores) -> SurrogateDef {
    let path = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    SurrogateDef {
        name: name.to_owned(),
        file: file.display().to_string(),
        space: class_spaces::imagenet(),
        model: ModelDef::Imported(ImportedDef { path, scores, offset: 0, column: None }),
    }
}

fn model(raw: RawSurrogate, found: &TomlFile) -> Result<ModelDef, ConfigError> {
    let missing = |key: &str| ConfigError::value(&found.file, key, "is missing; an ONNX surrogate needs it");
    let onnx_keys = raw.predictions.is_some()
        || raw.text.is_some()
        || raw.weights.is_some()
        || raw.preprocess.is_some()
        || raw.input.is_some()
        || raw.output.is_some();
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
    if let Some(path) = raw.predictions {
        if raw.weights.is_some() || raw.preprocess.is_some() || raw.input.is_some() || raw.text.is_some() {
            let problem = "is beside the keys of a model; predictions of another program need [output] alone";
            return Err(ConfigError::value(&found.file, "predictions", problem));
        }
        let output = raw.output.ok_or_else(|| missing("output"))?;
        return imported(found.dir.join(path), output, &found.file).map(ModelDef::Imported);
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
    let (text, output) = (text.resolve(found)?, outputs.name);
    let def = ZeroShotDef { weights, preprocess, input, output, text, activation, scale, bias };
    Ok(ModelDef::ZeroShot(Box::new(def)))
}

/// `[output]` of a zero-shot model: activation, scale, bias.
fn logits(raw: &RawOutput, file: &str) -> Result<(Activation, f64, f64), ConfigError> {
    let activation = match raw.kind {
        RawKind::Softmax => Activation::Softmax,
        RawKind::Sigmoid => Activation::Sigmoid,
        RawKind::Logits | RawKind::Probabilities | RawKind::TopK => {
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
    let RawGeometry { resize, interpolation, antialias, crop_px, crop } = raw;
    let geometry = Geometry { resize, interpolation, antialias: antialias.unwrap_or(true), crop_px, crop };
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

fn imported(path: PathBuf, raw: RawOutput, file: &str) -> Result<ImportedDef, ConfigError> {
    let RawOutput { kind, classes, offset, name, space: _, scale, bias } = raw;
    if classes.is_some() {
        let problem = "is not needed: the class space says how many there are; remove it";
        return Err(ConfigError::value(file, "output.classes", problem));
    }
    no_scale(scale, bias, file)?;
    let scores = match kind {
        RawKind::Logits => ImportedScores::Logits,
        RawKind::Probabilities => ImportedScores::Probabilities,
        RawKind::TopK => ImportedScores::TopK,
        RawKind::Softmax | RawKind::Sigmoid => return Err(not_zero_shot(file)),
    };
    Ok(ImportedDef { path, scores, offset: offset.unwrap_or(0), column: name })
}

fn output(raw: RawOutput, file: &str) -> Result<OutputSpec, ConfigError> {
    let RawOutput { kind, classes, offset, name, space: _, scale, bias } = raw;
    let refuse = |key: &str, problem: &str| Err(ConfigError::value(file, key, problem));
    let kind = match kind {
        RawKind::Logits => OutputKind::Logits,
        RawKind::Probabilities => OutputKind::Probabilities,
        RawKind::TopK => return refuse("output.kind", "is top-k, which only imported predictions are"),
        RawKind::Softmax | RawKind::Sigmoid => return Err(not_zero_shot(file)),
    };
    no_scale(scale, bias, file)?;
    let Some(classes) = classes else { return refuse("output.classes", "is missing; an ONNX surrogate needs it") };
    let offset = offset.unwrap_or(0);
    if classes <= offset {
        let problem = format!("is {classes} with offset {offset}; no class is left");
        return Err(ConfigError::value(file, "output.classes", problem));
    }
    Ok(OutputSpec { kind, classes, offset, name })
}

fn not_zero_shot(file: &str) -> ConfigError {
    let problem = "is that of a zero-shot model, which needs [text]; write \"logits\" or \"probabilities\"";
    ConfigError::value(file, "output.kind", problem)
}

fn no_scale(scale: Option<f64>, bias: Option<f64>, file: &str) -> Result<(), ConfigError> {
    if scale.is_some() || bias.is_some() {
        return Err(ConfigError::value(file, "output", "has scale or bias, which belong to a zero-shot model"));
    }
    Ok(())
}

impl SurrogateDef {
    /// Its class space in a run with the categories `set`; an error if its model has another number of classes, or a
    /// category accepts none of them.
    pub fn space(&self, set: &CategorySet) -> Result<ClassSpace, ConfigError> {
        self.checked(match &self.space {
            SpaceRef::Categories => ClassSpace::of_categories(set),
            SpaceRef::List(list) => list.space(set)?,
        })
    }

    /// Its class space without a run, of which no class counts as right; two names stand for the categories of a
    /// recipe.
    pub fn space_alone(&self) -> Result<ClassSpace, ConfigError> {
        self.checked(match &self.space {
            SpaceRef::Categories => {
                let entries = vec![Category::new("object", &[]), Category::new("picture", &[])];
                ClassSpace::of_categories(&CategorySet { name: String::new(), sha256: Sha256::of(b""), entries })
            }
            SpaceRef::List(list) => list.unmapped(),
        })
    }

    fn checked(&self, space: ClassSpace) -> Result<ClassSpace, ConfigError> {
        let model = match &self.model {
            ModelDef::Onnx(model) => model,
            ModelDef::ZeroShot(model) => return model.text.names(&space, &self.file).map(|_| space),
            ModelDef::Fake(_) | ModelDef::Imported(_) => return Ok(space),
        };
        let OutputSpec { classes, offset, .. } = model.output;
        let (found, wanted) = ((classes - offset) as usize, space.len());
        if found == wanted {
            return Ok(space);
        }
        let of = if offset == 0 { String::new() } else { format!(" with offset {offset}, which leaves {found}") };
        let problem = format!(
            "is {classes}{of}, but the class space `{}` has {wanted} classes; correct the number, output.offset (extra \
             classes in front), or name the space with output.space: the name of a list of classes, or `categories`",
            space.name
        );
        Err(ConfigError::value(&self.file, "output.classes", problem))
    }
}
