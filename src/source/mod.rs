//! Where images come from: one file for each kind of source, which says all that is special about it.
//!
//! A new kind of source is a variant of [`GenerateSpec`], its keys in `config/generate.rs`, one file here that
//! implements [`Source`], and one arm of [`source`]. Nothing else asks of which kind a source is; that is the
//! invariant of this room, because a kind that is asked for in twenty places is forgotten in one of them.

mod diffusion;
mod fake;
mod folder;

use std::collections::BTreeMap;
use std::path::Path;

use crate::domain::{CategorySet, DiffusionModel, DiffusionSource, EngineChoice, GenerateSpec, Provenance};
use crate::generator::{Generator, GeneratorError, Listing, Means};
use crate::imaging::DecodeLimits;
use crate::render::release::SourceFacts;

/// One kind of source of images.
pub trait Source {
    /// Lists its images: what to make or read, and what has no place in the plan.
    fn list(&self, categories: &CategorySet, seed: u64) -> Result<Listing, GeneratorError>;

    /// Checks, as far as can be told without loading anything, that it can be used.
    fn check(&self) -> Result<(), GeneratorError> {
        Ok(())
    }

    /// Builds what makes or reads the images.
    fn generator(&self, means: &Means) -> Result<Box<dyn Generator>, GeneratorError>;

    /// Items per shard for a pool of `items`, where the recipe says nothing.
    fn default_shard_items(&self, items: usize) -> u32 {
        even_shard(items).max(SMALLEST_SHARD) as u32
    }

    /// About how many bytes the run will store for `items` images; 0 where they stay where they are.
    fn stored_bytes(&self, items: u64) -> u64;

    /// The folder that the paths of its images are relative to; `None`: the run directory.
    fn folder(&self) -> Option<&Path> {
        None
    }

    /// An error if the images cannot be read now: a disk that is not mounted must not empty a run.
    fn check_there(&self) -> Result<(), GeneratorError> {
        Ok(())
    }

    /// How large an image may be.
    fn limits(&self) -> DecodeLimits {
        DecodeLimits::default()
    }

    /// The diffusion source, if it is one: what has a model, an engine and a speed.
    fn diffusion(&self) -> Option<&DiffusionSource> {
        None
    }

    /// What every made image says of how it was made; `facts`: those of the generator.
    fn provenance(&self, _facts: &BTreeMap<String, String>) -> Option<Provenance> {
        None
    }

    /// In a few words, for the report; `engine`: what made the images.
    fn words(&self, engine: Option<EngineChoice>) -> String;

    /// For a release's documents.
    fn facts(&self) -> SourceFacts;
}

/// The source of a recipe.
pub fn source(spec: &GenerateSpec) -> &dyn Source {
    match spec {
        GenerateSpec::Folder(source) => source,
        GenerateSpec::Diffusion(source) => source,
        GenerateSpec::Fake(source) => source,
    }
}

/// The source with the model of a diffusion source replaced by what `find` makes of it.
pub fn with_model<E>(
    spec: &GenerateSpec,
    find: impl FnOnce(&DiffusionModel) -> Result<DiffusionModel, E>,
) -> Result<GenerateSpec, E> {
    let mut spec = spec.clone();
    if let GenerateSpec::Diffusion(source) = &mut spec {
        source.model = find(&source.model)?;
    }
    Ok(spec)
}

/// Most shards that a pool is cut into unless the recipe says otherwise.
const MAX_SHARDS: usize = 1024;
/// Fewest items of a shard of images that cost little.
const SMALLEST_SHARD: usize = 256;

/// Items per shard at which a pool has no more than [`MAX_SHARDS`] shards.
fn even_shard(items: usize) -> usize {
    items.div_ceil(MAX_SHARDS).next_power_of_two()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::FakeImages;

    #[test]
    fn shards_are_few_enough_and_small_enough() {
        let fake = GenerateSpec::Fake(FakeImages { images_per_category: 1, size_px: 1, fail_every: None });
        let shard_items = [400, 10_000_000, 0].map(|items| source(&fake).default_shard_items(items));
        assert_eq!(shard_items, [256, 16_384, 256]);
    }
}
