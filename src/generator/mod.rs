//! What gives images: trait [`Generator`], and diffusion models.
//!
//! Gives pixels or references to files; stores nothing and does not decide which images are kept. Which images are
//! wanted, `source` says; its generators that need no model are there, too.

#[cfg(not(feature = "diffusion"))]
mod absent;
#[cfg(feature = "diffusion")]
mod diffusion;
mod error;
mod examine;
mod means;
mod measures;
mod picture;

pub use error::GeneratorError;
pub use examine::{benchmark_model, candle_problem, compare_model, load_model, model_engine, model_facts, model_files};
pub use means::Means;
pub use measures::Benchmark;
pub use picture::{Generator, Picture, Pictures};

#[cfg(not(feature = "diffusion"))]
use absent as diffusion;

use crate::domain::DiffusionSource;

/// Checks, as far as is possible without loading anything, that a diffusion model can be used.
pub fn check_model(source: &DiffusionSource) -> Result<(), GeneratorError> {
    Ok(diffusion::check(source)?)
}

/// Loads a diffusion model that makes the images of a source.
pub fn load_generator(source: &DiffusionSource, means: &Means) -> Result<Box<dyn Generator>, GeneratorError> {
    Ok(diffusion::load(source, means)?)
}
