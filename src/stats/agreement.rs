//! How similar the errors of two surrogates are.

/// Counts of what two surrogates did on the same items.
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
        let n = items as f64;
        let (p_a, p_b) = (right_a as f64 / n, right_b as f64 / n);
        let expected = p_a * p_b + (1.0 - p_a) * (1.0 - p_b);
        (items > 0 && expected < 1.0).then(|| (self.alike as f64 / n - expected) / (1.0 - expected))
    }

    /// The share in [0, 1] of shared failures on which both give the same wrong class; `None` without a shared failure.
    pub fn same_wrong_class(&self) -> Option<f64> {
        (self.both_fail > 0).then(|| self.same_class as f64 / self.both_fail as f64)
    }
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
}
