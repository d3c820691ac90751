//! From a surrogate's scores of one image to its prediction.

use crate::domain::{IMAGENET_CLASSES, ItemId, Prediction, Scores, SpacePrediction};

/// The classes of the `masked` label space.
#[derive(Debug, Clone)]
pub struct ClassMask {
    admitted: Vec<bool>,
    all: bool,
}

impl ClassMask {
    /// A mask that lets `ids` (each in 0..1000) through.
    pub fn new(ids: &[u32]) -> Self {
        let mut admitted = vec![false; IMAGENET_CLASSES];
        for &id in ids {
            if let Some(slot) = admitted.get_mut(id as usize) {
                *slot = true;
            }
        }
        let all = admitted.iter().all(|&admits| admits);
        Self { admitted, all }
    }
}

/// Why scores cannot become a prediction.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PredictError {
    /// The number of scores is not the number of classes.
    #[error("{0} scores instead of 1000")]
    Count(usize),
    /// Some score is NaN or infinite.
    #[error("score of class {0} is not a finite number")]
    NotFinite(usize),
}

/// Softmax of `logits` (any length), computed in f64; the result is in [0, 1] and sums to 1.
pub fn softmax(logits: &[f32]) -> Vec<f32> {
    let top = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f64> = logits.iter().map(|&logit| f64::from(logit - top).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|power| (power / sum) as f32).collect()
}

/// The prediction for one item whose accepted classes are `labels` (ImageNet indices).
///
/// `mask`: the classes of the masked label space; probabilities are renormalised over them.
pub fn predict(item_id: ItemId, scores: &Scores, labels: &[i32], mask: &ClassMask) -> Result<Prediction, PredictError> {
    let probs = &scores.probs;
    if probs.len() != IMAGENET_CLASSES {
        return Err(PredictError::Count(probs.len()));
    }
    if let Some(class) = probs.iter().position(|p| !p.is_finite()) {
        return Err(PredictError::NotFinite(class));
    }
    let mut accepted = [false; IMAGENET_CLASSES];
    for &id in labels {
        accepted[id as usize % IMAGENET_CLASSES] = true;
    }
    let top5_ids = top5(probs);
    let any = Best::of(probs, &accepted, |_| true);
    let masked = if mask.all { any } else { Best::of(probs, &accepted, |class| mask.admitted[class]) };
    Ok(Prediction {
        item_id,
        top5_ids,
        top5_probs: top5_ids.map(|id| probs[id as usize]),
        true_rank: true_rank(probs, any.accepted),
        any: any.prediction(1.0),
        masked: masked.prediction(if mask.all { 1.0 } else { masked.sum }),
        max_logit: scores.max_logit,
        energy: scores.energy,
    })
}

/// The five likeliest classes; equal probabilities in the order of their indices.
fn top5(probs: &[f32]) -> [i32; 5] {
    let mut top: [(f32, i32); 5] = [(f32::NEG_INFINITY, -1); 5];
    for (class, &prob) in probs.iter().enumerate() {
        let place = top.partition_point(|&(kept, _)| kept >= prob);
        if place < 5 {
            top[place..].rotate_right(1);
            top[place] = (prob, class as i32);
        }
    }
    top.map(|(_, class)| class)
}

/// Rank of the best accepted class, 1 = top; the number of classes plus 1 if no class is accepted.
fn true_rank(probs: &[f32], accepted: Option<(usize, f32)>) -> u32 {
    let Some((best, prob)) = accepted else { return probs.len() as u32 + 1 };
    let ahead = |class: usize, p: f32| p > prob || (p == prob && class < best);
    1 + probs.iter().enumerate().filter(|&(class, &p)| ahead(class, p)).count() as u32
}

/// The likeliest accepted class and the likeliest other class of a label space (of equal ones the lowest index), and
/// sums.
#[derive(Debug, Clone, Copy, Default)]
struct Best {
    accepted: Option<(usize, f32)>,
    other: Option<(usize, f32)>,
    accepted_sum: f64,
    sum: f64,
}

