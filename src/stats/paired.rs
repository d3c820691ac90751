//! Two models on the same images: counts, McNemar's tests, the interval of the difference.
//!
//! Treats images as independent: what is said speaks of these images. Where a grid of categories and nuisances made
//! them, `clusters` has the test that speaks of objects like these. Holds always: a and b exchanged change the sign of
//! a difference and nothing else.

use super::Interval;
use super::interval::{Z, wilson_at};
use super::special::{beta_share, erfc, ln_gamma};

/// What two models have right together and alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PairedCounts {
    /// Images that both have right.
    pub both_right: u64,
    /// Images that only the first has right.
    pub only_a: u64,
    /// Images that only the second has right.
    pub only_b: u64,
    /// Images that neither has right.
    pub both_wrong: u64,
}

impl PairedCounts {
    /// Number of images.
    pub fn images(&self) -> u64 {
        self.both_right + self.only_a + self.only_b + self.both_wrong
    }

    /// Images that one of the two alone has right.
    pub fn discordant(&self) -> u64 {
        self.only_a + self.only_b
    }

    /// The share of discordant images; `None` without an image.
    pub fn discordant_share(&self) -> Option<f64> {
        (self.images() > 0).then(|| self.discordant() as f64 / self.images() as f64)
    }

    /// Accuracy of the first minus that of the second, in [-1, 1]; `None` without an image.
    pub fn difference(&self) -> Option<f64> {
        (self.images() > 0).then(|| (self.only_a as f64 - self.only_b as f64) / self.images() as f64)
    }

    fn exchanged(&self) -> Self {
        Self { only_a: self.only_b, only_b: self.only_a, ..*self }
    }
}

/// McNemar's exact test, two-sided: twice the binomial tail of the discordant images at one half; 1 without any.
///
/// Source: Q. McNemar, Psychometrika 12, 1947; the exact form is that of statsmodels' `mcnemar(exact=True)`.
pub fn mcnemar_exact(counts: &PairedCounts) -> f64 {
    let (fewer, more) = ordered(counts);
    if fewer == more {
        return 1.0;
    }
    (2.0 * beta_share(more as f64, fewer as f64 + 1.0, 0.5)).min(1.0)
}

/// McNemar's mid-p test: the exact one with half the probability of the observed split.
///
/// Source: M. W. Fagerland, S. Lydersen, P. Laake, BMC Medical Research Methodology 13, 2013, equation 4.
pub fn mcnemar_mid_p(counts: &PairedCounts) -> f64 {
    let (fewer, more) = ordered(counts);
    let total = (fewer + more) as f64;
    let ln_choose = ln_gamma(total + 1.0) - ln_gamma(fewer as f64 + 1.0) - ln_gamma(more as f64 + 1.0);
    let observed = (ln_choose - total * 2.0_f64.ln()).exp();
    if fewer == more {
        return if fewer == 0 { 1.0 } else { 1.0 - observed };
    }
    (2.0 * beta_share(more as f64, fewer as f64 + 1.0, 0.5) - observed).clamp(0.0, 1.0)
}

/// McNemar's chi-squared test with one degree of freedom, without correction; 1 without a discordant image.
pub fn mcnemar_chi2(counts: &PairedCounts) -> f64 {
    chi2_above(counts, counts.only_a.abs_diff(counts.only_b) as f64)
}

/// The same with the continuity correction of A. L. Edwards (Psychometrika 13, 1948), as statsmodels has it.
pub fn mcnemar_chi2_corrected(counts: &PairedCounts) -> f64 {
    chi2_above(counts, (counts.only_a.abs_diff(counts.only_b) as f64 - 1.0).abs())
}

fn chi2_above(counts: &PairedCounts, distance: f64) -> f64 {
    if counts.discordant() == 0 {
        return 1.0;
    }
    erfc(distance / (2.0 * counts.discordant() as f64).sqrt())
}

fn ordered(counts: &PairedCounts) -> (u64, u64) {
    (counts.only_a.min(counts.only_b), counts.only_a.max(counts.only_b))
}

