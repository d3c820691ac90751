//! A build without diffusion models: every question about one is answered with [`DiffusionError`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::means::Means;
use super::measures::Benchmark;
use super::picture::Generator;
use crate::domain::Compared;
use crate::domain::{DiffusionSource, Precision};

/// This build cannot make images with a diffusion model.
#[derive(Debug, thiserror::Error)]
#[error(
    "this hardset was built without the feature `diffusion`, which diffusion models need; \
     build it with --features diffusion"
)]
pub struct DiffusionError;

impl DiffusionError {
    /// Never: the cause is known.
    pub fn is_unexpected(&self) -> bool {
        false
    }

    /// Always: a part of this build is missing.
    pub fn is_missing(&self) -> bool {
        true
    }
}

pub(super) fn check(_spec: &DiffusionSource) -> Result<(), DiffusionError> {
    Err(DiffusionError)
}

pub(super) fn load(_spec: &DiffusionSource, _means: &Means) -> Result<Box<dyn Generator>, DiffusionError> {
    Err(DiffusionError)
}

pub(super) fn files(_folder: &Path) -> Result<Vec<PathBuf>, DiffusionError> {
    Err(DiffusionError)
}

pub(super) fn facts(_folder: &Path) -> Result<Vec<(&'static str, String)>, DiffusionError> {
    Err(DiffusionError)
}

pub(super) fn engine_facts(_means: &Means, _: Precision) -> Result<BTreeMap<String, String>, DiffusionError> {
    Err(DiffusionError)
}

pub(super) fn load_networks(_folder: &Path, _means: &Means, _: Precision) -> Result<(), DiffusionError> {
    Err(DiffusionError)
}

pub(super) fn compare(
    _folder: &Path,
    _reference: &Path,
    _means: &Means,
    _: Precision,
) -> Result<Vec<Compared>, DiffusionError> {
    Err(DiffusionError)
}

pub(super) fn benchmark(
    _folder: &Path,
    _means: &Means,
    _: Precision,
    _size: (u32, u32),
) -> Result<Benchmark, DiffusionError> {
    Err(DiffusionError)
}

pub(super) fn candle_problem(_index: u32) -> Option<String> {
    Some("this hardset was built without candle".to_owned())
}
