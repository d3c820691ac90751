//! Pure numbers: from scores to predictions, from predictions to hard sets, and the figures about them.
//!
//! Does no I/O and starts no threads, because results must depend on the arguments alone; random draws depend only on a
//! seed. The source of a formula is named at its function.

mod agreement;
mod interval;
mod near;
mod predict;
mod score_warnings;
mod scores;
mod select;
mod summary;
mod votes;

pub use agreement::PairCounts;
pub use interval::{Interval, wilson, wilson_mean};
pub use near::{NearDuplicate, near_duplicates, nearest};
pub use predict::{ClassMask, PredictError, predict, softmax};
pub use score_warnings::{ScoreWarning, score_sums, score_warnings};
pub use scores::{scores_of_logits, scores_of_probabilities};
pub use select::{ItemResult, SurrogateVotes, align, judge};
pub use summary::{MinedWithoutOne, Summary};
pub use votes::{
    OneCoinPosterior, Posterior, Vote, VoteSet, Wawa, agreement_with_others, alpha_interval, dawid_skene,
    krippendorff_alpha, majority, most_probable, one_coin_dawid_skene, percent_agreement, wawa,
};