/// The difference of two accuracies with Newcombe's 95 % interval for paired proportions, method 10.
///
/// Source: R. G. Newcombe, Statistics in Medicine 17, 1998, pages 2635 to 2650: Wilson's bounds of both accuracies,
/// joined with their correlation, which is corrected for continuity. `None` without an image.
pub fn newcombe_paired(counts: &PairedCounts) -> Option<Interval> {
    newcombe_paired_at(counts, Z)
}

/// [`newcombe_paired`] with another quantile of the normal distribution.
pub(super) fn newcombe_paired_at(counts: &PairedCounts, z: f64) -> Option<Interval> {
    let value = counts.difference()?;
    let below = distance_below(counts, z)?;
    let above = distance_below(&counts.exchanged(), z)?;
    Some(Interval { value, low: (value - below).max(-1.0), high: (value + above).min(1.0) })
}

/// How far the lower bound is below the difference.
fn distance_below(counts: &PairedCounts, z: f64) -> Option<f64> {
    let n = counts.images();
    let share = |right: u64| wilson_at(right as f64 / n as f64, n, z);
    let a = share(counts.both_right + counts.only_a)?;
    let b = share(counts.both_right + counts.only_b)?;
    let [below_a, above_b] = [a.value - a.low, b.high - b.value];
    let squared = below_a.powi(2) - 2.0 * correlation(counts) * below_a * above_b + above_b.powi(2);
    Some(squared.max(0.0).sqrt())
}

/// The correlation of the two models' outcomes, moved towards 0 by half an image in each cell if it is positive; 0
/// where a model is always right or always wrong.
fn correlation(counts: &PairedCounts) -> f64 {
    let [both, a, b, neither] =
        [counts.both_right, counts.only_a, counts.only_b, counts.both_wrong].map(|count| count as f64);
    let margins = (both + a) * (b + neither) * (both + b) * (a + neither);
    if margins == 0.0 {
        return 0.0;
    }
    let product = both * neither - a * b;
    let corrected = if product > 0.0 { (product - counts.images() as f64 / 2.0).max(0.0) } else { product };
    corrected / margins.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(both_right: u64, only_a: u64, only_b: u64, both_wrong: u64) -> PairedCounts {
        PairedCounts { both_right, only_a, only_b, both_wrong }
    }

    #[test]
    fn without_a_discordant_image_nothing_is_shown() {
        let same = counts(5, 0, 0, 5);
        for p in [mcnemar_exact(&same), mcnemar_mid_p(&same), mcnemar_chi2(&same), mcnemar_chi2_corrected(&same)] {
            assert_eq!(p, 1.0);
        }
        assert_eq!(newcombe_paired(&counts(0, 0, 0, 0)), None);
        let interval = newcombe_paired(&same).unwrap();
        assert!(interval.low < 0.0 && interval.high > 0.0 && interval.value == 0.0);
    }

    #[test]
    fn small_tables_by_hand() {
        assert!((mcnemar_exact(&counts(0, 6, 0, 0)) - 2.0 / 64.0).abs() < 1e-15);
        assert!((mcnemar_mid_p(&counts(0, 6, 0, 0)) - 1.0 / 64.0).abs() < 1e-15);
        assert!((mcnemar_exact(&counts(9, 1, 3, 9)) - 0.625).abs() < 1e-14);
        assert!((mcnemar_mid_p(&counts(0, 2, 2, 0)) - 0.625).abs() < 1e-14);
        assert_eq!(mcnemar_exact(&counts(0, 2, 2, 0)), 1.0);
    }

    #[test]
    fn exchanging_the_models_turns_the_interval_around() {
        let ours = newcombe_paired(&counts(30, 12, 5, 3)).unwrap();
        let theirs = newcombe_paired(&counts(30, 5, 12, 3)).unwrap();
        assert!((ours.low + theirs.high).abs() < 1e-15 && (ours.high + theirs.low).abs() < 1e-15);
        assert!(ours.low < ours.value && ours.value < ours.high);
    }
}
