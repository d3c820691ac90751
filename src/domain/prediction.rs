//! The scores that one model gives to one image, and the prediction that follows from them.
//!
//! Holds always: probabilities are over the classes of the scorer's class space in the space's order, whatever the
//! model's own background class, because predictions of different models are compared class by class.

use super::ItemId;

/// Raw scores of one image, as a surrogate returns them.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    /// `[classes]` probabilities in [0, 1], as `kind` says.
    pub probs: Vec<f32>,
    /// What the probabilities are.
    pub kind: ProbKind,
    /// `[classes]` logits, not those of other classes of the model; `None` if it gives probabilities only.
    pub logits: Option<Vec<f32>>,
    /// Largest logit over the classes; `None` if the model gives probabilities only.
    pub max_logit: Option<f32>,
    /// Energy `-log(sum(exp(logits)))` (Liu et al., NeurIPS 2020, temperature 1); `None` as above.
    pub energy: Option<f32>,
}

/// What the probabilities of [`Scores`] are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbKind {
    /// Of one choice among all classes: their sum is at most 1 (a background class of the model is left out).
    Choice,
    /// Of each class by itself, as a sigmoid gives them.
    Each,
    /// Of the likeliest classes only; 0 means that a class is not among them, and its probability is not known.
    Listed,
}

/// The prediction for one image in one label space.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SpacePrediction {
    /// The class with the highest probability in this space; of equal ones the lowest index; -1 if none is known.
    pub top1_id: i32,
    /// Its probability in this space, in [0, 1].
    pub top1_prob: f32,
    /// Whether that class is accepted for the item.
    pub correct: bool,
    /// Sum of the probabilities of the accepted classes, in [0, 1].
    pub true_prob: f32,
    /// Best accepted probability minus best other one, in [-1, 1]; above 0 where correct, below where wrong.
    pub margin: f32,
    /// Brier's sum over classes, those accepted as one class, in [0, 2]: `(1 - true_prob)^2` and the square of the
    /// probability of every other class of the space (Brier, Monthly Weather Review 78, 1950).
    ///
    /// `None` where the probabilities are not those of one choice, and in tables from before format 2.3.
    pub brier: Option<f32>,
}

/// A row of `predictions/<surrogate>/NNN/NNNNNN.HASH.parquet`.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// The item.
    pub item_id: ItemId,
    /// The likeliest classes, likeliest first: five, or all that there are or are known.
    pub top5_ids: Vec<i32>,
    /// Their probabilities.
    pub top5_probs: Vec<f32>,
    /// Rank of the best accepted class, 1 = top; one more than there are classes (that are known) if it has none.
    pub true_rank: u32,
    /// Among all classes of the scorer's space (`any-of-ids`).
    pub any: SpacePrediction,
    /// Among the classes of the run's categories, renormalised unless each class has a probability of its own
    /// (`masked`).
    pub masked: SpacePrediction,
    /// See [`Scores::max_logit`].
    pub max_logit: Option<f32>,
    /// See [`Scores::energy`].
    pub energy: Option<f32>,
    /// [`Scores::max_logit`] among the classes of the run's categories; `None` also in tables from before format 2.3.
    pub masked_max_logit: Option<f32>,
    /// [`Scores::energy`] over the same classes; `None` as there, and before format 2.3.
    pub masked_energy: Option<f32>,
}
