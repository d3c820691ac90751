//! What the pages of an evaluation show.
//!
//! Data only. Holds always: figures, comparisons and agreements are those of the tables; pictures are small JPEGs.

use crate::domain::{AgreementRow, ComparisonRow, EvaluationRecord, Figure};
use crate::stats::ReliabilityBin;

/// The page of an evaluation.
#[derive(Debug)]
pub struct EvaluationPage<'a> {
    /// The record.
    pub record: &'a EvaluationRecord,
    /// All figures.
    pub figures: &'a [Figure],
    /// All pairs of targets.
    pub comparisons: &'a [ComparisonRow],
    /// How alike errors are.
    pub agreements: &'a [AgreementRow],
    /// Confidence and accuracy of each target, in the record's order; none on a joined leaderboard.
    pub diagrams: Vec<Vec<ReliabilityBin>>,
    /// Places of targets, so that those with like errors are side by side.
    pub order: Vec<usize>,
    /// Images on which targets fail.
    pub gallery: Vec<Group>,
    /// Images without a prediction: target, path, reason.
    pub lost: Vec<Lost>,
}

/// An image without a prediction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// The target.
    pub target: String,
    /// The image.
    pub path: String,
    /// Why.
    pub reason: String,
}

/// Some images of one sort.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Its anchor.
    pub id: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// How to read it.
    pub note: &'static str,
    /// How many images there are, of which some are shown.
    pub images: u64,
    /// Those shown.
    pub cards: Vec<Card>,
}

/// An image, and what each target says.
#[derive(Debug, Clone, PartialEq)]
pub struct Card {
    /// Its path in the pool.
    pub path: String,
    /// Its category.
    pub category: String,
    /// Kind of nuisance.
    pub kind: Option<String>,
    /// The nuisance.
    pub nuisance: Option<String>,
    /// A small JPEG; empty if the image cannot be read any more.
    pub thumbnail_jpeg: Vec<u8>,
    /// Answers of the targets, in the record's order.
    pub answers: Vec<Answered>,
}

/// What a target says of an image.
#[derive(Debug, Clone, PartialEq)]
pub struct Answered {
    /// The target.
    pub target: String,
    /// The class, by name.
    pub said: String,
    /// Its probability.
    pub prob: f32,
    /// The probability of the true category.
    pub true_prob: f32,
    /// Whether it is right.
    pub correct: bool,
}

/// The page of two targets.
#[derive(Debug)]
pub struct ComparePage<'a> {
    /// The record.
    pub record: &'a EvaluationRecord,
    /// Both targets.
    pub row: &'a ComparisonRow,
    /// By kind of nuisance.
    pub kinds: &'a [KindRow],
    /// The margin of equivalence.
    pub margin: f64,
    /// Images that only the first has right: those shown.
    pub only_a: Vec<Flip>,
    /// Images that only the second has right: those shown.
    pub only_b: Vec<Flip>,
}

/// Two targets on the images of one kind of nuisance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KindRow {
    /// The kind.
    pub kind: String,
    /// Its images.
    pub images: u64,
    /// Right by the first.
    pub right_a: u64,
    /// Right by the second.
    pub right_b: u64,
    /// Right by the first alone.
    pub only_a: u64,
    /// Right by the second alone.
    pub only_b: u64,
}

/// An image that one of two targets has right.
#[derive(Debug, Clone, PartialEq)]
pub struct Flip {
    /// Its path in the pool.
    pub path: String,
    /// Its category.
    pub category: String,
    /// Kind of nuisance.
    pub kind: Option<String>,
    /// The nuisance.
    pub nuisance: Option<String>,
    /// The first target's class, by name.
    pub said_by_a: String,
    /// Its probability.
    pub prob_a: f32,
    /// The second target's class, by name.
    pub said_by_b: String,
    /// Its probability.
    pub prob_b: f32,
    /// A small JPEG; empty if the image cannot be read any more.
    pub thumbnail_jpeg: Vec<u8>,
}
