//! Right or wrong of several models on the same images, kept as bits so that all pairs are counted fast.
//!
//! Does not know why an image is wrong: one that a model could not score is wrong to it. Holds always: every model has
//! one outcome for each image.

use super::PairedCounts;

/// Outcomes of models, one bit per image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcomes {
    images: usize,
    models: Vec<Vec<u64>>,
}

impl Outcomes {
    /// Of no model yet, on `images` images.
    pub fn new(images: usize) -> Self {
        Self { images, models: Vec::new() }
    }

    /// Adds a model that has `right[i]` on image `i`; images beyond the slice are wrong, outcomes beyond the images do
    /// not count.
    pub fn push(&mut self, right: &[bool]) {
        let mut words = vec![0; self.images.div_ceil(64)];
        for (image, _) in right.iter().take(self.images).enumerate().filter(|(_, right)| **right) {
            words[image / 64] |= 1 << (image % 64);
        }
        self.models.push(words);
    }

    /// Number of models.
    pub fn models(&self) -> usize {
        self.models.len()
    }

    /// Number of images.
    pub fn images(&self) -> usize {
        self.images
    }

    /// Whether `model` has `image` right.
    pub fn is_right(&self, model: usize, image: usize) -> bool {
        self.models[model][image / 64] >> (image % 64) & 1 == 1
    }

    /// How many images `model` has right.
    pub fn right(&self, model: usize) -> u64 {
        self.models[model].iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// How many images each model has right.
    pub fn all_right(&self) -> Vec<u64> {
        (0..self.models()).map(|model| self.right(model)).collect()
    }

    /// What models `a` and `b` have right together and alone.
    pub fn pair(&self, a: usize, b: usize) -> PairedCounts {
        let (mut both_right, mut only_a, mut only_b) = (0, 0, 0);
        for (a, b) in self.models[a].iter().zip(&self.models[b]) {
            both_right += u64::from((a & b).count_ones());
            only_a += u64::from((a & !b).count_ones());
            only_b += u64::from((b & !a).count_ones());
        }
        PairedCounts { both_right, only_a, only_b, both_wrong: self.images as u64 - both_right - only_a - only_b }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_counted_across_words() {
        let mut outcomes = Outcomes::new(130);
        outcomes.push(&(0..130).map(|image| image % 2 == 0).collect::<Vec<_>>());
        outcomes.push(&(0..130).map(|image| image % 3 == 0).collect::<Vec<_>>());
        assert_eq!(outcomes.all_right(), [65, 44]);
        let pair = outcomes.pair(0, 1);
        assert_eq!(pair, PairedCounts { both_right: 22, only_a: 43, only_b: 22, both_wrong: 43 });
        assert!(outcomes.is_right(0, 128) && !outcomes.is_right(1, 128));
    }

    #[test]
    fn what_is_missing_is_wrong_and_what_is_too_much_does_not_count() {
        let mut outcomes = Outcomes::new(3);
        outcomes.push(&[true]);
        outcomes.push(&[true; 70]);
        assert_eq!(outcomes.all_right(), [1, 3]);
        assert_eq!(Outcomes::new(0).images(), 0);
    }
}
