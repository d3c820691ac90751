//! From the numbers that a model gives to an image to scores over a class space.

use super::predict::{energy, softmax};
use crate::domain::{ProbKind, Scores};

/// Scores of `row`, logits with `extra` classes in front of those of the space, which take part in the softmax and are
/// then left out.
///
/// The energy is `-log(sum(exp(logits)))` over the space (Liu et al., NeurIPS 2020, temperature 1).
pub fn scores_of_logits(row: &[f32], extra: usize) -> Scores {
    let logits = row.get(extra..).unwrap_or_default();
    let max_logit = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let energy = energy(logits.iter().copied(), max_logit);
    let mut probs = softmax(row);
    probs.drain(..extra.min(row.len()));
    Scores {
        probs,
        kind: ProbKind::Choice,
        logits: Some(logits.to_vec()),
        max_logit: Some(max_logit),
        energy: Some(energy),
    }
}

/// The same of probabilities.
pub fn scores_of_probabilities(row: &[f32], extra: usize) -> Scores {
    let probs = row.get(extra..).unwrap_or_default().to_vec();
    Scores { probs, kind: ProbKind::Choice, logits: None, max_logit: None, energy: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extra_classes_take_their_share_of_the_probability() {
        let scores = scores_of_logits(&[0.0, 0.0, 0.0, 0.0], 1);
        assert_eq!((scores.probs, scores.max_logit), (vec![0.25; 3], Some(0.0)));
        assert!((scores.energy.unwrap() + 3.0_f32.ln()).abs() < 1e-6);
        assert_eq!(scores_of_probabilities(&[0.5, 0.25, 0.25], 1).probs, [0.25, 0.25]);
    }
}
