//! All pairs of models on the same images, and tiers: which models a release can part.
//!
//! Holds always: order is by tier, not by rank, because neighbours in a ranking can rarely be parted; the same outcomes
//! give the same tiers whatever the threads.

use super::clusters::{ClusterSums, difference_of_sums};
use super::equivalence::correction;
use super::special::student_quantile;
use super::{
    ClusterDesign, ClusterDifference, Interval, Outcomes, PairedCounts, equivalence, equivalence_of_clusters, holm,
    mcnemar_exact, newcombe_paired, smallest_difference,
};

/// The test by which models are parted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairTest {
    /// McNemar's exact test: images are independent.
    McnemarExact,
    /// Student's test with clusters one way.
    OneWayClusters,
    /// Student's test with clusters by category and by nuisance.
    TwoWayClusters,
}

impl PairTest {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::McnemarExact => "mcnemar-exact",
            Self::OneWayClusters => "one-way-clusters",
            Self::TwoWayClusters => "two-way-clusters",
        }
    }
}

/// Two models on the same images.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// The first model.
    pub a: usize,
    /// The second model, with a larger index.
    pub b: usize,
    /// What they have right together and alone.
    pub counts: PairedCounts,
    /// Accuracy of a minus that of b, of these images (Newcombe); `None` without an image.
    pub difference: Option<Interval>,
    /// McNemar's exact p.
    pub p_mcnemar: f64,
    /// Of objects like these; `None` without clusters.
    pub cluster: Option<ClusterDifference>,
    /// p of [`Comparisons::test`], corrected by Holm for all pairs.
    pub p_holm: f64,
}

impl Comparison {
    /// The smallest margin within which both are equivalent at .05, by clusters where there are any; `None` if no
    /// margin below 1 shows it.
    pub fn equivalent_within(&self) -> Option<f64> {
        let found = match &self.cluster {
            Some(cluster) if cluster.std_error > 0.0 => equivalence_of_clusters(cluster, 1.0),
            _ => equivalence(&self.counts, 1.0),
        };
        found?.smallest_margin()
    }
}

/// All pairs of models.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparisons {
    /// The test that parts models: by clusters where there are any, because a grid made the images then.
    pub test: PairTest,
    /// a < b, in the order (0, 1), (0, 2), …, (1, 2), …
    pub pairs: Vec<Comparison>,
    models: usize,
}

/// Models that the release cannot part from the first of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tier {
    /// Best first, equal ones in their order; the first one is the anchor, from which the others cannot be parted.
    pub members: Vec<usize>,
}

/// Compares all pairs of `outcomes`, with the clusters of `design` if there are any.
pub fn compare_all(outcomes: &Outcomes, design: Option<&ClusterDesign>) -> Comparisons {
    let sums = design.and_then(|design| ClusterSums::new(outcomes, design));
    let mut pairs = Vec::new();
    for a in 0..outcomes.models() {
        for b in a + 1..outcomes.models() {
            let counts = outcomes.pair(a, b);
            let cluster = sums.as_ref().and_then(|sums| difference_of_sums(sums, [a, b], &counts));
            let (difference, p_mcnemar) = (newcombe_paired(&counts), mcnemar_exact(&counts));
            pairs.push(Comparison { a, b, counts, difference, p_mcnemar, cluster, p_holm: 1.0 });
        }
    }
    let p_values: Vec<f64> = pairs.iter().map(|pair| pair.cluster.map_or(pair.p_mcnemar, |at| at.p)).collect();
    for (pair, p) in pairs.iter_mut().zip(holm(&p_values)) {
        pair.p_holm = p;
    }
    let test = match sums.and(design).and_then(ClusterDesign::method) {
        None => PairTest::McnemarExact,
        Some(super::IntervalMethod::OneWayClusters) => PairTest::OneWayClusters,
        Some(_) => PairTest::TwoWayClusters,
    };
    Comparisons { test, pairs, models: outcomes.models() }
}

impl Comparisons {
    /// The comparison of two models, in either order; `None` for a model with itself.
    pub fn of(&self, one: usize, two: usize) -> Option<&Comparison> {
        let (a, b) = (one.min(two), one.max(two));
        if a == b || b >= self.models {
            return None;
        }
        self.pairs.get(a * self.models - a * (a + 1) / 2 + b - a - 1)
    }

