//! Questions about a diffusion model, answered in any build.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{GeneratorError, Means};
use crate::domain::Precision;

#[cfg(feature = "diffusion")]
use super::diffusion::{self, DiffusionError};

/// One comparison with the reference.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// What was compared.
    pub what: String,
    /// The measure: `differ`, `max abs`, `rel L2`, `levels`, `unequal`.
    pub measure: &'static str,
    /// What was found.
    pub found: f64,
    /// The most that is allowed.
    pub allowed: f64,
}

impl Compared {
    /// Whether it lies within what is allowed; a NaN does not.
    pub fn ok(&self) -> bool {
        self.found <= self.allowed
    }
}

/// How long the parts of a model take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Benchmark {
    /// Reading the weights.
    pub load_secs: f64,
    /// Both prompts' embeddings.
    pub text_secs: f64,
    /// One call of the UNet for one image with guidance (a batch of two), mean of all calls but the first.
    pub unet_secs: f64,
    /// Decoding one image.
    pub vae_secs: f64,
    /// Images per second, all in all.
    pub images_per_sec: f64,
}

/// The files of the model in `folder` that decide what it makes, relative to it, in a fixed order.
pub fn model_files(folder: &Path) -> Result<Vec<PathBuf>, GeneratorError> {
    #[cfg(feature = "diffusion")]
    return Ok(diffusion::files(folder).map_err(DiffusionError::from)?);
    #[cfg(not(feature = "diffusion"))]
    without(folder)
}

/// What the model in `folder` is and needs: names and values.
pub fn model_facts(folder: &Path) -> Result<Vec<(&'static str, String)>, GeneratorError> {
    #[cfg(feature = "diffusion")]
    return Ok(diffusion::facts(folder)?);
    #[cfg(not(feature = "diffusion"))]
    without(folder)
}

/// What would run a model's networks: names and values, as records have them.
pub fn model_engine(means: &Means, precision: Precision) -> Result<BTreeMap<String, String>, GeneratorError> {
    #[cfg(feature = "diffusion")]
    return Ok(diffusion::engine_facts(means, precision)?);
    #[cfg(not(feature = "diffusion"))]
    without((means, precision))
}

/// Loads all networks of the model, to see that they can be.
pub fn load_model(folder: &Path, means: &Means, precision: Precision) -> Result<(), GeneratorError> {
    #[cfg(feature = "diffusion")]
    return Ok(diffusion::load(folder, means, precision)?);
    #[cfg(not(feature = "diffusion"))]
    without((folder, means, precision))
}

/// Holds the model against a file of what diffusers makes of it (`tests/golden/make_sd.py` says what is in one).
pub fn compare_model(
    folder: &Path,
    reference: &Path,
    means: &Means,
    precision: Precision,
) -> Result<Vec<Compared>, GeneratorError> {
    #[cfg(feature = "diffusion")]
    return Ok(diffusion::compare(folder, reference, means, precision)?);
    #[cfg(not(feature = "diffusion"))]
    without((folder, reference, means, precision))
}

/// Measures the model with one image at a time; `size`: side in px, steps.
pub fn benchmark_model(
    folder: &Path,
    means: &Means,
    precision: Precision,
    size: (u32, u32),
) -> Result<Benchmark, GeneratorError> {
    #[cfg(feature = "diffusion")]
    return Ok(diffusion::benchmark(folder, means, precision, size)?);
    #[cfg(not(feature = "diffusion"))]
    without((folder, means, precision, size))
}

/// The answer of a build without diffusion models to any question.
#[cfg(not(feature = "diffusion"))]
fn without<Q, T>(_question: Q) -> Result<T, GeneratorError> {
    Err(GeneratorError::NoDiffusion)
}
