//! Notices scorers whose declaration fits by shape and is wrong by meaning: from predictions to sums, from sums to
//! warnings.
//!
//! Holds always: a warning is about all images of a pool, never about one; nothing is refused here, because a pool of
//! images that were chosen against a model looks like a wrong declaration of it.

use std::collections::BTreeMap;
use std::fmt;

use crate::domain::{CommonClass, Prediction, ScoreSums};

/// Fewest images about which anything is said.
const FEWEST: u64 = 20;
/// A class is common in a shard if it is the top class of one in so many images.
const COMMON: u64 = 20;

/// What is wrong with all scores of one scorer together.
#[derive(Debug, Clone, PartialEq)]
pub enum ScoreWarning {
    /// The scores are declared as logits and look like probabilities.
    LikeProbabilities,
    /// The scorer is right on hardly more images than one that guesses.
    Chance {
        /// Images on which it is right.
        right: u64,
        /// Images.
        scored: u64,
        /// Images on which guessing would be right, on average.
        expected: f64,
    },
    /// One class is the top class of most images, and of most of these wrongly.
    OneClass {
        /// The class.
        class: u32,
        /// Images whose top class it is.
        given: u64,
        /// Images.
        scored: u64,
        /// Images for which it is accepted.
        accepted: u64,
    },
}

impl fmt::Display for ScoreWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LikeProbabilities => write!(
                f,
                "its scores look like probabilities, not like logits: all seem to lie between 0 and 1, so that no \
                 class of any image stands out; write output.kind = \"probabilities\" in its TOML"
            ),
            Self::Chance { right, scored, expected } => write!(
                f,
                "it is right on {right} of {scored} images, hardly more than by chance ({expected:.1}); unless the \
                 images were chosen against it, the order of the classes, output.offset, the preprocessing or the \
                 labels are wrong"
            ),
            Self::OneClass { class, given, scored, accepted } => write!(
                f,
                "it gives class {class} to {given} of {scored} images, of which {accepted} should have it; its \
                 preprocessing or its weights are wrong"
            ),
        }
    }
}

/// The sums of a shard's predictions over `classes` classes, each with those that are accepted for its item.
pub fn score_sums<'a>(classes: usize, predictions: impl IntoIterator<Item = (&'a Prediction, &'a [u32])>) -> ScoreSums {
    let mut sums = ScoreSums::default();
    let mut given: BTreeMap<i32, u64> = BTreeMap::new();
    let mut accepted: BTreeMap<u32, u64> = BTreeMap::new();
    for (prediction, labels) in predictions {
        sums.scored += 1;
        sums.right += u64::from(prediction.any.correct);
        sums.accepted += labels.len() as u64;
        sums.like_probabilities += u64::from(is_like_probabilities(prediction, classes));
        *given.entry(prediction.any.top1_id).or_default() += 1;
        labels.iter().for_each(|class| *accepted.entry(*class).or_default() += 1);
    }
    for (class, given) in given {
        if let (Ok(id), true) = (u32::try_from(class), given * COMMON >= sums.scored) {
            let accepted = accepted.get(&id).copied().unwrap_or(0);
            sums.common.insert(id, CommonClass { given, accepted });
        }
    }
    sums
}

/// Whether logits seem to lie between 0 and 1: the largest does, and `log(sum(exp))` lies between those of all 0 and of
/// all 1.
fn is_like_probabilities(prediction: &Prediction, classes: usize) -> bool {
    let (Some(max_logit), Some(energy)) = (prediction.max_logit, prediction.energy) else { return false };
    // Rounding of sums in f32 and of 16-bit scores.
    const SLACK: f64 = 1e-3;
    let above_zeros = -f64::from(energy) - (classes as f64).ln();
    let range = -SLACK..=1.0 + SLACK;
    range.contains(&f64::from(max_logit)) && range.contains(&above_zeros)
}