    /// Tiers at `alpha`, best first: the best model (by `right`, how many images each has right) anchors the first
    /// tier, all that the corrected test cannot part from it join, the best of the rest anchors the next.
    ///
    /// Source: the anchors of SWE-bench's experiments, pull request 60, with Holm's correction over all pairs. A member
    /// may be below the next anchor: fewer discordant images can part it less.
    pub fn tiers(&self, right: &[u64], alpha: f64) -> Vec<Tier> {
        let mut rest: Vec<usize> = (0..self.models.min(right.len())).collect();
        rest.sort_by_key(|&model| std::cmp::Reverse(right[model]));
        let mut tiers = Vec::new();
        while let Some(&anchor) = rest.first() {
            let parted = |model: usize| self.of(anchor, model).is_some_and(|pair| pair.p_holm < alpha);
            let (others, members) = rest.into_iter().partition(|&model| parted(model));
            tiers.push(Tier { members });
            rest = others;
        }
        tiers
    }

    /// The smallest difference that these images can show between two of these models with 80 % power, at .05 shared by
    /// all pairs (Bonferroni): the median over pairs. With clusters, by the pair's standard error and Student's
    /// distribution; else [`smallest_difference`]. `None` where no pair could show any.
    pub fn smallest_difference(&self) -> Option<f64> {
        let of_pair = |pair: &Comparison| match &pair.cluster {
            Some(cluster) => {
                let quantiles = student_quantile(0.975, cluster.degrees) + student_quantile(0.8, cluster.degrees);
                Some(quantiles * cluster.std_error).filter(|difference| *difference > 0.0 && *difference <= 1.0)
            }
            None => smallest_difference(pair.counts.images(), pair.counts.discordant_share()?, 1.0),
        };
        let mut differences: Vec<f64> = self.pairs.iter().filter_map(of_pair).collect();
        differences.sort_by(f64::total_cmp);
        differences.get(differences.len() / 2).map(|alone| alone * correction(self.pairs.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Models that have the first so many of 100 images right.
    fn nested(right: &[usize]) -> (Outcomes, Vec<u64>) {
        let mut outcomes = Outcomes::new(100);
        for &right in right {
            outcomes.push(&(0..100).map(|image| image < right).collect::<Vec<_>>());
        }
        let right = outcomes.all_right();
        (outcomes, right)
    }

    fn members(right: &[usize]) -> Vec<Vec<usize>> {
        let (outcomes, right) = nested(right);
        compare_all(&outcomes, None).tiers(&right, 0.05).into_iter().map(|tier| tier.members).collect()
    }

    #[test]
    fn models_too_close_share_the_tier_of_the_best() {
        assert_eq!(members(&[50, 80, 78, 49]), [vec![1, 2], vec![0, 3]]);
        assert_eq!(members(&[70, 70, 70]), [vec![0, 1, 2]]);
        assert_eq!(members(&[70]), [vec![0]]);
        assert!(members(&[]).is_empty());
    }

    #[test]
    fn pairs_are_found_in_both_orders() {
        let (outcomes, _) = nested(&[10, 20, 30, 40]);
        let all = compare_all(&outcomes, None);
        for a in 0..4 {
            for b in a + 1..4 {
                assert_eq!(all.of(a, b).map(|pair| (pair.a, pair.b)), Some((a, b)));
                assert_eq!(all.of(b, a), all.of(a, b));
            }
        }
        assert_eq!((all.of(2, 2), all.of(1, 4)), (None, None));
    }

    #[test]
    fn clusters_part_less_than_images() {
        let (outcomes, right) = nested(&[60, 40]);
        let all =
            compare_all(&outcomes, Some(&ClusterDesign::new(&(0..100).map(|i| i / 20).collect::<Vec<_>>(), None)));
        assert_eq!(all.test.name(), "one-way-clusters");
        assert_eq!((all.tiers(&right, 0.05).len(), all.pairs[0].p_mcnemar < 0.001), (1, true));
        let one = compare_all(&outcomes, Some(&ClusterDesign::new(&[3; 100], None)));
        assert_eq!((one.test, one.tiers(&right, 0.05).len()), (PairTest::McnemarExact, 2));
    }
}
