//! A figure with its confidence interval, and that of a proportion.
//!
//! All of them speak of these images alone; what is said of objects like these is in `clusters`. Holds always: an
//! interval is within [0, 1].

use super::special::beta_quantile;

/// A figure with its 95 % interval; all three numbers are in [0, 1] if the figure is a proportion.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The figure.
    pub value: f64,
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
}

/// How an interval was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IntervalMethod {
    /// [`wilson`].
    Wilson,
    /// [`clopper_pearson`].
    ClopperPearson,
    /// [`jeffreys`].
    Jeffreys,
    /// [`newcombe_paired`](super::newcombe_paired), of a difference.
    NewcombePaired,
    /// Clusters by category, or by nuisance where there is one category.
    OneWayClusters,
    /// Clusters by category and by nuisance.
    TwoWayClusters,
}

impl IntervalMethod {
    /// Its name in tables: `wilson`, `clopper-pearson`, …
    pub fn name(self) -> &'static str {
        match self {
            Self::Wilson => "wilson",
            Self::ClopperPearson => "clopper-pearson",
            Self::Jeffreys => "jeffreys",
            Self::NewcombePaired => "newcombe-paired",
            Self::OneWayClusters => "one-way-clusters",
            Self::TwoWayClusters => "two-way-clusters",
        }
    }
}

/// A proportion with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Proportion {
    /// The proportion and its bounds.
    pub interval: Interval,
    /// How the bounds were made.
    pub method: IntervalMethod,
}

/// The two-sided 95 % quantile of the normal distribution.
pub(super) const Z: f64 = 1.959_963_984_540_054;

/// One minus the level of every interval that does not name its own.
pub(super) const ALPHA: f64 = 0.05;

/// Wilson's score interval at 95 % (E. B. Wilson, JASA 22, 1927) of `successes` in `trials`.
///
/// `None` without a trial, because there is no proportion then.
pub fn wilson(successes: u64, trials: u64) -> Option<Interval> {
    (trials > 0).then(|| wilson_mean(successes as f64 / trials as f64, trials)).flatten()
}

/// The same for a mean `p` in [0, 1] of `trials` shares, each in [0, 1]. The interval is too wide rather than too
/// narrow, because shares vary at most as much as ones and zeros of the same mean. `None` without a trial.
pub fn wilson_mean(p: f64, trials: u64) -> Option<Interval> {
    wilson_at(p, trials, Z)
}

/// The same at the two-sided quantile `z` of the normal distribution.
pub(super) fn wilson_at(p: f64, trials: u64, z: f64) -> Option<Interval> {
    if trials == 0 {
        return None;
    }
    let n = trials as f64;
    let centre = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    Some(Interval { value: p, low: (centre - half).max(0.0), high: (centre + half).min(1.0) })
}

/// `successes` of `trials` with the interval that speaks of these images: Wilson's, and Clopper and Pearson's where all
/// or none are successes, because Wilson's does not keep its level there. `None` without a trial.
pub fn proportion(successes: u64, trials: u64) -> Option<Proportion> {
    if successes > 0 && successes < trials {
        return Some(Proportion { interval: wilson(successes, trials)?, method: IntervalMethod::Wilson });
    }
    let interval = clopper_pearson(successes as f64, trials as f64, ALPHA)?;
    Some(Proportion { interval, method: IntervalMethod::ClopperPearson })
}

/// Clopper and Pearson's interval at level 1 - `alpha` of `successes` in `trials`, which need not be whole numbers.
///
/// Source: C. J. Clopper, E. S. Pearson, Biometrika 26, 1934, as quantiles of beta distributions. `None` without a
/// trial, for `successes` outside 0 to `trials`, and for `alpha` outside 0 to 1.
pub fn clopper_pearson(successes: f64, trials: f64, alpha: f64) -> Option<Interval> {
    let value = checked_share(successes, trials, alpha)?;
    let failures = trials - successes;
    let low = if successes > 0.0 { beta_quantile(successes, failures + 1.0, alpha / 2.0) } else { 0.0 };
    let high = if failures > 0.0 { beta_quantile(successes + 1.0, failures, 1.0 - alpha / 2.0) } else { 1.0 };
    Some(Interval { value, low, high })
}

/// Jeffreys' equal-tailed interval: quantiles of the beta distribution of `successes` + 1/2 and failures + 1/2.
///
/// Source: L. D. Brown, T. T. Cai, A. DasGupta, Statistical Science 16, 2001, section 3.1.1, without their change at 0
/// and `trials`, as statsmodels has it: at 0 and `trials` it leaves the proportion out. `None` as for
/// [`clopper_pearson`].
pub fn jeffreys(successes: f64, trials: f64, alpha: f64) -> Option<Interval> {
    let value = checked_share(successes, trials, alpha)?;
    let [a, b] = [successes + 0.5, trials - successes + 0.5];
    Some(Interval { value, low: beta_quantile(a, b, alpha / 2.0), high: beta_quantile(a, b, 1.0 - alpha / 2.0) })
}

fn checked_share(successes: f64, trials: f64, alpha: f64) -> Option<f64> {
    let valid = trials > 0.0 && trials.is_finite() && (0.0..=trials).contains(&successes) && alpha > 0.0 && alpha < 1.0;
    valid.then(|| successes / trials)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reference: statsmodels 0.15.0, `proportion_confint(method="wilson")`.
    #[test]
    fn equals_the_reference() {
        for (successes, trials, low, high) in [
            (188, 400, 0.421_606_893_6, 0.518_963_844_1),
            (0, 10, 0.0, 0.277_532_799_9),
            (10, 10, 0.722_467_200_1, 1.0),
        ] {
            let interval = wilson(successes, trials).unwrap();
            assert!((interval.low - low).abs() < 1e-9 && (interval.high - high).abs() < 1e-9, "{interval:?}");
        }
        assert_eq!(wilson(0, 0), None);
    }

    #[test]
    fn at_none_and_all_the_interval_is_the_exact_one() {
        assert_eq!(proportion(0, 0), None);
        let methods = [0, 1, 9, 10].map(|right| proportion(right, 10).unwrap().method.name());
        assert_eq!(methods, ["clopper-pearson", "wilson", "wilson", "clopper-pearson"]);
        let all = proportion(10, 10).unwrap().interval;
        assert!((all.low - 0.025_f64.powf(0.1)).abs() < 1e-12 && all.high == 1.0);
    }

    #[test]
    fn what_is_not_a_proportion_has_no_interval() {
        for (successes, trials, alpha) in [(1.0, 0.0, 0.05), (-1.0, 5.0, 0.05), (6.0, 5.0, 0.05), (1.0, 5.0, 0.0)] {
            assert_eq!(clopper_pearson(successes, trials, alpha), None);
            assert_eq!(jeffreys(successes, trials, alpha), None);
        }
        assert_eq!(clopper_pearson(f64::NAN, 5.0, 0.05), None);
    }
}
