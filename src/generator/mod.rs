//! Where images come from: trait [`Generator`], and how each kind of source lists its items.
//!
//! Gives pixels or references to files; stores nothing and decides nothing about what is kept.

mod fake;
mod folder;
mod labels;

use std::path::PathBuf;

use crate::domain::{CategorySet, DropRow, GenerateSpec, Outcome, PlanRow, Sha256};
use crate::imaging::RgbImage;

/// An image that was made or found.
#[derive(Debug, Clone, PartialEq)]
pub enum Picture {
    /// Pixels, to be stored in a shard.
    Made(RgbImage),
    /// A file that stays where it is, pinned by hash and size.
    Found {
        /// Relative to the source's root.
        path: String,
        /// Size of the file.
        bytes: u64,
        /// Its hash.
        sha256: Sha256,
        /// Width and height, as its header says.
        size_px: (u32, u32),
    },
}

/// Makes or reads images.
pub trait Generator: Send {
    /// One outcome per request, in order; it depends on the request alone, not on what else is in the batch.
    fn generate(&mut self, requests: &[PlanRow]) -> Vec<Outcome<Picture>>;
}

/// What a source has to offer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Listing {
    /// What to make or read; item ids ascending.
    pub rows: Vec<PlanRow>,
    /// What has no place in the plan, and why.
    pub lost: Vec<DropRow>,
}

/// Why a source cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum GeneratorError {
    /// The folder cannot be read.
    #[error("cannot read folder {}: {source}; name the folder of photographs with --set generate.root=DIR", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// It has no images.
    #[error("no image (jpg, jpeg, png, webp, bmp) lies below {}; name another folder with --set generate.root=DIR", .0.display())]
    Empty(PathBuf),
    /// No image has a label.
    #[error("no image below {} has a label; the first one: {reason}", root.display())]
    NoLabel {
        /// The folder.
        root: PathBuf,
        /// Why the first one has none.
        reason: String,
    },
    /// The CSV of labels is malformed.
    #[error("{}, line {line}: {problem}", path.display())]
    LabelsCsv {
        /// The CSV.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
        /// What is wrong.
        problem: String,
    },
    /// More items than an id can number.
    #[error("the source has more than {} items", u32::MAX)]
    TooMany,
}

/// Lists the items of a source.
pub fn list(spec: &GenerateSpec, categories: &CategorySet, seed: u64) -> Result<Listing, GeneratorError> {
    match spec {
        GenerateSpec::Folder(source) => folder::list(source, categories, seed),
        GenerateSpec::Fake(fake) => fake::list(fake, categories, seed),
    }
}

/// The generator for a source.
pub fn build(spec: &GenerateSpec) -> Box<dyn Generator> {
    match spec {
        GenerateSpec::Folder(source) => Box::new(folder::Folder::new(source)),
        GenerateSpec::Fake(fake) => Box::new(fake::Fake::new(fake)),
    }
}
