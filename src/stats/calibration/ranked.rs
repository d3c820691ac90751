//! What a confidence is worth for leaving images out.

/// The area under the response rate accuracy curve: the mean, over k from 1 to all, of the accuracy of the k most
/// confident images. Equal confidences are in the given order. `None` without an image.
///
/// Source: D. Hendrycks and others, "Natural adversarial examples", CVPR 2021, section 4; `aurra` of that code, which
/// leaves the order of equal confidences to numpy.
pub fn aurra(confidence: &[f64], correct: &[bool]) -> Option<f64> {
    let mut ranked: Vec<(f64, bool)> = confidence.iter().copied().zip(correct.iter().copied()).collect();
    ranked.retain(|(confidence, _)| !confidence.is_nan());
    ranked.sort_by(|a, b| b.0.partial_cmp(&a.0).unwrap_or(std::cmp::Ordering::Equal));
    let (mut right, mut sum) = (0_u64, 0.0);
    for (answered, (_, correct)) in ranked.iter().enumerate() {
        right += u64::from(*correct);
        sum += right as f64 / (answered + 1) as f64;
    }
    (!ranked.is_empty()).then(|| sum / ranked.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_confidences_are_in_the_given_order() {
        assert_eq!(aurra(&[0.5, 0.5], &[true, false]), Some(0.75));
        assert_eq!(aurra(&[0.5, 0.5], &[false, true]), Some(0.25));
        assert_eq!(aurra(&[0.0, -0.0], &[true, false]), Some(0.75));
        assert_eq!(aurra(&[], &[]), None);
    }
}
