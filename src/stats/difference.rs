//! The difference of two proportions of independent samples.

use super::Interval;

/// The interval of `a - b` from the intervals of both, by R. G. Newcombe's method 10 (Statistics in Medicine 17, 1998,
/// 873-890), which combines two Wilson intervals by the squares of their half-widths.
///
/// `a`, `b`: shares in [0, 1] of independent samples with their intervals. The result is in [-1, 1].
pub fn newcombe_independent(a: Interval, b: Interval) -> Interval {
    let value = a.value - b.value;
    let below = (a.value - a.low).hypot(b.high - b.value);
    let above = (a.high - a.value).hypot(b.value - b.low);
    Interval { value, low: (value - below).max(-1.0), high: (value + above).min(1.0) }
}

#[cfg(test)]
mod tests {
    use super::super::wilson;
    use super::*;

    /// Newcombe 1998, table II, method 10: 56/70 against 48/80 gives 0.0524 to 0.3339; 9/10 against 3/10 gives 0.1705
    /// to 0.8090; 0/10 against 0/10 gives -0.2775 to 0.2775.
    #[test]
    fn equals_the_published_table() {
        for (a, b, low, high) in [
            ((56, 70), (48, 80), 0.0524, 0.3339),
            ((9, 10), (3, 10), 0.1705, 0.8090),
            ((0, 10), (0, 10), -0.2775, 0.2775),
        ] {
            let found = newcombe_independent(wilson(a.0, a.1).unwrap(), wilson(b.0, b.1).unwrap());
            assert!((found.low - low).abs() < 6e-5 && (found.high - high).abs() < 6e-5, "{found:?}");
        }
    }
}
