//! How small a difference can be shown, and when two models count as equal within a margin.
//!
//! Does not choose the margin. Holds always: that a difference is not significant is never taken for equality.

use super::PairedCounts;
use super::paired::newcombe_paired_at;
use super::special::{bisect, normal_above, normal_quantile, student_quantile, student_two_sided};
use super::{ClusterDifference, Interval};

/// The share of images on which two models differ in being right, for a release that has not been scored yet: that of
/// similar classifiers on ImageNet, EVALUATION's working figure.
pub const ASSUMED_DISCORDANT: f64 = 0.15;

/// Fewer discordant images than this cannot reach p < .05 in an exact test: 2 / 2^5 is .0625.
const FEWEST_DISCORDANT: f64 = 6.0;
const POWER: f64 = 0.8;
const ALPHA: f64 = 0.05;

/// Whether two models are equal within a margin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Equivalence {
    /// The difference with its 90 % interval: equal within the margin at .05 means that it is inside.
    pub interval90: Interval,
    /// The larger p of the two one-sided tests; .5 stands for .5 or more.
    pub p: f64,
}

impl Equivalence {
    /// Whether both one-sided tests are significant at `alpha`.
    pub fn holds(&self, alpha: f64) -> bool {
        self.p < alpha
    }

    /// The smallest margin within which both are equal at .05: the farther end of the 90 % interval, whatever margin
    /// was asked about; `None` if no margin below 1 is enough.
    pub fn smallest_margin(&self) -> Option<f64> {
        let farther = self.interval90.low.abs().max(self.interval90.high.abs());
        (farther < 1.0).then_some(farther)
    }
}

/// Two one-sided tests of the paired difference against ± `margin`, a share above 0, by inverting Newcombe's interval,
/// so that test and interval say the same; of these images. `None` without an image or a margin.
///
/// Source: D. J. Schuirmann, Journal of Pharmacokinetics and Biopharmaceutics 15, 1987.
pub fn equivalence(counts: &PairedCounts, margin: f64) -> Option<Equivalence> {
    if margin.is_nan() || margin <= 0.0 {
        return None;
    }
    let interval90 = newcombe_paired_at(counts, normal_quantile(1.0 - ALPHA))?;
    if interval90.value.abs() >= margin {
        return Some(Equivalence { interval90, p: 0.5 });
    }
    let inside = |z: f64| {
        let at = newcombe_paired_at(counts, z).unwrap_or(interval90);
        at.low > -margin && at.high < margin
    };
    Some(Equivalence { interval90, p: normal_above(bisect(0.0, 38.0, inside)) })
}

/// The same of objects like these: with the cluster-robust standard error and Student's distribution.
pub fn equivalence_of_clusters(difference: &ClusterDifference, margin: f64) -> Option<Equivalence> {
    if margin.is_nan() || margin <= 0.0 {
        return None;
    }
    let value = difference.interval.value;
    let half = student_quantile(1.0 - ALPHA, difference.degrees) * difference.std_error;
    let interval90 = Interval { value, low: (value - half).max(-1.0), high: (value + half).min(1.0) };
    let to_margin = margin - value.abs();
    if to_margin <= 0.0 {
        return Some(Equivalence { interval90, p: 0.5 });
    }
    let t = to_margin / difference.std_error;
    let p = if t.is_finite() { student_two_sided(t, difference.degrees) / 2.0 } else { 0.0 };
    Some(Equivalence { interval90, p })
}

/// The smallest difference of two accuracies that `images` images can show with 80 % power at .05, where two models
/// differ on the share `discordant` of them: 2.8 sqrt(discordant / images), times the square root of the design effect
/// (1 for independent images, [`ClusterDifference::design_effect`] for clusters).
///
/// Source: R. J. Connor, Biometrics 43, 1987, without the term of the difference itself. `None` where nothing can be
/// shown: fewer than six discordant images, or a difference above the discordant share, which is the largest there can
/// be.
pub fn smallest_difference(images: u64, discordant: f64, design_effect: f64) -> Option<f64> {
    let effective = images as f64 / design_effect;
    let enough = effective * discordant >= FEWEST_DISCORDANT;
    if !enough {
        return None;
    }
    let difference = quantiles(1) * (discordant / effective).sqrt();
    (difference <= discordant).then_some(difference)
}

/// How much larger a difference must be if `tests` tests share the level of .05 (Bonferroni), at the same power.
pub(super) fn correction(tests: usize) -> f64 {
    quantiles(tests) / quantiles(1)
}

/// The standard errors that a difference must have, so that one of `tests` tests at .05 shows it with 80 % power.
fn quantiles(tests: usize) -> f64 {
    normal_quantile(1.0 - ALPHA / tests.max(1) as f64 / 2.0) + normal_quantile(POWER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_number_of_images_can_show() {
        let points =
            |images| smallest_difference(images, ASSUMED_DISCORDANT, 1.0).map(|share| (share * 1000.0).round());
        assert_eq!([4_835, 498, 10].map(points), [Some(16.0), Some(49.0), None]);
        let clustered = smallest_difference(4_835, 0.15, 4.0).unwrap();
        assert!((clustered / smallest_difference(4_835, 0.15, 1.0).unwrap() - 2.0).abs() < 1e-12);
        assert_eq!(smallest_difference(0, 0.15, 1.0), None);
        assert_eq!(smallest_difference(100, f64::NAN, 1.0), None);
    }

    #[test]
    fn equality_needs_images_and_not_only_a_small_difference() {
        let few = PairedCounts { both_right: 3, ..PairedCounts::default() };
        assert!(!equivalence(&few, 0.02).unwrap().holds(0.05));
        let many = PairedCounts { both_right: 6_000, only_a: 50, only_b: 55, both_wrong: 4_000 };
        assert!(equivalence(&many, 0.02).unwrap().holds(0.05));
        assert!(!equivalence(&many, 0.0005).unwrap().holds(0.05));
        assert_eq!(equivalence(&many, 0.0), None);
        assert_eq!(equivalence(&PairedCounts::default(), 0.02), None);
    }

    #[test]
    fn test_and_interval_say_the_same() {
        let counts = PairedCounts { both_right: 300, only_a: 20, only_b: 25, both_wrong: 100 };
        let at = equivalence(&counts, 0.05).unwrap();
        let border = at.interval90.low.abs().max(at.interval90.high);
        assert!((equivalence(&counts, border).unwrap().p - 0.05).abs() < 1e-9);
        assert_eq!(at.smallest_margin(), Some(border));
        let one = PairedCounts { only_a: 1, ..PairedCounts::default() };
        assert_eq!(equivalence(&one, 1.0).unwrap().smallest_margin(), None);
    }
}
