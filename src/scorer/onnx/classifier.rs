//! One instance of an ONNX classifier: the rows of pictures are scores of classes.
//!
//! Holds always: nothing that a model returns is trusted: the range of its probabilities is checked on a grey picture
//! before any image is scored.

use super::pictures::{Pictures, score_fitting};
use crate::domain::{OnnxModel, Outcome, OutputKind, OutputSpec, Scores};
use crate::imaging::RgbImage;
use crate::scorer::contract::Scorer;
use crate::scorer::error::ScorerError;
use crate::stats::{scores_of_logits, scores_of_probabilities};

/// See the module.
pub struct Classifier {
    output: OutputSpec,
    pictures: Pictures,
}

impl Classifier {
    /// A classifier whose session was tried; an error if its scores of a grey picture cannot be right.
    pub fn new(name: &str, model: &OnnxModel, pictures: Pictures) -> Result<Self, ScorerError> {
        let classifier = Self { output: model.output.clone(), pictures };
        let grey = classifier.scores(classifier.pictures.grey());
        let problem = match grey.probs.iter().find(|p| !(0.0..=1.0001).contains(*p)) {
            None => return Ok(classifier),
            Some(p) if p.is_finite() => format!("it gives {p} as a probability; is output.kind \"logits\"?"),
            Some(p) => format!("it gives {p} for a plain grey picture; the weights or the preprocessing are wrong"),
        };
        Err(ScorerError::Mismatch { name: name.to_owned(), problem })
    }

    /// One row of the output as scores over the classes of the space.
    fn scores(&self, row: &[f32]) -> Scores {
        let extra = self.output.offset as usize;
        match self.output.kind {
            OutputKind::Probabilities => scores_of_probabilities(row, extra),
            OutputKind::Logits => scores_of_logits(row, extra),
        }
    }
}

impl Scorer for Classifier {
    fn is_alone(&self) -> bool {
        self.pictures.are_alone()
    }

    fn score(&mut self, images: &[&RgbImage]) -> Result<Vec<Outcome<Scores>>, ScorerError> {
        let preprocess = *self.pictures.preprocess();
        score_fitting(images, &preprocess, |good| self.score_fitted(good))
    }

    fn score_fitted(&mut self, images: &[RgbImage]) -> Result<Vec<Outcome<Scores>>, ScorerError> {
        Ok(self.pictures.rows(images)?.iter().map(|row| Outcome::Kept(self.scores(row))).collect())
    }
}
