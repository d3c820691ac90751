//! The options of the commands about evaluations: `evaluate`, `compare`, `leaderboard`.
//!
//! A doc comment here is a help text, as in `args`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};

use crate::domain::{BenchmarkLayout, ImportedScores, LabelSpace};

#[derive(Args)]
pub struct EvaluateArgs {
    /// A release, a run, a Parquet image dataset, or the folder of a published benchmark
    pub pool: PathBuf,
    /// Models to score: names of surrogate TOMLs, or paths to them; those of earlier calls stay
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    pub targets: Vec<String>,
    /// Scores that another program has made, as a target; may be repeated. Classes are ImageNet-1k's: write a TOML
    /// for other ones
    #[arg(long, value_name = "NAME=FILE", requires = "scores")]
    pub predictions: Vec<NamedFile>,
    /// What the numbers in the files of --predictions are
    #[arg(long, value_enum, value_name = "KIND")]
    pub scores: Option<ScoreKind>,
    /// Answers of a chat model to questions.csv of an evaluation (columns path and answer); may be repeated
    #[arg(long, value_name = "NAME=FILE")]
    pub answers: Vec<NamedFile>,
    /// Where to write [default: evaluations/<name of the pool>-<version>]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// How images and labels lie in the pool [default: looked up]
    #[arg(long, value_name = "LAYOUT")]
    pub layout: Option<BenchmarkLayout>,
    /// What the images show: a category set's TOML, or the name of a built-in one [default: as the pool says]
    #[arg(long, value_name = "SET")]
    pub categories: Option<String>,
    /// Column of images, of Parquet
    #[arg(long, value_name = "NAME")]
    pub image_column: Option<String>,
    /// Column of labels, of Parquet
    #[arg(long, value_name = "NAME")]
    pub label_column: Option<String>,
    /// Split, of Parquet
    #[arg(long, value_name = "NAME")]
    pub split: Option<String>,
    /// Images of N x N px are ready for models and not resized again [default: 224 for ImageNet-C]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub prepared_px: Option<u32>,
    /// Classes among which a prediction is taken: any-of-ids, masked, or both; the first one orders the leaderboard
    #[arg(long, value_delimiter = ',', value_name = "SPACE,…")]
    pub label_space: Vec<LabelSpace>,
    /// Images of the same categories as models know them (a pool), for the drop and the robustness
    #[arg(long, value_name = "POOL")]
    pub clean: Option<PathBuf>,
    /// A folder with images of none of the categories
    #[arg(long, value_name = "FOLDER")]
    pub ood: Option<PathBuf>,
    /// The target against which changes and corruption errors are stated
    #[arg(long, value_name = "NAME")]
    pub baseline: Option<String>,
    /// A CSV of standard models, for effective robustness: model,type and columns of accuracies in per cent
    #[arg(long, value_name = "FILE")]
    pub fit: Option<PathBuf>,
    /// The columns of --fit with clean accuracies and with those on images like the pool's [default: clean,shift]
    #[arg(long, value_delimiter = ',', num_args = 2, value_name = "CLEAN,SHIFT", requires = "fit")]
    pub fit_columns: Option<Vec<String>>,
    /// The published shift that the pool is, for the built-in line: imagenetv2-mf, imagenet-sketch [default: that of
    /// the categories imagenet-a, imagenet-r or objectnet]
    #[arg(long, value_name = "NAME", conflicts_with = "fit")]
    pub shift: Option<String>,
    /// Two targets are equivalent if their accuracies differ by less than this: 2% or 0.02 [default: 2%]
    #[arg(long, value_name = "SHARE", value_parser = margin)]
    pub margin: Option<f64>,
    /// Keep the probabilities of all classes (4 bytes for each class and image), which a temperature needs
    #[arg(long)]
    pub keep_logits: bool,
    /// Seed of everything random [default: 0, or that of an earlier call]
    #[arg(long, value_name = "N")]
    pub seed: Option<u32>,
    /// Largest number of images in each part of the page's gallery [default: 60, or as in an earlier call]
    #[arg(long, value_name = "N")]
    pub max_images: Option<usize>,
}

/// What numbers in a file are.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ScoreKind {
    Logits,
    Probabilities,
    TopK,
}

impl From<ScoreKind> for ImportedScores {
    fn from(kind: ScoreKind) -> Self {
        match kind {
            ScoreKind::Logits => Self::Logits,
            ScoreKind::Probabilities => Self::Probabilities,
            ScoreKind::TopK => Self::TopK,
        }
    }
}

/// `NAME=FILE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedFile {
    /// Before the first `=`.
    pub name: String,
    /// After it.
    pub file: PathBuf,
}

impl FromStr for NamedFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plain = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        match text.split_once('=') {
            Some((name, file)) if !file.is_empty() && !name.is_empty() && !name.starts_with('.') && plain(name) => {
                Ok(Self { name: name.to_owned(), file: PathBuf::from(file) })
            }
            _ => Err(format!("`{text}` is not NAME=FILE, with a name of letters, digits, `-`, `_` and `.`")),
        }
    }
}

#[derive(Args)]
pub struct CompareArgs {
    /// The folder of an evaluation
    pub evaluation: PathBuf,
    /// A target
    pub a: String,
    /// Another target
    pub b: String,
    /// The label space [default: the one that orders the leaderboard]
    #[arg(long, value_name = "SPACE")]
    pub label_space: Option<LabelSpace>,
    /// Both are equivalent if their accuracies differ by less than this: 2% or 0.02 [default: that of the evaluation]
    #[arg(long, value_name = "SHARE", value_parser = margin)]
    pub margin: Option<f64>,
    /// Where to write the page [default: compare/<A>--<B>.<SPACE>.html in the evaluation]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Largest number of images on each side of the page
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub max_images: usize,
}

#[derive(Args)]
pub struct LeaderboardArgs {
    /// Folders of evaluations, folders with files results.json, or such files
    #[arg(required = true)]
    pub results: Vec<PathBuf>,
    /// Where to write the leaderboard
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// A share in (0, 1), as `0.02` or `2%`.
fn margin(text: &str) -> Result<f64, String> {
    let number = |text: &str| text.trim().parse::<f64>().ok();
    let share = match text.strip_suffix('%') {
        Some(percent) => number(percent).map(|percent| percent / 100.0),
        None => number(text),
    };
    share
        .filter(|share| *share > 0.0 && *share < 1.0)
        .ok_or_else(|| "write a share between 0 and 1, or as 2%".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn margins_are_shares() {
        assert_eq!([margin("2%"), margin("0.02"), margin(" 1.5%")], [Ok(0.02), Ok(0.02), Ok(0.015)]);
        for text in ["2", "0", "-1%", "100%", "two", "NaN"] {
            assert!(margin(text).is_err(), "{text}");
        }
    }

    #[test]
    fn files_have_names() {
        let named: NamedFile = "clip=a=b.csv".parse().unwrap();
        assert_eq!((named.name.as_str(), named.file.to_str()), ("clip", Some("a=b.csv")));
        for text in ["clip", "=a.csv", "a=", "../a=b.csv", ".a=b.csv"] {
            assert!(text.parse::<NamedFile>().is_err(), "{text}");
        }
    }
}
