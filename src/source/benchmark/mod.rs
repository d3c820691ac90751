//! Pools whose images somebody else has made: one file for each layout, which says where images and labels lie.
//!
//! Does not score. Holds always: nothing is written into a pool; a layout is told without doubt or asked for, because
//! a label that is read from the wrong place is a wrong number; an image gets one category, or a reason.

mod error;
mod opened;

use std::path::Path;

use super::error::SourceError;
use super::kind::Source;
use super::listing::Listing;
use crate::domain::{BenchmarkSource, CategorySet, EngineChoice};
use crate::generator::{Generator, Means};
use crate::imaging::DecodeLimits;
use crate::render::release::SourceFacts;

pub use error::BenchmarkError;
pub use opened::{OpenedPool, PoolOptions};

/// Opens the pool at `path`: tells its layout, checks what can be checked, and finds its categories.
pub fn open_pool(path: &Path, options: &PoolOptions) -> Result<OpenedPool, SourceError> {
    let _ = options;
    Err(BenchmarkError::Layout { path: path.to_owned(), found: String::new(), remedy: String::new() }.into())
}

impl Source for BenchmarkSource {
    fn list(&self, _categories: &CategorySet, _seed: u64) -> Result<Listing, SourceError> {
        Err(BenchmarkError::TooMany { path: self.root.clone() }.into())
    }

    fn generator(&self, _means: &Means) -> Result<Box<dyn Generator>, SourceError> {
        Err(BenchmarkError::TooMany { path: self.root.clone() }.into())
    }

    fn stored_bytes(&self, _items: u64) -> u64 {
        0
    }

    fn folder(&self) -> Option<&Path> {
        Some(self.photographs.as_deref().unwrap_or(&self.root))
    }

    fn limits(&self) -> DecodeLimits {
        DecodeLimits { max_pixels: self.max_pixels, max_file_bytes: self.max_file_bytes }
    }

    fn words(&self, _engine: Option<EngineChoice>) -> String {
        format!("{} ({})", self.name(), self.layout.words())
    }

    fn facts(&self) -> SourceFacts {
        SourceFacts::Benchmark { name: self.name(), layout: self.layout.words() }
    }
}
