//! A fake classifier for fake images: reads the class in their first pixel and is right with a given probability.
//!
//! Holds always: the result depends on the pixels and the seed only, so that a run can be repeated.

use super::contract::Scorer;
use super::error::ScorerError;
use crate::domain::{FakeModel, Outcome, Philox, ProbKind, Scores, Sha256, fake_class};
use crate::imaging::RgbImage;

pub(super) struct Fake {
    model: FakeModel,
    /// Classes of its space.
    classes: usize,
}

impl Fake {
    pub(super) fn new(model: &FakeModel, classes: usize) -> Self {
        Self { model: model.clone(), classes }
    }

    fn score_one(&self, image: &RgbImage) -> Scores {
        let hash = Sha256::of(image.pixels()).to_string();
        let stream = u64::from_str_radix(&hash[..16], 16).unwrap_or(0);
        let chance = Philox::new(self.model.seed, stream);
        let shown = fake_class(image.pixels()).min(self.classes - 1);
        let right = f64::from(chance.unit_f32(0)) < self.model.accuracy;
        // A wrong class is one of the next ten, so that several fakes sometimes give the same one.
        let top = if right { shown } else { (shown + 1 + (chance.u64(1) % 10) as usize) % self.classes };
        let sure = 0.3 + 0.6 * chance.unit_f32(2);
        let rest = (1.0 - sure) / self.classes as f32;
        let mut probs = vec![rest; self.classes];
        probs[shown] += 0.1 * sure;
        probs[top] += 0.9 * sure;
        Scores { probs, kind: ProbKind::Choice, logits: None, max_logit: None, energy: None }
    }
}

impl Scorer for Fake {
    fn score(&mut self, images: &[&RgbImage]) -> Result<Vec<Outcome<Scores>>, ScorerError> {
        Ok(images.iter().map(|image| Outcome::Kept(self.score_one(image))).collect())
    }

    fn score_fitted(&mut self, images: &[RgbImage]) -> Result<Vec<Outcome<Scores>>, ScorerError> {
        self.score(&images.iter().collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tops(accuracy: f64) -> usize {
        let mut fake = Fake::new(&FakeModel { seed: 1, accuracy }, 1000);
        let images: Vec<RgbImage> =
            (0..200_u8).map(|i| RgbImage::new(1, 2, vec![1, 44, 255, i, 0, 0]).unwrap()).collect();
        let scores = fake.score(&images.iter().collect::<Vec<_>>()).unwrap();
        let best = |s: &Scores| s.probs.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
        scores.into_iter().filter(|s| best(&s.clone().kept().unwrap()) == 300).count()
    }

    #[test]
    fn it_is_right_as_often_as_the_recipe_says() {
        assert_eq!((tops(1.0), tops(0.0)), (200, 0));
        assert!((80..120).contains(&tops(0.5)), "{}", tops(0.5));
    }
}
