//! The paired percentile bootstrap of a difference, exactly: no draws, the same bytes everywhere.
//!
//! A resample of n images adds n draws of +1 (only the first is right), -1 (only the second) and 0, so its difference
//! has the n-fold convolution of that distribution. Its values follow from one another (three terms), which costs 2 n
//! steps instead of n squared.

use super::{Interval, PairedCounts};

/// The tails that the interval leaves out.
const TAILS: [f64; 2] = [0.025, 0.975];

/// The difference with its 95 % percentile interval over all resamples of the images; `None` without an image.
///
/// A bound is the smallest difference up to which at least that share of the resamples is. Source of the method: B.
/// Efron, R. J. Tibshirani, "An introduction to the bootstrap", 1993, chapter 13; of the recurrence: L. Euler, for the
/// coefficients of a power of a trinomial.
pub fn exact_paired_bootstrap(counts: &PairedCounts) -> Option<Interval> {
    let value = counts.difference()?;
    let n = counts.images();
    let logs = log_weights(counts);
    let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = logs.iter().map(|log| (log - largest).exp()).sum();
    let bound = |share: f64| {
        let mut sum = 0.0;
        let reached = |log: &f64| {
            sum += (log - largest).exp();
            sum >= share * total
        };
        let place = logs.iter().position(reached).unwrap_or(logs.len() - 1);
        (place as f64 - n as f64) / n as f64
    };
    let [low, high] = TAILS.map(bound);
    Some(Interval { value, low, high })
}

/// Logarithms of the weights of the sums -n to n.
///
/// From below up to 0, and from above down to 0 with the signs exchanged: on this way all terms are positive, so that
/// nothing cancels.
fn log_weights(counts: &PairedCounts) -> Vec<f64> {
    let n = counts.images();
    let same = counts.both_right + counts.both_wrong;
    let mut lower = lower_half(n, [counts.only_b, same, counts.only_a]);
    let mut upper = lower_half(n, [counts.only_a, same, counts.only_b]);
    upper.pop();
    upper.reverse();
    lower.append(&mut upper);
    lower
}

/// Logarithms of the coefficients 0 to n of (down + same x + up x^2)^n.
fn lower_half(n: u64, [down, same, up]: [u64; 3]) -> Vec<f64> {
    let n = n as usize;
    if down == 0 {
        // Powers below n are not reached.
        let mut none = vec![f64::NEG_INFINITY; n + 1];
        none[n] = n as f64 * (same as f64).ln();
        return none;
    }
    let [ln_down, ln_same, ln_up] = [down, same, up].map(|count| (count as f64).ln());
    let mut logs = Vec::with_capacity(n + 1);
    logs.push(n as f64 * ln_down);
    for k in 1..=n {
        let one = ln_same + ((n - k + 1) as f64).ln() + logs[k - 1];
        let two = if k > 1 { ln_up + ((2 * n - k + 2) as f64).ln() + logs[k - 2] } else { f64::NEG_INFINITY };
        logs.push(log_sum(one, two) - ln_down - (k as f64).ln());
    }
    logs
}

fn log_sum(a: f64, b: f64) -> f64 {
    let (less, more) = if a < b { (a, b) } else { (b, a) };
    if more == f64::NEG_INFINITY { more } else { more + (less - more).exp().ln_1p() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The distribution of the sums, by convolution.
    fn convolved(counts: &PairedCounts) -> Vec<f64> {
        let n = counts.images() as f64;
        let same = counts.both_right + counts.both_wrong;
        let base = [counts.only_b, same, counts.only_a].map(|count| count as f64 / n);
        let mut sums = vec![1.0];
        for _ in 0..counts.images() {
            let mut next = vec![0.0; sums.len() + 2];
            for (at, sum) in sums.iter().enumerate() {
                for (step, share) in base.iter().enumerate() {
                    next[at + step] += sum * share;
                }
            }
            sums = next;
        }
        sums
    }

    #[test]
    fn weights_equal_the_convolution() {
        for [both_right, only_a, only_b, both_wrong] in
            [[3, 2, 4, 1], [0, 5, 5, 0], [4, 3, 0, 0], [1, 0, 6, 2], [7, 0, 0, 2], [0, 4, 0, 0], [0, 0, 3, 0]]
        {
            let counts = PairedCounts { both_right, only_a, only_b, both_wrong };
            let logs = log_weights(&counts);
            let largest = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let total: f64 = logs.iter().map(|log| (log - largest).exp()).sum();
            for (ours, theirs) in logs.iter().zip(convolved(&counts)) {
                assert!(((ours - largest).exp() / total - theirs).abs() < 1e-13, "{counts:?}");
            }
        }
    }

    #[test]
    fn models_that_never_differ_have_a_point() {
        let same = PairedCounts { both_right: 4, both_wrong: 6, ..PairedCounts::default() };
        assert_eq!(exact_paired_bootstrap(&same), Some(Interval { value: 0.0, low: 0.0, high: 0.0 }));
        assert_eq!(exact_paired_bootstrap(&PairedCounts::default()), None);
    }

    #[test]
    fn large_pools_neither_overflow_nor_vanish() {
        let counts = PairedCounts { both_right: 30_000, only_a: 4_000, only_b: 3_500, both_wrong: 12_500 };
        let interval = exact_paired_bootstrap(&counts).unwrap();
        // Of the normal distribution with the same variance.
        let half = 1.96 * (7_500.0_f64 - 500.0 * 500.0 / 50_000.0).sqrt() / 50_000.0;
        assert!((interval.low - (0.01 - half)).abs() < 5e-5 && (interval.high - (0.01 + half)).abs() < 5e-5);
    }
}
