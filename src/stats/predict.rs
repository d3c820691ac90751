//! From a surrogate's scores of one image to its prediction.

use crate::domain::{ClassSpace, ItemId, Prediction, ProbKind, Scores, SpacePrediction};

/// How many of the likeliest classes a prediction names.
const TOP: usize = 5;

/// The classes of the `masked` label space, among those of a class space.
#[derive(Debug, Clone)]
pub struct ClassMask {
    admitted: Vec<bool>,
    all: bool,
}

impl ClassMask {
    /// The mask of `space`: classes that some category accepts.
    pub fn of(space: &ClassSpace) -> Self {
        Self::new(&space.all_accepted(), space.len())
    }

    /// A mask that lets `classes` (each below `all`) through, of a space of `all` classes.
    pub fn new(classes: &[u32], all: usize) -> Self {
        let mut admitted = vec![false; all];
        for &class in classes {
            if let Some(slot) = admitted.get_mut(class as usize) {
                *slot = true;
            }
        }
        let all = admitted.iter().all(|&admits| admits);
        Self { admitted, all }
    }

    /// How many classes the space has.
    pub fn classes(&self) -> usize {
        self.admitted.len()
    }
}

/// Why scores cannot become a prediction.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PredictError {
    /// The number of scores is not the number of classes.
    #[error("{found} scores instead of {classes}")]
    Count {
        /// Scores.
        found: usize,
        /// Classes of the space.
        classes: usize,
    },
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

/// `-log(sum(exp(logits)))`, summed in f64; `max_logit` is the largest of them.
pub(super) fn energy(logits: impl Iterator<Item = f32>, max_logit: f32) -> f32 {
    let sum: f64 = logits.map(|logit| f64::from(logit - max_logit).exp()).sum();
    -(f64::from(max_logit) + sum.ln()) as f32
}

/// The prediction for one item whose accepted classes are `labels` (indices of the scorer's class space).
///
/// `mask`: the classes of the masked label space; probabilities are renormalised over them unless each class has one of
/// its own.
pub fn predict(item_id: ItemId, scores: &Scores, labels: &[u32], mask: &ClassMask) -> Result<Prediction, PredictError> {
    let probs = &scores.probs;
    if probs.len() != mask.classes() {
        return Err(PredictError::Count { found: probs.len(), classes: mask.classes() });
    }
    if let Some(class) = probs.iter().position(|p| !p.is_finite()) {
        return Err(PredictError::NotFinite(class));
    }
    let mut accepted = vec![false; probs.len()];
    for &label in labels {
        if let Some(slot) = accepted.get_mut(label as usize) {
            *slot = true;
        }
    }
    let is_known = |class: usize| scores.kind != ProbKind::Listed || probs[class] > 0.0;
    let any = Best::of(probs, &accepted, is_known);
    let masked =
        if mask.all { any } else { Best::of(probs, &accepted, |class| mask.admitted[class] && is_known(class)) };
    let whole = if mask.all || scores.kind == ProbKind::Each { 1.0 } else { masked.sum };
    let (masked_max_logit, masked_energy) = masked_logits(scores, mask);
    let is_choice = scores.kind == ProbKind::Choice;
    let top5_ids = top(probs, is_known);
    Ok(Prediction {
        item_id,
        top5_probs: top5_ids.iter().map(|&class| probs[class as usize]).collect(),
        top5_ids,
        true_rank: true_rank(probs, any.accepted, is_known),
        any: any.prediction(1.0, is_choice),
        masked: masked.prediction(whole, is_choice),
        max_logit: scores.max_logit,
        energy: scores.energy,
        masked_max_logit,
        masked_energy,
    })
}

/// Largest logit and energy over the classes of the mask; as over all where it admits all.
fn masked_logits(scores: &Scores, mask: &ClassMask) -> (Option<f32>, Option<f32>) {
    let Some(logits) = &scores.logits else {
        return (None, None);
    };
    let admitted = || logits.iter().zip(&mask.admitted).filter(|&(_, &admits)| admits).map(|(&logit, _)| logit);
    let Some(max_logit) = admitted().reduce(f32::max) else {
        return (None, None);
    };
    (Some(max_logit), scores.energy.map(|_| energy(admitted(), max_logit)))
}

