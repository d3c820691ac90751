//! How similar the errors of models are: surrogates of a mining, targets of an evaluation.
//!
//! Holds always: where chance alone gives full agreement there is no kappa, where others say 1.

use super::Outcomes;

/// Counts of what two models did on the same items.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PairCounts {
    /// Items on which both are right or both are wrong.
    pub alike: u64,
    /// Items on which both fail.
    pub both_fail: u64,
    /// Items on which both fail and give the same class.
    pub same_class: u64,
}

impl PairCounts {
    /// Error consistency: Cohen's kappa of being right or wrong on the same `items`, in [-1, 1].
    ///
    /// `right_a`, `right_b`: how many items each has right. Source: Geirhos, Meding, Wichmann, "Beyond accuracy:
    /// quantifying trial-by-trial behaviour of CNNs and humans by measuring error consistency", NeurIPS 2020, eq. 1 to
    /// 3. `None` where chance alone already gives full agreement (no item, or both always right or both always wrong).
    pub fn error_consistency(&self, right_a: u64, right_b: u64, items: u64) -> Option<f64> {
        let expected = expected_agreement(right_a, right_b, items)?;
        let observed = self.observed(items)?;
        (expected < 1.0).then(|| (observed - expected) / (1.0 - expected))
    }

    /// The share in [0, 1] of `items` on which both are right or both are wrong; `None` without an item.
    pub fn observed(&self, items: u64) -> Option<f64> {
        (items > 0).then(|| self.alike as f64 / items as f64)
    }

    /// The share in [0, 1] of shared failures on which both give the same wrong class; `None` without a shared failure.
    pub fn same_wrong_class(&self) -> Option<f64> {
        (self.both_fail > 0).then(|| self.same_class as f64 / self.both_fail as f64)
    }
}

/// The share of `items` on which two models that have `right_a` and `right_b` of them right would both be right or both
/// be wrong by chance; `None` without an item.
pub fn expected_agreement(right_a: u64, right_b: u64, items: u64) -> Option<f64> {
    let n = items as f64;
    let (p_a, p_b) = (right_a as f64 / n, right_b as f64 / n);
    (items > 0).then_some(p_a * p_b + (1.0 - p_a) * (1.0 - p_b))
}

/// How alike two models' errors are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Agreement {
    /// The first model.
    pub a: usize,
    /// The second model, with a larger index.
    pub b: usize,
    /// [`PairCounts::error_consistency`].
    pub kappa: Option<f64>,
    /// [`PairCounts::observed`].
    pub observed: Option<f64>,
    /// [`expected_agreement`].
    pub expected: Option<f64>,
    /// [`PairCounts::same_wrong_class`].
    pub same_wrong_class: Option<f64>,
}

/// All pairs of models, a < b, in the order (0, 1), (0, 2), …, (1, 2), …
///
/// `classes`: the top class of each model on each image, by a number that all share, -1 for none; without it, and for a
/// model that has another number of images there, no pair has a same wrong class.
pub fn agreement_of_all(outcomes: &Outcomes, classes: &[&[i32]]) -> Vec<Agreement> {
    let (items, right) = (outcomes.images() as u64, outcomes.all_right());
    let mut all = Vec::new();
    for a in 0..outcomes.models() {
        for b in a + 1..outcomes.models() {
            let counts = pair_counts(outcomes, classes, [a, b]);
            all.push(Agreement {
                a,
                b,
                kappa: counts.error_consistency(right[a], right[b], items),
                observed: counts.observed(items),
                expected: expected_agreement(right[a], right[b], items),
                same_wrong_class: has_classes(outcomes, classes, [a, b]).and_then(|_| counts.same_wrong_class()),
            });
        }
    }
    all
}

fn pair_counts(outcomes: &Outcomes, classes: &[&[i32]], pair: [usize; 2]) -> PairCounts {
    let counts = outcomes.pair(pair[0], pair[1]);
    let mut same_class = 0;
    if let Some([of_a, of_b]) = has_classes(outcomes, classes, pair) {
        for (image, (a, b)) in of_a.iter().zip(of_b).enumerate() {
            let fail = |model: usize| !outcomes.is_right(model, image);
            same_class += u64::from(a == b && *a >= 0 && fail(pair[0]) && fail(pair[1]));
        }
    }
    PairCounts { alike: counts.both_right + counts.both_wrong, both_fail: counts.both_wrong, same_class }
}

fn has_classes<'a>(outcomes: &Outcomes, classes: &[&'a [i32]], [a, b]: [usize; 2]) -> Option<[&'a [i32]; 2]> {
    let pair = [*classes.get(a)?, *classes.get(b)?];
    pair.iter().all(|of| of.len() == outcomes.images()).then_some(pair)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kappa of two strings of `+` (right) and `-`.
    fn kappa(a: &str, b: &str) -> Option<f64> {
        let right = |s: &str| s.matches('+').count() as u64;
        let alike = a.chars().zip(b.chars()).filter(|(a, b)| a == b).count() as u64;
        PairCounts { alike, ..PairCounts::default() }.error_consistency(right(a), right(b), a.len() as u64)
    }

    #[test]
    fn kappa_is_one_for_twins_zero_for_strangers_and_negative_for_opposites() {
        assert_eq!(kappa("++--", "++--"), Some(1.0));
        assert_eq!(kappa("++--", "+-+-"), Some(0.0));
        assert_eq!(kappa("++--", "--++"), Some(-1.0));
        assert_eq!(kappa("+", "+"), None);
        assert_eq!(kappa("", ""), None);
    }

    #[test]
    fn the_same_wrong_class_is_a_share_of_shared_failures() {
        assert_eq!(PairCounts { alike: 9, both_fail: 4, same_class: 3 }.same_wrong_class(), Some(0.75));
        assert_eq!(PairCounts::default().same_wrong_class(), None);
    }

    #[test]
    fn all_pairs_of_a_small_pool() {
        let mut outcomes = Outcomes::new(4);
        for right in ["++--", "+---", "++++"] {
            outcomes.push(&right.chars().map(|c| c == '+').collect::<Vec<_>>());
        }
        let classes: [&[i32]; 3] = [&[0, 0, 5, 6], &[0, 4, 5, -1], &[0, 0, 0, 0]];
        let all = agreement_of_all(&outcomes, &classes);
        let pairs: Vec<_> = all.iter().map(|pair| (pair.a, pair.b, pair.kappa, pair.same_wrong_class)).collect();
        assert_eq!(pairs, [(0, 1, Some(0.5), Some(0.5)), (0, 2, Some(0.0), None), (1, 2, Some(0.0), None)]);
        assert_eq!((all[0].observed, all[0].expected), (Some(0.75), Some(0.5)));
        assert_eq!(agreement_of_all(&outcomes, &[])[0].same_wrong_class, None);
    }
}
