//! The keys of a zero-shot surrogate: `[text]`, and `[output]` as it is there.
//!
//! Does not read tokenizers: `scorer` does. Holds always: names are resolved here, one for each class, and two classes
//! never share their texts unless the TOML allows it, because the second of them could never be predicted.

use std::path::Path;

use serde::Deserialize;

use super::weights_ref::{RawWeights, WeightsRef};
use super::{ConfigError, lookup::TomlFile};
use crate::domain::{Activation, ClassSpace, Cleaning, Geometry, InputSpec, PLACE, same_texts};
use crate::input;

/// A zero-shot model as a surrogate's TOML describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct ZeroShotDef {
    /// The image tower, or the joint model.
    pub weights: WeightsRef,
    /// From a picture to the tower's size.
    pub preprocess: Geometry,
    /// From pixels to the input tensor.
    pub input: InputSpec,
    /// Name of the output with the rows of pictures.
    pub output: Option<String>,
    /// The tower for texts, and what it is asked.
    pub text: TextDef,
    /// What turns logits into probabilities.
    pub activation: Activation,
    /// A logit is `scale * cosine + bias`.
    pub scale: f64,
    /// See `scale`.
    pub bias: f64,
}

/// `[text]`.
#[derive(Debug, Clone, PartialEq)]
pub struct TextDef {
    /// Its graph; `None` in a joint model.
    pub weights: Option<WeightsRef>,
    /// Its `tokenizer.json`.
    pub tokenizer: WeightsRef,
    /// Tokens of every text.
    pub positions: u32,
    /// The token that fills up.
    pub padding: Option<String>,
    /// What is done to a text first.
    pub clean: Cleaning,
    /// Name of the output with the rows of texts.
    pub output: Option<String>,
    /// Texts with `{}` for the name of a class.
    pub templates: Vec<String>,
    /// Names of the classes, and where they come from; `None`: those of the class space.
    pub names: Option<(Vec<String>, String)>,
    /// Whether two classes may have the same texts.
    pub duplicates: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawText {
    weights: Option<RawWeights>,
    tokenizer: RawTokenizer,
    positions: u32,
    padding: Option<String>,
    #[serde(default)]
    clean: Cleaning,
    output: Option<String>,
    templates: Vec<String>,
    names: Option<RawNames>,
    duplicates: Option<Duplicates>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "write a path, or a table with `id` or `path`")]
enum RawTokenizer {
    Path(std::path::PathBuf),
    Weights(RawWeights),
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "write the path of a file with one name per line, or a list of names")]
enum RawNames {
    File(String),
    List(Vec<String>),
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Duplicates {
    Allow,
    Refuse,
}

/// Most tokens of a text; towers have 16 to 512.
const MOST_POSITIONS: u32 = 4096;
/// Largest absolute scale or bias; real ones are 100 and -17.
const LARGEST: f64 = 1e6;

impl RawText {
    /// Checks the section.
    pub(super) fn resolve(self, found: &TomlFile) -> Result<TextDef, ConfigError> {
        let refuse = |key: &str, problem: String| Err(ConfigError::value(&found.file, key, problem));
        if !(2..=MOST_POSITIONS).contains(&self.positions) {
            return refuse("text.positions", format!("is outside 2 to {MOST_POSITIONS}; CLIP has 77, SigLIP 64"));
        }
        if self.templates.is_empty() {
            return refuse("text.templates", format!("is empty; write at least [\"{PLACE}\"]"));
        }
        if let Some(template) = self.templates.iter().find(|template| template.matches(PLACE).count() != 1) {
            return refuse("text.templates", format!("has {template:?}, which needs `{PLACE}` once, for the name"));
        }
        let names = self.names.map(|names| named(names, found)).transpose()?;
        let tokenizer = match self.tokenizer {
            RawTokenizer::Path(path) => RawWeights::at(path),
            RawTokenizer::Weights(weights) => weights,
        };
        Ok(TextDef {
            weights: self.weights.map(|weights| weights.resolve("text.weights", found)).transpose()?,
            tokenizer: tokenizer.resolve("text.tokenizer", found)?,
            positions: self.positions,
            padding: self.padding,
            clean: self.clean,
            output: self.output,
            templates: self.templates,
            names,
            duplicates: self.duplicates == Some(Duplicates::Allow),
        })
    }
}

impl TextDef {
    /// The names of the classes of `space`: those that the section gives, else those of the space; `file`: the TOML, for
    /// messages. An error if there are more or fewer, or if two have the same texts and the section does not allow it.
    pub fn names(&self, space: &ClassSpace, file: &str) -> Result<Vec<String>, ConfigError> {
        let names = match &self.names {
            None => &space.classes,
            Some((names, from)) if names.len() != space.len() => {
                let (have, want, called) = (names.len(), space.len(), &space.name);
                let problem = format!(
                    "has {have} names in {from}, but the class space `{called}` has {want} classes; write one name for \
                     each, in their order"
                );
                return Err(ConfigError::value(file, "text.names", problem));
            }
            Some((names, _)) => names,
        };
        if !self.duplicates {
            refuse_same_texts(names, &self.templates, self.clean, file)?;
        }
        Ok(names.clone())
    }
}

/// The checked scale and bias of `[output]`.
pub(super) fn scale_and_bias(scale: Option<f64>, bias: Option<f64>, file: &str) -> Result<(f64, f64), ConfigError> {
    let Some(scale) = scale else {
        let problem = "is missing; write exp(logit_scale) of the model: 100 for CLIP, about 110 for SigLIP";
        return Err(ConfigError::value(file, "output.scale", problem));
    };
    let bias = bias.unwrap_or_default();
    if !(scale > 0.0 && scale <= LARGEST) {
        return Err(ConfigError::value(file, "output.scale", "is not above 0 and at most a million"));
    }
    if !(bias.abs() <= LARGEST) {
        return Err(ConfigError::value(file, "output.bias", "is outside minus a million to a million"));
    }
    Ok((scale, bias))
}

/// The names that the section gives, and where.
fn named(given: RawNames, found: &TomlFile) -> Result<(Vec<String>, String), ConfigError> {
    let (names, from) = match given {
        RawNames::List(names) => (names, "text.names".to_owned()),
        RawNames::File(file) => {
            let path = found.dir.join(&file);
            (names_in(&path)?, path.display().to_string())
        }
    };
    if let Some(at) = names.iter().position(|name| name.trim().is_empty()) {
        let problem = format!("has no name at place {} of {from}; write one name for each class", at + 1);
        return Err(ConfigError::value(&found.file, "text.names", problem));
    }
    Ok((names, from))
}

/// The lines of a file of names.
fn names_in(path: &Path) -> Result<Vec<String>, ConfigError> {
    let text = input::read_text(path, input::TOML_BYTES)
        .map_err(|source| ConfigError::Read { file: path.display().to_string(), source })?;
    Ok(text.trim_start_matches('\u{feff}').lines().map(|line| line.trim().to_owned()).collect())
}

fn refuse_same_texts(names: &[String], templates: &[String], clean: Cleaning, file: &str) -> Result<(), ConfigError> {
    let Some((first, second)) = same_texts(names, templates, clean) else { return Ok(()) };
    let (one, other) = (&names[first], &names[second]);
    let problem = format!(
        "gives class {first} ({one:?}) and class {second} ({other:?}) the same text, so that class {second} can never \
         be predicted; write other names, or duplicates = \"allow\""
    );
    Err(ConfigError::value(file, "text.names", problem))
}
