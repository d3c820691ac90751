//! Where images come from: trait [`Generator`], and one file or folder for each kind of source.
//!
//! Gives pixels or references to files; stores nothing and does not decide which images are kept.

#[cfg(not(feature = "diffusion"))]
mod absent;
#[cfg(feature = "diffusion")]
mod diffusion;
mod error;
mod examine;
mod fake;
mod folder;
mod grid;
mod labels;
mod listing;
mod means;
mod measures;
mod picture;

pub use error::GeneratorError;
pub use examine::{benchmark_model, candle_problem, compare_model, load_model, model_engine, model_facts, model_files};
pub use folder::images_below;
pub use grid::Grid;
pub use listing::{Listing, Rows};
pub use means::Means;
pub use measures::{Benchmark, Compared};
pub use picture::{Generator, Picture, Pictures};

#[cfg(not(feature = "diffusion"))]
use absent as diffusion;

use crate::domain::{CategorySet, GenerateSpec};

/// Lists the items of a source.
pub fn list(spec: &GenerateSpec, categories: &CategorySet, seed: u64) -> Result<Listing, GeneratorError> {
    match spec {
        GenerateSpec::Folder(source) => folder::list(source, categories, seed),
        GenerateSpec::Diffusion(source) => {
            let grid = Grid::new(&source.prompts, categories, seed);
            if grid.len() > u64::from(u32::MAX) {
                return Err(GeneratorError::TooMany);
            }
            Ok(Listing { rows: Rows::Grid(grid), lost: Vec::new() })
        }
        GenerateSpec::Fake(fake) => fake::list(fake, categories, seed),
    }
}

/// Checks, as far as is possible without loading anything, that the source can be used.
pub fn check(spec: &GenerateSpec) -> Result<(), GeneratorError> {
    match spec {
        GenerateSpec::Folder(_) | GenerateSpec::Fake(_) => Ok(()),
        GenerateSpec::Diffusion(source) => Ok(diffusion::check(source)?),
    }
}

/// The generator for a source.
pub fn build(spec: &GenerateSpec, means: &Means) -> Result<Box<dyn Generator>, GeneratorError> {
    match spec {
        GenerateSpec::Folder(source) => Ok(Box::new(folder::Folder::new(source))),
        GenerateSpec::Diffusion(source) => Ok(diffusion::load(source, means)?),
        GenerateSpec::Fake(fake) => Ok(Box::new(fake::Fake::new(fake))),
    }
}
