//! One instance of a zero-shot model: the row of a picture is compared with the rows of the classes.
//!
//! A logit is `scale * cosine + bias`. Holds always: a picture whose row has no direction, or a number that is not
//! finite, fails alone.

use std::sync::Arc;

use super::class_rows::{ClassRows, unit};
use super::pictures::{Pictures, score_fitting};
use crate::domain::{Activation, Outcome, ProbKind, Scores, ZeroShotModel};
use crate::imaging::RgbImage;
use crate::scorer::contract::Scorer;
use crate::scorer::error::ScorerError;
use crate::stats::scores_of_logits;

/// See the module.
pub struct ZeroShot {
    activation: Activation,
    scale: f64,
    bias: f64,
    pictures: Pictures,
    classes: Arc<ClassRows>,
}

impl ZeroShot {
    /// `pictures` were tried, and their rows are as long as those of `classes`.
    pub fn new(model: &ZeroShotModel, pictures: Pictures, classes: Arc<ClassRows>) -> Self {
        let ZeroShotModel { activation, scale, bias, .. } = *model;
        Self { activation, scale, bias, pictures, classes }
    }

    fn scores(&self, row: &[f32]) -> Outcome<Scores> {
        let row = match unit(row) {
            Ok(row) => row,
            Err(problem) => return Outcome::Failed(format!("its row of the image {problem}")),
        };
        Outcome::Kept(scores_of(&self.logits(&row), self.activation))
    }

    /// The logits of the classes for a row of length 1.
    fn logits(&self, row: &[f32]) -> Vec<f32> {
        let rows = self.classes.numbers.chunks_exact(self.classes.width);
        rows.map(|class| (self.scale * cosine(row, class) + self.bias) as f32).collect()
    }
}

/// The product of two rows of length 1; summed in eight lanes, so that the compiler can do them at once.
pub fn cosine(a: &[f32], b: &[f32]) -> f64 {
    const LANES: usize = 8;
    let mut sums = [0.0_f64; LANES];
    let (a, rest_a) = a.as_chunks::<LANES>();
    let (b, rest_b) = b.as_chunks::<LANES>();
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += f64::from(a[lane]) * f64::from(b[lane]);
        }
    }
    let rest: f64 = rest_a.iter().zip(rest_b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
    sums.iter().sum::<f64>() + rest
}

/// Logits as scores. With a sigmoid every class is a question of its own: there is no energy, which is the logarithm of
/// a sum over classes of which one must be right.
pub fn scores_of(logits: &[f32], activation: Activation) -> Scores {
    match activation {
        Activation::Softmax => scores_of_logits(logits, 0),
        Activation::Sigmoid => {
            let each = |&logit: &f32| (1.0 / (1.0 + (-f64::from(logit)).exp())) as f32;
            let max_logit = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let probs = logits.iter().map(each).collect();
            Scores {
                probs,
                kind: ProbKind::Each,
                logits: Some(logits.to_vec()),
                max_logit: Some(max_logit),
                energy: None,
            }
        }
    }
}

impl Scorer for ZeroShot {
    fn is_alone(&self) -> bool {
        self.pictures.are_alone()
    }

    fn score(&mut self, images: &[&RgbImage]) -> Result<Vec<Outcome<Scores>>, ScorerError> {
        let preprocess = *self.pictures.preprocess();
        score_fitting(images, &preprocess, |good| self.score_fitted(good))
    }

    fn score_fitted(&mut self, images: &[RgbImage]) -> Result<Vec<Outcome<Scores>>, ScorerError> {
        Ok(self.pictures.rows(images)?.iter().map(|row| self.scores(row)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cosine_is_the_same_sum_whatever_the_length() {
        for length in 1..40_usize {
            let number = |at: usize, by: usize| ((at * by) % 17) as f32 - 8.0;
            let (a, b): (Vec<f32>, Vec<f32>) = (0..length).map(|at| (number(at, 5), number(at, 7))).unzip();
            let plain: f64 = a.iter().zip(&b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
            assert_eq!(cosine(&a, &b), plain, "{length}");
        }
    }

    #[test]
    fn a_softmax_chooses_among_the_classes_and_a_sigmoid_asks_each() {
        let logits = [2.0, 0.0, -2.0];
        let scores = scores_of(&logits, Activation::Softmax);
        assert!((scores.probs.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert!((scores.energy.unwrap() + 2.142_931_6).abs() < 1e-6, "{scores:?}");
        let scores = scores_of(&logits, Activation::Sigmoid);
        assert_eq!((scores.max_logit, scores.energy), (Some(2.0), None));
        let expected = [0.880_797_1, 0.5, 0.119_202_92];
        assert!(scores.probs.iter().zip(expected).all(|(p, expected)| (p - expected).abs() < 1e-6), "{scores:?}");
        let far = scores_of(&[-1000.0, 1000.0], Activation::Sigmoid);
        assert_eq!(far.probs, [0.0, 1.0]);
    }
}
