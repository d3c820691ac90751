//! Pure numbers: from scores to predictions, from predictions to hard sets, and the figures about them.
//!
//! Does no I/O and starts no threads, because results must depend on the arguments alone; random draws depend only on a
//! seed. The source of a formula is named at its function.

mod agreement;
mod bootstrap;
mod calibration;
mod clusters;
mod difference;
mod equivalence;
mod interval;
mod multiple;
mod near;
mod ood;
mod outcomes;
mod paired;
mod predict;
mod robustness;
mod score_warnings;
mod scores;
mod select;
mod similarity;
mod special;
mod summary;
mod tiers;
mod votes;

pub use agreement::{Agreement, PairCounts, agreement_of_all, expected_agreement};
pub use bootstrap::exact_paired_bootstrap;
pub use calibration::{
    BINS, ImageLogits, NLL_FLOOR, Nll, ReliabilityBin, Temperature, adaptive_ece, aurra, brier_of_image,
    brier_top_label, expected_error, largest_error, nll, nll_at, reliability_bins, rms_all_bins, rms_as_published,
    temperature,
};
pub use clusters::{ClusterDesign, ClusterDifference, ClusterVariances, cluster_difference, objects_like_these};
pub use difference::newcombe_independent;
pub use equivalence::{ASSUMED_DISCORDANT, Equivalence, equivalence, equivalence_of_clusters, smallest_difference};
pub use interval::{Interval, IntervalMethod, Proportion, clopper_pearson, jeffreys, proportion, wilson, wilson_mean};
pub use multiple::{benjamini_hochberg, bonferroni, holm};
pub use near::{NearDuplicate, near_duplicates, nearest};
pub use ood::{FprAt95, OutOfDistribution, out_of_distribution};
pub use outcomes::Outcomes;
pub use paired::{PairedCounts, mcnemar_chi2, mcnemar_chi2_corrected, mcnemar_exact, mcnemar_mid_p, newcombe_paired};
pub use predict::{ClassMask, PredictError, predict, softmax};
pub use robustness::{
    Against, CleanAndShift, CorruptionError, CorruptionErrors, CorruptionFigures, CorruptionRow, CorruptionSummary,
    FEWEST_STANDARD, FitError, FlipRate, LogitFit, LogitLine, NARROWEST_RANGE, drop, fit, fit_line, flip_probability,
    inverse_logit, logit, mean_corruption_error, mean_flip_rate, standard_fit, tau, top5_distance, zipf_distance,
};
pub use score_warnings::{ScoreWarning, score_sums, score_warnings};
pub use scores::{scores_of_logits, scores_of_probabilities};
pub use select::{ItemResult, SurrogateVotes, align, judge};
pub use similarity::similarity_order;
pub use summary::{MinedWithoutOne, Summary};
pub use tiers::{Comparison, Comparisons, PairTest, Tier, compare_all};
pub use votes::{
    OneCoinPosterior, Posterior, Vote, VoteSet, Wawa, agreement_with_others, alpha_interval, dawid_skene,
    krippendorff_alpha, majority, most_probable, one_coin_dawid_skene, percent_agreement, wawa,
};
