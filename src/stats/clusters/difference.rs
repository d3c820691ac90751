//! The difference of two models over clusters, fast for all pairs: sums by cluster are made once for each model,
//! because the sum of a difference is the difference of the sums.
//!
//! Holds always: equal outcomes have p = 1, and no difference is significant by a variance of 0.

use super::super::interval::{ALPHA, Interval, IntervalMethod, clopper_pearson};
use super::super::special::{student_quantile, student_two_sided};
use super::super::{Outcomes, PairedCounts};
use super::{ClusterDesign, robust};

/// The difference of two accuracies for objects like these.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClusterDifference {
    /// The difference in [-1, 1] with its 95 % interval.
    pub interval: Interval,
    /// How the interval was made.
    pub method: IntervalMethod,
    /// Standard error of the difference.
    pub std_error: f64,
    /// Degrees of freedom: one less than the smaller number of clusters; endless where the variance is that of
    /// independent images, because clusters hardly matter.
    pub degrees: f64,
    /// Two-sided p of Student's test against no difference.
    pub p: f64,
    /// How many times the variance of independent images; `None` where that is 0.
    pub design_effect: Option<f64>,
}

/// The sums of right images by cluster of every model, for each term of a design.
pub(in super::super) struct ClusterSums<'a> {
    design: &'a ClusterDesign,
    /// By term, then by model, then by cluster.
    sums: Vec<Vec<Vec<u32>>>,
}

impl<'a> ClusterSums<'a> {
    /// Of all models; `None` where the design is of other images or no way of it counts.
    pub(in super::super) fn new(outcomes: &Outcomes, design: &'a ClusterDesign) -> Option<Self> {
        if design.images() != outcomes.images() || design.method().is_none() {
            return None;
        }
        let sums_of = |clusters: &super::Clusters, model: usize| {
            let mut sums = vec![0; clusters.count()];
            for (image, &cluster) in clusters.of_image.iter().enumerate() {
                sums[cluster as usize] += u32::from(outcomes.is_right(model, image));
            }
            sums
        };
        let models = || 0..outcomes.models();
        let terms = design.terms();
        let sums = terms.iter().map(|term| models().map(|model| sums_of(term.clusters, model)).collect()).collect();
        Some(Self { design, sums })
    }
}

/// The difference of the accuracies of `a` and `b` on the images of `design`, with the test that speaks of objects like
/// these. `None` where no way has two clusters, and for another number of images.
pub fn cluster_difference(a: &[bool], b: &[bool], design: &ClusterDesign) -> Option<ClusterDifference> {
    if a.len() != design.images() || b.len() != design.images() {
        return None;
    }
    let mut outcomes = Outcomes::new(design.images());
    outcomes.push(a);
    outcomes.push(b);
    difference_of_sums(&ClusterSums::new(&outcomes, design)?, [0, 1], &outcomes.pair(0, 1))
}

/// [`cluster_difference`] of models `a` and `b`, of whom `counts` are.
pub(in super::super) fn difference_of_sums(
    sums: &ClusterSums,
    [a, b]: [usize; 2],
    counts: &PairedCounts,
) -> Option<ClusterDifference> {
    let (n, value) = (counts.images() as f64, counts.difference()?);
    let total = counts.only_a as f64 - counts.only_b as f64;
    let naive = (counts.discordant() as f64 / n - value * value).max(0.0) / n;
    let terms = sums.design.terms();
    let mut variances = Vec::with_capacity(terms.len());
    for (term, sums) in terms.iter().zip(&sums.sums) {
        let differences = sums[a].iter().zip(&sums[b]).map(|(&a, &b)| f64::from(a) - f64::from(b));
        variances.push(term.clusters.variance(differences, total));
    }
    let robust = robust(&terms, &variances, naive)?;
    let std_error = robust.variance.sqrt();
    let method = sums.design.method()?;
    let (interval, p) = if std_error > 0.0 {
        let half = student_quantile(1.0 - ALPHA / 2.0, robust.degrees) * std_error;
        let interval = Interval { value, low: (value - half).max(-1.0), high: (value + half).min(1.0) };
        (interval, student_two_sided(value / std_error, robust.degrees))
    } else {
        same_everywhere(value, robust.degrees + 1.0)?
    };
    let design_effect = (naive > 0.0).then(|| robust.variance / naive);
    Some(ClusterDifference { interval, method, std_error, degrees: robust.degrees, p, design_effect })
}

/// The interval and p where the difference is the same on every image: 0, or one model is right and the other wrong
/// throughout. Then the clusters are counted as the independent things they are.
fn same_everywhere(value: f64, clusters: f64) -> Option<(Interval, f64)> {
    if value == 0.0 {
        return Some((Interval { value, low: 0.0, high: 0.0 }, 1.0));
    }
    let least = 2.0 * clopper_pearson(clusters, clusters, ALPHA)?.low - 1.0;
    let ends = if value > 0.0 { (least, 1.0) } else { (-1.0, -least) };
    Some((Interval { value, low: ends.0, high: ends.1 }, 2.0_f64.powf(1.0 - clusters).min(1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bools(text: &str) -> Vec<bool> {
        text.chars().map(|c| c == '+').collect()
    }

    fn difference(a: &str, b: &str) -> Option<ClusterDifference> {
        let categories: Vec<u32> = (0..a.len() as u32).map(|image| image / 2).collect();
        cluster_difference(&bools(a), &bools(b), &ClusterDesign::new(&categories, None))
    }

    #[test]
    fn equal_outcomes_are_not_different() {
        let same = difference("+-+-+-", "+-+-+-").unwrap();
        assert_eq!((same.p, same.std_error, same.design_effect), (1.0, 0.0, None));
        assert_eq!(same.interval, Interval { value: 0.0, low: 0.0, high: 0.0 });
    }

    #[test]
    fn a_variance_of_zero_is_not_certainty() {
        let opposite = difference("++++++", "------").unwrap();
        assert_eq!((opposite.interval.value, opposite.p), (1.0, 0.25));
        assert!(opposite.interval.low < 0.0);
        let halves = difference("+-+-+-", "------").unwrap();
        assert!(halves.std_error > 0.0 && halves.p > 0.05, "{halves:?}");
    }

    #[test]
    fn other_numbers_of_images_and_single_clusters_have_no_figure() {
        assert_eq!(difference("+", "-"), None);
        assert_eq!(cluster_difference(&[true], &[true, false], &ClusterDesign::new(&[0, 1], None)), None);
    }

    #[test]
    fn exchanging_the_models_changes_the_sign_alone() {
        let [ours, theirs] =
            [difference("++-+++-+", "-+--+-++"), difference("-+--+-++", "++-+++-+")].map(Option::unwrap);
        assert_eq!((ours.p, ours.interval.low), (theirs.p, -theirs.interval.high));
    }
}
