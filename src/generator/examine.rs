//! Questions about a diffusion model, answered in every build: one without diffusion answers with an error.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::diffusion;
use super::error::GeneratorError;
use super::means::Means;
use super::measures::Benchmark;
use crate::domain::Compared;
use crate::domain::Precision;

/// The files of the model in `folder` that decide what it makes, relative to it, in a fixed order.
pub fn model_files(folder: &Path) -> Result<Vec<PathBuf>, GeneratorError> {
    Ok(diffusion::files(folder)?)
}

/// What the model in `folder` is and needs: names and values.
pub fn model_facts(folder: &Path) -> Result<Vec<(&'static str, String)>, GeneratorError> {
    Ok(diffusion::facts(folder)?)
}

/// What would run a model's networks: names and values, as records have them.
pub fn model_engine(means: &Means, precision: Precision) -> Result<BTreeMap<String, String>, GeneratorError> {
    Ok(diffusion::engine_facts(means, precision)?)
}

/// Loads all networks of the model, to see whether that works.
pub fn load_model(folder: &Path, means: &Means, precision: Precision) -> Result<(), GeneratorError> {
    Ok(diffusion::load_networks(folder, means, precision)?)
}

/// Compares the model with a file of what diffusers makes of it (`tests/golden/make_sd.py` says what is in one).
pub fn compare_model(
    folder: &Path,
    reference: &Path,
    means: &Means,
    precision: Precision,
) -> Result<Vec<Compared>, GeneratorError> {
    Ok(diffusion::compare(folder, reference, means, precision)?)
}

/// Measures the model with one image at a time; `size`: side in px, steps.
pub fn benchmark_model(
    folder: &Path,
    means: &Means,
    precision: Precision,
    size: (u32, u32),
) -> Result<Benchmark, GeneratorError> {
    Ok(diffusion::benchmark(folder, means, precision, size)?)
}

/// Why candle cannot run diffusion models on the GPU `index`; `None`: it can.
pub fn candle_problem(index: u32) -> Option<String> {
    diffusion::candle_problem(index)
}
