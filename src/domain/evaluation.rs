//! The nouns of an evaluation: targets on a pool of images, and every figure that follows.
//!
//! Does not compute anything: `stats` does. Holds always: a figure says its target, label space, group, denominator and
//! the method of its interval, because a score without them cannot be compared with another.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{FormatVersion, ItemId, LabelSpace, Prediction, Sha256};

/// `evaluation.toml`: what was evaluated, and how; no path, host or clock, so that it may be published.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvaluationRecord {
    /// Version of the layout of an evaluation.
    pub format: FormatVersion,
    /// Name and version of the program that made it.
    pub tool: String,
    /// Seed of everything random.
    pub seed: u64,
    /// The label spaces, of which the first one orders the leaderboard.
    pub label_spaces: Vec<LabelSpace>,
    /// Two targets are equivalent if their accuracies differ by less than this, in (0, 1).
    pub margin: f64,
    /// The target against which corruption errors and changes are stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<String>,
    /// The line of standard models for effective robustness.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<LineRecord>,
    /// Whether the runs inside keep the probabilities of all classes.
    #[serde(default)]
    pub keep_logits: bool,
    /// Images in each part of the page's gallery, at most.
    pub gallery: u64,
    /// The images.
    pub pool: PoolRecord,
    /// Images of the same categories as models know them, of which the drop is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clean: Option<PoolRecord>,
    /// Images of none of the categories.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ood: Option<PoolRecord>,
    /// Names of those who answered questions with two choices.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<String>,
    /// Hashes of the tables that figures are made of, by path.
    #[serde(default)]
    pub tables: BTreeMap<String, Sha256>,
    /// The targets, by name.
    #[serde(default)]
    pub targets: Vec<TargetRecord>,
    /// Who mined the pool: wrong by construction, and never ranked.
    #[serde(default)]
    pub surrogates: Vec<MinerRecord>,
}

/// What a pool is for in an evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PoolRole {
    /// The images on which targets are ranked.
    Pool,
    /// The same categories as models know them.
    Clean,
    /// None of the categories.
    Ood,
}

impl PoolRole {
    /// The name of its folders.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pool => "pool",
            Self::Clean => "clean",
            Self::Ood => "ood",
        }
    }
}

/// A pool of images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolRecord {
    /// Its name.
    pub name: String,
    /// Its version, if it is a release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What it is: a release, a run, or the layout of its folder.
    pub layout: String,
    /// Hash of a release's `SHA256SUMS`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sums_sha256: Option<Sha256>,
    /// Hash of the images' hashes and labels: equal for equal images, wherever they are.
    pub images_sha256: Sha256,
    /// Its images.
    pub images: u64,
    /// Its set of categories.
    pub categories: String,
    /// How many of them its images show.
    pub category_count: u64,
    /// Identity of the set: ids and accepted classes.
    pub categories_sha256: Sha256,
    /// Files of its folder that have no label: no part of it, and listed in `left-out.csv`.
    #[serde(default)]
    pub left_out: u64,
    /// The side of images that are not resized again, in px.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prepared_px: Option<u32>,
}

/// A target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetRecord {
    /// Its name.
    pub name: String,
    /// Hash of its weights; `None` for a fake one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights_sha256: Option<Sha256>,
    /// What it is: `onnx`, `zero-shot`, `imported` or `fake`.
    pub kind: String,
    /// The name of its class space.
    pub class_space: String,
    /// How many classes it has.
    pub classes: u64,
    /// From a picture to its input, in words; empty where another program saw the pictures.
    pub preprocessing: String,
    /// What made its predictions.
    pub runtime: String,
}

/// A surrogate that mined the pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MinerRecord {
    /// Its name.
    pub name: String,
    /// Hash of its weights; `None` for a fake one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights_sha256: Option<Sha256>,
    /// The name of its class space.
    pub class_space: String,
}

/// A table of standard models.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineRecord {
    /// Its name: `imagenet-testbed`, or the file's.
    pub name: String,
    /// Whether it is the built-in one.
    pub built_in: bool,
    /// Hash of the table.
    pub sha256: Sha256,
    /// The column of the shift.
    pub shift: String,
    /// The column of the standard set.
    pub standard: String,
}

/// One image of a pool, and what a target made of it: a row of `results/<target>/NNNNN.parquet`.
#[derive(Debug, Clone, PartialEq)]
pub struct ResultRow {
    /// Its number in the pool.
    pub item_id: ItemId,
    /// Its path in the pool.
    pub path: String,
    /// Its hash; `None` if it could not be read.
    pub sha256: Option<Sha256>,
    /// Id of its category.
    pub category: String,
    /// Kind of nuisance, or of corruption.
    pub kind: Option<String>,
    /// Nuisance, or severity.
    pub nuisance: Option<String>,
    /// The prediction, or why there is none: the image then counts as wrong.
    pub prediction: Result<Prediction, String>,
}

/// What a surrogate gave for one image of the pool that it mined, in the label space of the mining.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MinerRow {
    /// The image.
    pub item_id: ItemId,
    /// The surrogate.
    pub surrogate: String,
    /// Whether it is right.
    pub correct: bool,
    /// Its top class, an index of its class space.
    pub top1_id: i32,
}

