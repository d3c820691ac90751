//! A figure with its confidence interval, and that of a proportion.

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

/// The two-sided 95 % quantile of the normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// Wilson's score interval at 95 % (E. B. Wilson, JASA 22, 1927) of `successes` in `trials`.
///
/// `None` without a trial, because there is no proportion then.
pub fn wilson(successes: u64, trials: u64) -> Option<Interval> {
    (trials > 0).then(|| wilson_mean(successes as f64 / trials as f64, trials)).flatten()
}

/// The same for a mean `p` in [0, 1] of `trials` shares, each in [0, 1]. The interval is too wide rather than too
/// narrow, because shares vary at most as much as ones and zeros of the same mean. `None` without a trial.
pub fn wilson_mean(p: f64, trials: u64) -> Option<Interval> {
    if trials == 0 {
        return None;
    }
    let n = trials as f64;
    let centre = (p + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z / (1.0 + Z * Z / n) * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    Some(Interval { value: p, low: (centre - half).max(0.0), high: (centre + half).min(1.0) })
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
}
