//! The section about people: which images they judge, on which sheets, the questions, and when an image is accepted.
//!
//! Source of the design: Recht et al., "Do ImageNet classifiers generalize to ImageNet?", ICML 2019 (sheets of 48
//! images with hidden controls for 10 people each, selection frequency); Zhang et al., "ImageNet-D", CVPR 2024 (the two
//! questions; positive, negative and consistency sentinels).

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::time::text_of_time;

/// The section `[annotate]` of a recipe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AnnotateSpec {
    /// Which hard items people judge.
    pub items: ItemChoice,
    /// The largest number of items; `None`: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_items: Option<u32>,
    /// Images on a sheet, including sentinels.
    pub images_per_batch: u32,
    /// People who fill in the same sheet.
    pub people_per_batch: u32,
    /// Sentinels of each kind on a sheet.
    pub sentinels: Sentinels,
    /// Side of the square that people see, in px.
    pub image_px: u32,
    /// What people are asked about each image.
    pub questions: Vec<Question>,
    /// When an assignment counts.
    pub check: CheckSpec,
    /// When an item is accepted.
    pub verdict: VerdictRule,
    /// What people are paid.
    pub pay: Pay,
    /// Formats that `build` exports.
    pub export: Vec<ExportFormat>,
}

/// Which hard items people judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ItemChoice {
    /// All of them, or the first `max_items` of a random order.
    Hard,
    /// The same number of each category and nuisance, as far as there are enough.
    Stratified,
}

/// Sentinels on a sheet, and which images can be sentinels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sentinels {
    /// Images that certainly show the category that people are asked about.
    pub positives: u32,
    /// Images that certainly show something else, of a category that is easily confused with it.
    pub negatives: u32,
    /// Images that appear a second time on the sheet.
    pub repeats: u32,
    /// An image certainly shows its category if every surrogate is right and gives it at least this probability.
    pub min_prob: f64,
    /// An image certainly does not show a category if no surrogate gives the category more than this probability.
    pub max_other_prob: f64,
    /// A folder of images known to be good, with a sub-folder named by each category's id; it replaces items of the
    /// run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known_good: Option<PathBuf>,
}

impl Sentinels {
    /// The number of sentinels on a sheet.
    pub fn per_batch(&self) -> u32 {
        self.positives.saturating_add(self.negatives).saturating_add(self.repeats)
    }
}

impl AnnotateSpec {
    /// Images on a sheet that are not sentinels.
    pub fn candidates_per_batch(&self) -> u32 {
        self.images_per_batch.saturating_sub(self.sentinels.per_batch())
    }

    /// The cost of `sheets` filled-in sheets, in the currency of the recipe.
    pub fn cost(&self, sheets: u64) -> f64 {
        sheets as f64 * self.pay.reward * (1.0 + self.pay.fee)
    }
}

/// A question about an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Short name for tables: letters, digits, `_`.
    pub id: String,
    /// The text that people read; `{category}` is replaced by the category's name.
    pub text: String,
    /// The item is accepted only if at least this share of the votes is `yes`, in [0, 1].
    pub accept_at: f64,
    /// Whether the right answer about a positive sentinel is always `yes`.
    #[serde(default = "yes")]
    pub positives: bool,
    /// Whether the right answer about a negative sentinel is always `no`.
    #[serde(default)]
    pub negatives: bool,
}

fn yes() -> bool {
    true
}

impl Question {
    /// The question about one category.
    pub fn about(&self, category: &str) -> String {
        self.text.replace("{category}", category)
    }
}

/// An answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// No.
    No,
    /// Not sure; counts as a vote, but not as `yes`.
    NotSure,
    /// Yes.
    Yes,
}

impl Answer {
    /// All answers in the alphabetical order of their names. Ties go to the first, so they go against the image.
    pub const ALL: [Self; 3] = [Self::No, Self::NotSure, Self::Yes];

    /// The name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::NotSure => "not_sure",
            Self::Yes => "yes",
        }
    }

    /// Reads an answer in the notation of any tool: `yes`, `Y`, `Not sure`, `?` …
    pub fn read(text: &str) -> Option<Self> {
        let plain = text.trim().to_ascii_lowercase().replace([' ', '-'], "_");
        match plain.as_str() {
            "yes" | "y" | "true" => Some(Self::Yes),
            "no" | "n" | "false" => Some(Self::No),
            "not_sure" | "unsure" | "notsure" | "?" => Some(Self::NotSure),
            _ => None,
        }
    }
}

