//! Proper scores: Brier's and the negative log-likelihood.

/// Probabilities below it count as this in a likelihood, because the logarithm of 0 is endless: a half-precision
/// softmax gives 0 to classes that it has a small probability for.
pub const NLL_FLOOR: f64 = 1e-12;

/// Brier's score of the top label: the mean of (confidence - right)^2, in [0, 1]; `None` without an image.
///
/// Source: G. W. Brier, Monthly Weather Review 78, 1950, of the event that the top class is accepted.
pub fn brier_top_label(confidence: &[f64], correct: &[bool]) -> Option<f64> {
    let (mut sum, mut images) = (0.0, 0_u64);
    for (confidence, &correct) in confidence.iter().zip(correct).filter(|(confidence, _)| !confidence.is_nan()) {
        sum += (confidence - f64::from(u8::from(correct))).powi(2);
        images += 1;
    }
    (images > 0).then(|| sum / images as f64)
}

/// Brier's score of one image over all classes, in [0, 2]: the sum over classes of (probability - truth)^2, where the
/// `accepted` classes are merged into one whose truth is 1. A model's score is the mean over images.
pub fn brier_of_image(probs: &[f64], accepted: &[usize]) -> f64 {
    let is_accepted = |class: &usize| accepted.contains(class);
    let all: f64 = probs.iter().map(|p| p * p).sum();
    let of_accepted = || (0..probs.len()).filter(is_accepted).map(|class| probs[class]);
    let merged: f64 = of_accepted().sum();
    let squares: f64 = of_accepted().map(|p| p * p).sum();
    (all - squares).max(0.0) + (1.0 - merged).powi(2)
}

/// A negative log-likelihood.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Nll {
    /// The mean over images, in nats.
    pub value: f64,
    /// Images whose accepted classes have a probability of 0, for which [`NLL_FLOOR`] was taken.
    pub zeros: u64,
}

/// The mean of -ln p over images, p the probability of the accepted classes and at least [`NLL_FLOOR`]; what is not a
/// number counts as 0. `None` without an image.
pub fn nll(true_probs: &[f64]) -> Option<Nll> {
    let sum: f64 = true_probs.iter().map(|p| -p.max(NLL_FLOOR).ln()).sum();
    let zeros = true_probs.iter().filter(|p| p.is_nan() || **p <= 0.0).count() as u64;
    (!true_probs.is_empty()).then(|| Nll { value: sum / true_probs.len() as f64, zeros })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepted_classes_are_one() {
        assert!((brier_of_image(&[0.5, 0.25, 0.25], &[0, 1]) - (0.0625 + 0.0625)).abs() < 1e-15);
        assert_eq!((brier_of_image(&[1.0, 0.0], &[0]), brier_of_image(&[1.0, 0.0], &[1])), (0.0, 2.0));
        assert_eq!(brier_of_image(&[0.5, 0.5], &[7]), 1.5);
        assert_eq!(brier_top_label(&[0.5, 1.0], &[true, true]), Some(0.125));
        assert_eq!(brier_top_label(&[], &[]), None);
    }

    #[test]
    fn a_probability_of_zero_has_a_floor_and_is_counted() {
        let at = nll(&[1.0, 0.0, f64::NAN]).unwrap();
        assert!((at.value - 2.0 * 12.0 * 10.0_f64.ln() / 3.0).abs() < 1e-12);
        assert_eq!((at.zeros, nll(&[])), (2, None));
    }
}