/// What the sums of all shards say of a scorer over `classes` classes.
pub fn score_warnings(sums: &ScoreSums, classes: usize) -> Vec<ScoreWarning> {
    let ScoreSums { scored, right, accepted, like_probabilities, ref common } = *sums;
    let mut warnings = Vec::new();
    if scored < FEWEST {
        return warnings;
    }
    if like_probabilities == scored {
        warnings.push(ScoreWarning::LikeProbabilities);
    }
    let expected = accepted as f64 / classes.max(1) as f64;
    // A real model is far better than twenty times chance; where guessing is often right, a standard deviation or two
    // tells.
    let hardly = (20.0 * expected).min(0.05 * scored as f64).max(expected + 2.0 * expected.sqrt());
    if right as f64 <= hardly {
        warnings.push(ScoreWarning::Chance { right, scored, expected });
    }
    let most = common.iter().max_by_key(|(_, common)| common.given);
    if let Some((&class, common)) = most
        && common.given * 2 > scored
        && common.accepted * 2 <= common.given
    {
        warnings.push(ScoreWarning::OneClass { class, given: common.given, scored, accepted: common.accepted });
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ItemId, ProbKind, Scores};
    use crate::stats::{ClassMask, predict, softmax};

    /// The first words of the warnings about `n` images, image `i` of class `i % classes`, scored by `logits`.
    fn check(n: u32, classes: u32, logits: impl Fn(u32) -> Vec<f32>, expected: &[&str]) {
        let mask = ClassMask::new(&[], 1000);
        let mut sums = ScoreSums::default();
        // Shards of 30 images.
        for start in (0..n).step_by(30) {
            let mut rows = Vec::new();
            for item in start..n.min(start + 30) {
                let logits = logits(item);
                let max_logit = logits.iter().copied().fold(f32::MIN, f32::max);
                let energy = -logits.iter().map(|&x| f64::from(x).exp()).sum::<f64>().ln() as f32;
                let probs = softmax(&logits);
                let (max_logit, energy) = (Some(max_logit), Some(energy));
                let scores = Scores { probs, kind: ProbKind::Choice, logits: None, max_logit, energy };
                let labels = vec![item % classes];
                rows.push((predict(ItemId(item), &scores, &labels, &mask).unwrap(), labels));
            }
            sums.add(&score_sums(1000, rows.iter().map(|(row, labels)| (row, labels.as_slice()))));
        }
        let found: Vec<String> = score_warnings(&sums, 1000).iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), expected.len(), "{found:?}");
        found.iter().zip(expected).for_each(|(found, part)| assert!(found.contains(part), "{found}"));
    }

    /// Logits of a model that gives `class`, a little unsure.
    fn of_class(class: u32) -> Vec<f32> {
        (0..1000).map(|at| if at == class { 9.0 } else { (at % 7) as f32 * 0.5 - 1.0 }).collect()
    }

    #[test]
    fn a_good_model_and_a_bad_one_are_left_alone() {
        check(200, 40, |item| of_class(item % 40), &[]);
        // One in eight right: an old model on hard images.
        check(200, 40, |item| of_class(if item % 8 == 0 { item % 40 } else { 500 + item }), &[]);
        // One category only, and a good model always gives its class.
        check(200, 1, |_| of_class(0), &[]);
        check(19, 40, |_| of_class(999), &[]);
    }

    #[test]
    fn scores_between_0_and_1_are_no_logits() {
        check(60, 40, |item| softmax(&of_class(item % 40)), &["output.kind = \"probabilities\""]);
        let sigmoid = |item: u32| of_class(item % 40).iter().map(|x| 1.0 / (1.0 + (-x).exp())).collect();
        check(60, 40, sigmoid, &["output.kind"]);
        // Small logits are logits all the same.
        check(60, 40, |item| of_class(item % 40).iter().map(|x| x * 0.2).collect(), &[]);
        check(60, 40, |item| of_class(item % 40).iter().map(|x| x - 9.0).collect(), &[]);
    }

    #[test]
    fn classes_in_another_order_and_one_class_for_all_are_noticed() {
        check(
            200,
            1000,
            |item| of_class((item * 7 + 3) % 1000),
            &["right on 0 of 200 images, hardly more than by chance"],
        );
        check(20, 1000, |item| of_class(item + 1), &["chance (0.0)"]);
        check(200, 2, |_| of_class(1), &["class 1 to 200 of 200 images, of which 100"]);
        check(200, 100, |item| of_class(if item % 3 == 0 { item % 100 } else { 700 }), &["class 700 to 133 of 200"]);
        check(200, 100, |_| of_class(1), &["chance", "class 1 to 200 of 200 images, of which 2 should"]);
    }
}