impl Best {
    fn of(probs: &[f32], accepted: &[bool; IMAGENET_CLASSES], admits: impl Fn(usize) -> bool) -> Self {
        let mut best = Self::default();
        for (class, &prob) in probs.iter().enumerate().filter(|&(class, _)| admits(class)) {
            best.sum += f64::from(prob);
            let place = if accepted[class] {
                best.accepted_sum += f64::from(prob);
                &mut best.accepted
            } else {
                &mut best.other
            };
            if place.is_none_or(|(_, kept)| prob > kept) {
                *place = Some((class, prob));
            }
        }
        best
    }

    /// The prediction, with probabilities divided by `whole`.
    fn prediction(&self, whole: f64) -> SpacePrediction {
        let prob = |best: Option<(usize, f32)>| best.map_or(0.0, |(_, p)| f64::from(p) / whole.max(f64::MIN_POSITIVE));
        let (top1, correct) = match (self.accepted, self.other) {
            (Some((a, p)), Some((b, q))) => {
                if q > p || (q == p && b < a) {
                    (b as i32, false)
                } else {
                    (a as i32, true)
                }
            }
            (Some((a, _)), None) => (a as i32, true),
            (None, Some((b, _))) => (b as i32, false),
            (None, None) => (-1, false),
        };
        let top1_prob = if correct { prob(self.accepted) } else { prob(self.other) };
        SpacePrediction {
            top1_id: top1,
            top1_prob: top1_prob as f32,
            correct,
            true_prob: (self.accepted_sum / whole.max(f64::MIN_POSITIVE)).min(1.0) as f32,
            margin: (prob(self.accepted) - prob(self.other)) as f32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scores with the given `class:prob` pairs, everything else 0.
    fn predicted(pairs: &[(usize, f32)], labels: &[i32], mask: &[u32]) -> Prediction {
        let mut probs = vec![0.0; IMAGENET_CLASSES];
        pairs.iter().for_each(|&(class, prob)| probs[class] = prob);
        let scores = Scores { probs, max_logit: None, energy: None };
        predict(ItemId(0), &scores, labels, &ClassMask::new(mask)).unwrap()
    }

    #[test]
    fn any_accepted_id_makes_it_right() {
        let p = predicted(&[(3, 0.5), (7, 0.3), (9, 0.1)], &[9, 3], &[3, 9]);
        assert!(p.any.correct);
        assert_eq!((p.any.top1_id, p.true_rank, p.top5_ids), (3, 1, [3, 7, 9, 0, 1]));
        assert!((p.any.true_prob - 0.6).abs() < 1e-6 && (p.any.margin - 0.2).abs() < 1e-6, "{p:?}");
    }

    #[test]
    fn the_mask_hides_other_classes_and_renormalises() {
        let p = predicted(&[(3, 0.6), (7, 0.3), (9, 0.1)], &[7], &[7, 9]);
        assert!(!p.any.correct && p.masked.correct);
        assert_eq!((p.any.top1_id, p.masked.top1_id, p.true_rank), (3, 7, 2));
        assert!((p.masked.true_prob - 0.75).abs() < 1e-6 && (p.masked.margin - 0.5).abs() < 1e-6, "{p:?}");
        assert!((p.any.margin + 0.3).abs() < 1e-6, "{p:?}");
    }

    #[test]
    fn of_equal_probabilities_the_lower_index_wins() {
        let p = predicted(&[(5, 0.5), (4, 0.5)], &[5], &[4, 5]);
        assert_eq!((p.any.top1_id, p.any.correct, p.any.margin, p.true_rank), (4, false, 0.0, 2));
    }

    #[test]
    fn numbers_that_are_not_finite_are_refused() {
        let mut probs = vec![0.0; IMAGENET_CLASSES];
        probs[12] = f32::NAN;
        let scores = Scores { probs, max_logit: None, energy: None };
        let refused = predict(ItemId(0), &scores, &[1], &ClassMask::new(&[1]));
        assert_eq!(refused, Err(PredictError::NotFinite(12)));
    }

    #[test]
    fn softmax_survives_large_logits() {
        let p = softmax(&[1000.0, 1000.0, -1000.0]);
        assert_eq!(p, vec![0.5, 0.5, 0.0]);
    }
}
