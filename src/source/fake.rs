//! Made-up images, for trying a recipe out without a model.

use super::Source;
use crate::domain::{CategorySet, EngineChoice, FakeImages, GenerateSpec};
use crate::generator::{self, Generator, GeneratorError, Listing, Means};
use crate::render::release::SourceFacts;

impl Source for FakeImages {
    fn list(&self, categories: &CategorySet, seed: u64) -> Result<Listing, GeneratorError> {
        generator::list(&GenerateSpec::Fake(self.clone()), categories, seed)
    }

    fn generator(&self, means: &Means) -> Result<Box<dyn Generator>, GeneratorError> {
        generator::build(&GenerateSpec::Fake(self.clone()), means)
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
