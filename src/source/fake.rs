//! Fake images: noise with the class in the first pixel (`domain::fake_pixel`), which the fake scorer reads. All stages
//! can run on them without a model.
//!
//! Holds always: the noise depends on the item's seed only, so that a run can be repeated.

use super::error::SourceError;
use super::fake_rows::FakeRows;
use super::kind::Source;
use super::listing::{Listing, Rows};
use crate::domain::{CategorySet, EngineChoice, FakeImages, Outcome, Philox, PlanRow, fake_pixel};
use crate::generator::{Generator, GeneratorError, Means, Picture, Pictures};
use crate::imaging::RgbImage;
use crate::render::release::SourceFacts;

/// Streams of an item's random numbers.
const NOISE: u64 = 1;

impl Source for FakeImages {
    fn list(&self, categories: &CategorySet, seed: u64) -> Result<Listing, SourceError> {
        let rows = FakeRows::new(self, categories, seed).ok_or(SourceError::TooMany)?;
        Ok(Listing::of(Rows::Fake(rows)))
    }

    fn by_number(&self, categories: &CategorySet, seed: u64) -> Result<Option<Rows>, SourceError> {
        Ok(Some(self.list(categories, seed)?.rows))
    }

    fn generator(&self, _means: &Means) -> Result<Box<dyn Generator>, SourceError> {
        Ok(Box::new(Fake(self.clone())))
    }

    /// Noise does not compress; a tar adds a header and padding to each member.
    fn stored_bytes(&self, items: u64) -> u64 {
        items * (3 * u64::from(self.size_px).pow(2) + 1024)
    }

    fn words(&self, _engine: Option<EngineChoice>) -> String {
        "noise (fake)".to_owned()
    }

    fn facts(&self) -> SourceFacts {
        SourceFacts::Fake
    }
}

/// Makes the images.
struct Fake(FakeImages);

impl Fake {
    fn image(&self, request: &PlanRow) -> Outcome<Picture> {
        if self.0.fail_every.is_some_and(|n| request.item_id.0 % n == n - 1) {
            return Outcome::Failed("the recipe makes every n-th fake image fail (generate.fail_every)".to_owned());
        }
        let class = request.label_ids.first().copied().unwrap_or(0);
        match RgbImage::new(self.0.size_px, self.0.size_px, pixels(self.0.size_px, request.seed, class)) {
            Ok(image) => Outcome::Kept(Picture::Made { image, warning: None }),
            Err(error) => Outcome::Failed(error.to_string()),
        }
    }
}

impl Generator for Fake {
    fn generate(&mut self, requests: &[PlanRow]) -> Result<Pictures, GeneratorError> {
        Ok(Pictures::ready(requests.iter().map(|request| self.image(request)).collect()))
    }
}

fn pixels(size_px: u32, seed: u64, class: i32) -> Vec<u8> {
    let noise = Philox::new(seed, NOISE);
    let bytes = 3 * (size_px as usize).pow(2);
    let words = (0..bytes.div_ceil(16) as u64).flat_map(|at| noise.words(at));
    let mut pixels: Vec<u8> = words.flat_map(u32::to_le_bytes).take(bytes).collect();
    pixels[..3].copy_from_slice(&fake_pixel(class));
    pixels
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Category, Sha256, fake_class};

    fn rows(n: u32) -> Vec<PlanRow> {
        let entries = vec![Category::new("mug", &[504])];
        let categories = CategorySet { name: "x".into(), sha256: Sha256::of(b""), entries };
        let fake = FakeImages { images_per_category: n, size_px: 8, fail_every: None };
        fake.list(&categories, 7).unwrap().rows.part(0..n as usize)
    }

    fn generate(requests: &[PlanRow], fail_every: Option<u32>) -> Vec<Outcome<Picture>> {
        let mut fake = Fake(FakeImages { images_per_category: 1, size_px: 8, fail_every });
        fake.generate(requests).unwrap().finish().unwrap()
    }

    #[test]
    fn an_image_depends_on_its_item_alone() {
        let rows = rows(4);
        let together = generate(&rows, None);
        let alone: Vec<_> = rows.iter().flat_map(|row| generate(std::slice::from_ref(row), None)).collect();
        assert_eq!(together, alone);
        assert_ne!(together[0], together[1]);
        let Outcome::Kept(Picture::Made { image, .. }) = &together[0] else { panic!() };
        assert_eq!(fake_class(image.pixels()), 504);
    }

    #[test]
    fn every_nth_item_fails() {
        let failed: Vec<bool> = generate(&rows(6), Some(3)).iter().map(|outcome| outcome.reason().is_some()).collect();
        assert_eq!(failed, [false, false, true, false, false, true]);
    }
}