/// The likeliest classes, at most five; equal probabilities in the order of their indices.
fn top(probs: &[f32], is_known: impl Fn(usize) -> bool) -> Vec<i32> {
    let mut top: Vec<(f32, i32)> = Vec::with_capacity(TOP + 1);
    for (class, &prob) in probs.iter().enumerate() {
        let place = top.partition_point(|&(kept, _)| kept >= prob);
        if place < TOP && is_known(class) {
            top.insert(place, (prob, class as i32));
            top.truncate(TOP);
        }
    }
    top.into_iter().map(|(_, class)| class).collect()
}

/// Rank of the best accepted class, 1 = top; the number of known classes plus 1 if none of them is accepted.
fn true_rank(probs: &[f32], accepted: Option<(usize, f32)>, is_known: impl Fn(usize) -> bool) -> u32 {
    let ahead = |class: usize, p: f32| match accepted {
        Some((best, prob)) => p > prob || (p == prob && class < best),
        None => true,
    };
    1 + probs.iter().enumerate().filter(|&(class, &p)| is_known(class) && ahead(class, p)).count() as u32
}

/// The likeliest accepted class and the likeliest other class of a label space (of equal ones the lowest index), and
/// sums.
#[derive(Debug, Clone, Copy, Default)]
struct Best {
    accepted: Option<(usize, f32)>,
    other: Option<(usize, f32)>,
    accepted_sum: f64,
    sum: f64,
    /// Sum of the squares of the other classes.
    other_squares: f64,
}

impl Best {
    fn of(probs: &[f32], accepted: &[bool], admits: impl Fn(usize) -> bool) -> Self {
        let mut best = Self::default();
        for (class, &prob) in probs.iter().enumerate().filter(|&(class, _)| admits(class)) {
            best.sum += f64::from(prob);
            let place = if accepted[class] {
                best.accepted_sum += f64::from(prob);
                &mut best.accepted
            } else {
                best.other_squares += f64::from(prob) * f64::from(prob);
                &mut best.other
            };
            if place.is_none_or(|(_, kept)| prob > kept) {
                *place = Some((class, prob));
            }
        }
        best
    }