/// A question with two choices about an image, and an answer to it with its outcomes, if there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChoiceRow {
    /// Path of the image in the pool.
    pub path: String,
    /// The true category, by name.
    pub truth: String,
    /// The other choice.
    pub other: String,
    /// Whether the question names the true one first.
    pub truth_first: bool,
    /// The answer.
    pub answer: String,
    /// Its outcome by the fair rule.
    pub fair: String,
    /// Its outcome by ImageNet-D's rule.
    pub official: String,
}

impl ChoiceRow {
    /// The question, in the words of ImageNet-D.
    pub fn question(&self) -> String {
        let (first, second) = if self.truth_first { (&self.truth, &self.other) } else { (&self.other, &self.truth) };
        format!("What is the main object in this image? Choose from the following list: {first}, {second}.")
    }
}

/// One number of an evaluation: a row of `results.parquet`, and a figure of one target's `results.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// The target, or surrogate; left out of `results.json`, which names its target once.
    #[serde(skip)]
    pub target: String,
    /// Label space: `any-of-ids` or `masked`; empty for a figure that has none.
    pub space: String,
    /// What it is, such as `accuracy`.
    pub metric: String,
    /// What groups the images: `all`, `kind`, `nuisance`, `category`, …
    pub group_by: String,
    /// The group.
    pub group: String,
    /// The number; `None` where it does not exist.
    pub value: Option<f64>,
    /// Lower bound of its 95 % interval.
    pub low: Option<f64>,
    /// Upper bound.
    pub high: Option<f64>,
    /// How many images it speaks of.
    pub n: u64,
    /// How value and interval are made, and what they speak of.
    pub method: String,
}

/// Two targets on the same images: a row of `comparisons.parquet`.
#[derive(Debug, Clone, PartialEq)]
pub struct ComparisonRow {
    /// The first target.
    pub a: String,
    /// The second.
    pub b: String,
    /// Label space.
    pub space: String,
    /// Images.
    pub n: u64,
    /// Images that only the first has right.
    pub only_a: u64,
    /// Images that only the second has right.
    pub only_b: u64,
    /// Accuracy of the first minus that of the second.
    pub difference: f64,
    /// Lower bound of its 95 % interval.
    pub low: Option<f64>,
    /// Upper bound.
    pub high: Option<f64>,
    /// Exact McNemar: these images.
    pub p_mcnemar: f64,
    /// Cluster-robust: objects like these; `None` where no clusters are known.
    pub p_cluster: Option<f64>,
    /// The one of these two that orders the tiers, corrected by Holm.
    pub p_holm: f64,
    /// The smallest margin within which both are equivalent at 5 %.
    pub equivalent_within: Option<f64>,
}

/// How alike the errors of two models are: a row of `agreement.parquet`.
#[derive(Debug, Clone, PartialEq)]
pub struct AgreementRow {
    /// A target.
    pub a: String,
    /// Another target, or a surrogate.
    pub b: String,
    /// Whether the second is a surrogate.
    pub b_is_surrogate: bool,
    /// Label space.
    pub space: String,
    /// Images.
    pub n: u64,
    /// Cohen's kappa of being right; `None` where chance alone gives full agreement.
    pub kappa: Option<f64>,
    /// Share of images on which both are right or both wrong.
    pub observed: f64,
    /// The share that chance gives.
    pub expected: f64,
    /// Share of shared failures with the same class; `None` without one, or if their class spaces differ.
    pub same_wrong_class: Option<f64>,
}

/// `results/<target>/results.json`: one target's results, to be handed to a leaderboard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TargetResults {
    /// Version of this file.
    pub schema: u32,
    /// Name and version of the program that made it.
    pub tool: String,
    /// The label spaces, the one that orders first.
    pub label_spaces: Vec<LabelSpace>,
    /// The images.
    pub pool: PoolRecord,
    /// The clean twin of its figures.
    pub clean: Option<PoolRecord>,
    /// The images of none of the categories.
    pub ood: Option<PoolRecord>,
    /// The target against which it is stated.
    pub baseline: Option<String>,
    /// The line of standard models.
    pub line: Option<LineRecord>,
    /// The model.
    pub target: TargetRecord,
    /// The surrogates of the pool.
    pub surrogates: Vec<MinerRecord>,
    /// Images of the pool.
    pub images: u64,
    /// Images that it could score; the others count as wrong.
    pub scored: u64,
    /// The others, with reasons.
    pub not_scored: Vec<NotScored>,
    /// Hash of its tables of predictions.
    pub predictions_sha256: Sha256,
    /// Its figures.
    pub metrics: Vec<Figure>,
    /// By label space, right (1) or wrong (0) on each image in the pool's order, as hexadecimal digits of four images.
    pub right: BTreeMap<String, String>,
}

/// An image without a prediction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotScored {
    /// Its path in the pool.
    pub path: String,
    /// The reason.
    pub reason: String,
}
