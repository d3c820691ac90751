//! What a kind of source must know about itself: trait [`Source`].
//!
//! Holds always: nothing outside this room asks of which kind a source is, because a kind that is asked for in twenty
//! places is forgotten in one of them.

use std::collections::BTreeMap;
use std::path::Path;

use super::error::SourceError;
use super::listing::{Listing, Rows};
use crate::domain::{CategorySet, DiffusionSource, EngineChoice, Provenance};
use crate::generator::{Generator, Means};
use crate::imaging::DecodeLimits;
use crate::render::release::SourceFacts;

/// One kind of source of images.
pub trait Source {
    /// Lists its images: what to make or read, and what has no place in the plan.
    fn list(&self, categories: &CategorySet, seed: u64) -> Result<Listing, SourceError>;

    /// Its images by number, if any of them is known without listing the others; as [`Source::list`] gives them.
    fn by_number(&self, _categories: &CategorySet, _seed: u64) -> Result<Option<Rows>, SourceError> {
        Ok(None)
    }

    /// Checks, as far as can be told without loading anything, that it can be used.
    fn check(&self) -> Result<(), SourceError> {
        Ok(())
    }

    /// Builds what makes or reads the images.
    fn generator(&self, means: &Means) -> Result<Box<dyn Generator>, SourceError>;

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

    /// The column of images, if an image is a row of a Parquet file, whose number is its offset.
    fn image_column(&self) -> Option<&str> {
        None
    }

    /// Pixels that are cut off at each side of every image.
    fn border_px(&self) -> u32 {
        0
    }

    /// The size of images that are ready for models (`imaging::fit_prepared`).
    fn prepared_px(&self) -> Option<u32> {
        None
    }

    /// Whether several images share a file.
    fn in_shards(&self) -> bool {
        self.folder().is_none() || self.image_column().is_some()
    }

    /// An error if the images cannot be read now: a disk that is not mounted must not empty a run.
    fn check_there(&self) -> Result<(), SourceError> {
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

/// Most shards that a pool is cut into unless the recipe says otherwise.
const MAX_SHARDS: usize = 1024;
/// Fewest items of a shard of images that cost little.
const SMALLEST_SHARD: usize = 256;

/// Items per shard at which a pool has no more than [`MAX_SHARDS`] shards.
pub(super) fn even_shard(items: usize) -> usize {
    items.div_ceil(MAX_SHARDS).next_power_of_two()
}
