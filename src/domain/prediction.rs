//! The scores that one model gives to one image, and the prediction that follows from them.
//!
//! Holds always: probabilities are over the 1000 ImageNet classes in ImageNet's order, whatever the model's own order
//! or background class, because predictions of different models are compared class by class.

use super::ItemId;

/// Raw scores of one image, as a surrogate returns them.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    /// `[1000]` probabilities in [0, 1]; their sum is at most 1 (a background class of the model is left out).
    pub probs: Vec<f32>,
    /// Largest logit over the 1000 classes; `None` if the model gives probabilities only.
    pub max_logit: Option<f32>,
    /// Energy `-log(sum(exp(logits)))` (Liu et al., NeurIPS 2020, temperature 1); `None` as above.
    pub energy: Option<f32>,
}

/// The prediction for one image in one label space.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SpacePrediction {
    /// The class with the highest probability in this space; of equal ones the lowest index.
    pub top1_id: i32,
    /// Its probability in this space, in [0, 1].
    pub top1_prob: f32,
    /// Whether that class is accepted for the item.
    pub correct: bool,
    /// Sum of the probabilities of the accepted classes, in [0, 1].
    pub true_prob: f32,
    /// Best accepted probability minus best other one, in [-1, 1]; above 0 where correct, below where wrong.
    pub margin: f32,
}

/// A row of `predictions/<surrogate>/NNN/NNNNNN.HASH.parquet`.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// The item.
    pub item_id: ItemId,
    /// The five likeliest classes, likeliest first.
    pub top5_ids: [i32; 5],
    /// Their probabilities.
    pub top5_probs: [f32; 5],
    /// Rank of the best accepted class, 1 = top.
    pub true_rank: u32,
    /// Among all 1000 classes (`any-of-ids`).
    pub any: SpacePrediction,
    /// Among the classes of the run's categories, renormalised (`masked`).
    pub masked: SpacePrediction,
    /// See [`Scores::max_logit`].
    pub max_logit: Option<f32>,
    /// See [`Scores::energy`].
    pub energy: Option<f32>,
}