    /// The prediction, with probabilities divided by `whole`; `is_choice`: they are of one choice among all classes.
    fn prediction(&self, whole: f64, is_choice: bool) -> SpacePrediction {
        let whole = whole.max(f64::MIN_POSITIVE);
        let prob = |best: Option<(usize, f32)>| best.map_or(0.0, |(_, p)| f64::from(p) / whole);
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
        let true_prob = (self.accepted_sum / whole).min(1.0);
        let brier = (1.0 - true_prob).powi(2) + self.other_squares / whole / whole;
        SpacePrediction {
            top1_id: top1,
            top1_prob: top1_prob as f32,
            correct,
            true_prob: true_prob as f32,
            margin: (prob(self.accepted) - prob(self.other)) as f32,
            brier: is_choice.then_some(brier as f32),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scores over 40 classes with the given `class:prob` pairs, everything else 0.
    fn predicted(pairs: &[(usize, f32)], labels: &[u32], mask: &[u32]) -> Prediction {
        predicted_of(ProbKind::Choice, 40, pairs, labels, mask)
    }

    fn predicted_of(
        kind: ProbKind,
        classes: usize,
        pairs: &[(usize, f32)],
        labels: &[u32],
        mask: &[u32],
    ) -> Prediction {
        let mut probs = vec![0.0; classes];
        pairs.iter().for_each(|&(class, prob)| probs[class] = prob);
        let scores = Scores { probs, kind, logits: None, max_logit: None, energy: None };
        predict(ItemId(0), &scores, labels, &ClassMask::new(mask, classes)).unwrap()
    }

    #[test]
    fn any_accepted_id_makes_it_right() {
        let p = predicted(&[(3, 0.5), (7, 0.3), (9, 0.1)], &[9, 3], &[3, 9]);
        assert!(p.any.correct);
        assert_eq!((p.any.top1_id, p.true_rank, &p.top5_ids[..]), (3, 1, &[3, 7, 9, 0, 1][..]));
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
        let mut probs = vec![0.0; 20];
        probs[12] = f32::NAN;
        let scores = Scores { probs, kind: ProbKind::Choice, logits: None, max_logit: None, energy: None };
        let refused = |classes| predict(ItemId(0), &scores, &[1], &ClassMask::new(&[1], classes));
        assert_eq!(refused(20), Err(PredictError::NotFinite(12)));
        assert_eq!(refused(21), Err(PredictError::Count { found: 20, classes: 21 }));
    }

    #[test]
    fn a_space_may_have_fewer_than_five_classes() {
        let p = predicted_of(ProbKind::Choice, 2, &[(0, 0.25), (1, 0.75)], &[0], &[0, 1]);
        assert_eq!((p.top5_ids, p.top5_probs, p.true_rank), (vec![1, 0], vec![0.75, 0.25], 2));
        assert_eq!((p.any.margin, p.any), (-0.5, p.masked));
    }

    #[test]
    fn probabilities_of_each_class_by_itself_are_not_made_a_whole() {
        let p = predicted_of(ProbKind::Each, 9, &[(3, 0.9), (7, 0.8), (8, 0.95)], &[7], &[3, 7]);
        assert_eq!((p.masked.true_prob, p.masked.top1_id, p.any.top1_id), (0.8, 3, 8));
        let p = predicted_of(ProbKind::Each, 9, &[(3, 0.9), (7, 0.8)], &[3, 7], &[3, 7]);
        assert_eq!(p.any.true_prob, 1.0, "of two accepted classes no more than all");
    }

    #[test]
    fn a_class_that_is_not_listed_is_never_the_top_one() {
        let p = predicted_of(ProbKind::Listed, 9, &[(3, 0.6), (7, 0.3)], &[0], &[0, 1]);
        assert_eq!((p.any.top1_id, p.any.correct, p.any.true_prob, p.true_rank), (3, false, 0.0, 3));
        assert_eq!((p.masked.top1_id, p.masked.correct, p.masked.margin), (-1, false, 0.0));
        assert_eq!(p.top5_ids, [3, 7]);
        let p = predicted_of(ProbKind::Listed, 9, &[(3, 0.6), (7, 0.3)], &[7], &[7, 8]);
        assert_eq!((p.true_rank, p.masked.correct, p.masked.true_prob), (2, true, 1.0));
    }

    #[test]
    fn the_brier_term_takes_accepted_classes_as_one() {
        let p = predicted(&[(3, 0.5), (7, 0.25), (9, 0.25)], &[7, 9], &[3, 7]);
        let expected = |true_prob: f32, other: f32| Some((1.0 - true_prob).powi(2) + other * other);
        assert_eq!(p.any.brier, expected(0.5, 0.5));
        assert_eq!(p.masked.brier, Some((2.0_f64 / 3.0).powi(2) as f32 * 2.0));
        let none = predicted(&[(3, 1.0)], &[7], &[7, 9]);
        assert_eq!((none.any.brier, none.masked.brier), (Some(2.0), Some(1.0)), "nothing is left under the mask");
        let each = predicted_of(ProbKind::Each, 9, &[(3, 0.9), (7, 0.8)], &[7], &[3, 7]);
        let listed = predicted_of(ProbKind::Listed, 9, &[(3, 0.6)], &[3], &[3]);
        assert_eq!((each.any.brier, listed.masked.brier), (None, None));
    }

    #[test]
    fn masked_logits_are_of_the_masked_classes() {
        let of = |scores: &Scores, mask: &[u32]| {
            let p = predict(ItemId(0), scores, &[1], &ClassMask::new(mask, scores.probs.len())).unwrap();
            (p.max_logit, p.energy, p.masked_max_logit, p.masked_energy)
        };
        let scores = crate::stats::scores_of_logits(&[50.0, 7.0, 1.0, 1.0, -3.0], 1);
        let ln2 = std::f32::consts::LN_2;
        assert_eq!(of(&scores, &[1, 2]), (Some(7.0), scores.energy, Some(1.0), Some(-1.0 - ln2)));
        assert_eq!(of(&scores, &[0, 1, 2, 3]), (Some(7.0), scores.energy, Some(7.0), scores.energy));
        let each = Scores { kind: ProbKind::Each, energy: None, ..scores };
        assert_eq!(of(&each, &[1]), (Some(7.0), None, Some(1.0), None));
        let probabilities = Scores { logits: None, max_logit: None, ..each };
        assert_eq!(of(&probabilities, &[1]), (None, None, None, None));
    }

    #[test]
    fn softmax_survives_large_logits() {
        let p = softmax(&[1000.0, 1000.0, -1000.0]);
        assert_eq!(p, vec![0.5, 0.5, 0.0]);
    }
}