/// When an assignment (one person's answers to one sheet) counts: the smallest sufficient shares, in [0, 1].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CheckSpec {
    /// The share of sentinels of each kind that are answered.
    pub answered: f64,
    /// The share of answers to positive sentinels that are `yes`.
    pub positives: f64,
    /// The share of answers to negative sentinels that are `no`.
    pub negatives: f64,
    /// The share of repeated images that get the same answer both times.
    pub repeats: f64,
    /// The closing time (RFC 3339); later answers do not count.
    #[serde(deserialize_with = "text_of_time", skip_serializing_if = "Option::is_none")]
    pub closes: Option<String>,
}

/// How votes become a verdict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VerdictRule {
    /// An item with fewer valid votes than this on some question is undecided.
    pub min_votes: u32,
    /// What is compared with a question's `accept_at`.
    pub aggregate: Aggregate,
}

/// How votes become a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aggregate {
    /// The share of valid votes that say `yes`: ImageNetV2's selection frequency.
    Majority,
    /// The same, with each person weighted by agreement with the majority.
    Wawa,
    /// Probability of `yes` by Dawid and Skene's model of each person's confusions.
    DawidSkene,
    /// The same with one skill for each person.
    OneCoin,
}

impl Aggregate {
    /// The name in recipes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Majority => "majority",
            Self::Wawa => "wawa",
            Self::DawidSkene => "dawid-skene",
            Self::OneCoin => "one-coin",
        }
    }
}

/// What a person is paid for a sheet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pay {
    /// The reward for one sheet, in `currency`.
    pub reward: f64,
    /// The platform's fee, as a share of the reward.
    pub fee: f64,
    /// The currency, as people read it: `USD`, `GBP` …
    pub currency: String,
}

/// Formats of task sheets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExportFormat {
    /// Label Studio's tasks and labelling configuration.
    LabelStudio,
    /// Data for Prolific's task builder.
    Prolific,
    /// Plain CSV and JSON Lines.
    Csv,
    /// One page for each sheet; it works from disk.
    Html,
}

impl ExportFormat {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::LabelStudio, Self::Prolific, Self::Csv, Self::Html];

    /// The name in recipes and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::LabelStudio => "label-studio",
            Self::Prolific => "prolific",
            Self::Csv => "csv",
            Self::Html => "html",
        }
    }
}

impl Default for AnnotateSpec {
    fn default() -> Self {
        let question = |id: &str, text: &str, accept_at, negatives| Question {
            id: id.to_owned(),
            text: text.to_owned(),
            accept_at,
            positives: true,
            negatives,
        };
        Self {
            items: ItemChoice::Hard,
            max_items: None,
            images_per_batch: 48,
            people_per_batch: 10,
            sentinels: Sentinels::default(),
            image_px: 512,
            questions: vec![
                question("recognise", "Can you recognise the object ({category}) in the image?", 0.7, true),
                // Negative sentinels do not apply, because a similar object may serve as well: a mug as a vase.
                question("use", "Could the object in the image be used as the object ({category})?", 0.5, false),
            ],
            check: CheckSpec::default(),
            verdict: VerdictRule::default(),
            pay: Pay::default(),
            export: Vec::new(),
        }
    }
}

impl Default for Sentinels {
    fn default() -> Self {
        Self { positives: 3, negatives: 3, repeats: 2, min_prob: 0.5, max_other_prob: 0.01, known_good: None }
    }
}

impl Default for CheckSpec {
    fn default() -> Self {
        Self { answered: 0.8, positives: 0.75, negatives: 0.66, repeats: 0.7, closes: None }
    }
}

impl Default for VerdictRule {
    fn default() -> Self {
        Self { min_votes: 3, aggregate: Aggregate::Majority }
    }
}

impl Default for Pay {
    fn default() -> Self {
        Self { reward: 0.0, fee: 0.0, currency: "USD".to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_as_peoples_tools_write_them() {
        for (text, answer) in [("Yes", Answer::Yes), (" n ", Answer::No), ("Not sure", Answer::NotSure)] {
            assert_eq!(Answer::read(text), Some(answer), "{text}");
        }
        for text in ["", "maybe", "=yes", "yes;no"] {
            assert_eq!(Answer::read(text), None, "{text}");
        }
        assert!(Answer::ALL.iter().all(|answer| Answer::read(answer.name()) == Some(*answer)));
    }
}
