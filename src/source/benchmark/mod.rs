//! Pools whose images somebody else has made: one file for each layout, which says where images and labels lie.
//!
//! In reading order: `open` (with `detect`, and `opened`, what people say and get), the layouts (`release`, `run`,
//! `parquet`, and the trees `imagenet_d`, `imagenet_c`, `objectnet`, `image_folder`, listed by `trees`), `names` (which
//! category a label is), `pin`. Does not score. Holds always: nothing is written into a pool; a layout is told without
//! doubt or asked for, because a label that is read from the wrong place is a wrong number; an image gets one category,
//! or a reason.

mod detect;
mod error;
mod image_folder;
mod imagenet_c;
mod imagenet_d;
mod names;
mod objectnet;
mod open;
mod opened;
mod parquet;
mod pin;
mod release;
mod run;
mod tree;
mod trees;

use std::fs;
use std::path::Path;

use super::error::SourceError;
use super::kind::Source;
use super::listing::Listing;
use crate::domain::{BenchmarkLayout, BenchmarkSource, CategorySet, ColumnFacts, EngineChoice, ReleaseRow};
use crate::generator::{Generator, Means};
use crate::imaging::DecodeLimits;
use crate::render::release::SourceFacts;

pub use error::BenchmarkError;
pub use opened::{OpenedPool, PoolOptions};

/// Opens the pool at `path`: tells its layout, checks what can be checked, and finds its categories.
///
/// The data files of a release are compared with its hashes each time, because they are parsed afterwards.
pub fn open_pool(path: &Path, options: &PoolOptions) -> Result<OpenedPool, SourceError> {
    Ok(open::open_pool(path, options)?)
}

/// Columns of the release at `root` without its images: those of `wanted` that it has, and a row for each image, in the
/// order of the pool's items.
pub fn release_columns(
    root: &Path,
    wanted: &[ColumnFacts],
) -> Result<(Vec<ColumnFacts>, Vec<ReleaseRow>), SourceError> {
    Ok(release::release_columns(root, wanted)?)
}

impl Source for BenchmarkSource {
    fn list(&self, categories: &CategorySet, seed: u64) -> Result<Listing, SourceError> {
        Ok(match self.layout {
            BenchmarkLayout::Release => release::list(self, categories, seed),
            BenchmarkLayout::Run => run::list(self),
            BenchmarkLayout::Parquet => parquet::list(self, categories, seed),
            BenchmarkLayout::ImagenetD
            | BenchmarkLayout::ImagenetC
            | BenchmarkLayout::Objectnet
            | BenchmarkLayout::ImageFolder
            | BenchmarkLayout::Unlabelled => trees::list(self, categories, seed),
        }?)
    }

    fn generator(&self, _means: &Means) -> Result<Box<dyn Generator>, SourceError> {
        Ok(Box::new(pin::Pins::new(self, self.image_column())?))
    }

    fn stored_bytes(&self, _items: u64) -> u64 {
        0
    }

    fn folder(&self) -> Option<&Path> {
        Some(self.photographs.as_deref().unwrap_or(&self.root))
    }

    fn image_column(&self) -> Option<&str> {
        match self.layout {
            BenchmarkLayout::Release => Some(release::IMAGE),
            _ => self.columns.as_ref().map(|columns| columns.image.as_str()),
        }
    }

    fn border_px(&self) -> u32 {
        self.border_px
    }

    fn prepared_px(&self) -> Option<u32> {
        self.prepared_px
    }

    fn in_shards(&self) -> bool {
        match self.layout {
            BenchmarkLayout::Run => self.photographs.is_none(),
            BenchmarkLayout::Release | BenchmarkLayout::Parquet => true,
            _ => false,
        }
    }

    fn check_there(&self) -> Result<(), SourceError> {
        for path in [Some(&self.root), self.photographs.as_ref()].into_iter().flatten() {
            fs::read_dir(path).map_err(|source| SourceError::Gone { path: path.clone(), source })?;
        }
        Ok(())
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
