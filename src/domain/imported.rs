//! Predictions that another program has made: a file of scores.

use serde::{Deserialize, Serialize};

use super::PinnedFile;

/// A file of scores, one row for each image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImportedModel {
    /// The file; its hash stands for the weights of a model.
    pub file: PinnedFile,
    /// What its numbers are.
    pub scores: ImportedScores,
    /// Number of extra classes in front: index in the space = index in the file - offset.
    pub offset: u32,
    /// The column, or array, with the scores of all classes, if the file names it in a way of its own.
    pub column: Option<String>,
}

/// What the numbers of a file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImportedScores {
    /// A number for each class, before the softmax.
    Logits,
    /// A number for each class, after it.
    Probabilities,
    /// The likeliest classes, with their probabilities or without.
    TopK,
}
