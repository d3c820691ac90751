//! Reads an item's image, wherever the run keeps it, and makes sure that it is the one that was pinned.

use super::StageError;
use crate::domain::{GenerateSpec, ImageRow, Outcome, RunSpec, Sha256};
use crate::generator::GeneratorError;
use crate::imaging::{self, DecodeLimits, RgbImage};
use crate::store::{RunDir, StoreError, read_member};

/// An error if the folder of photographs is gone: a disk that is not mounted must not empty a run.
pub fn check_source(spec: &RunSpec) -> Result<(), StageError> {
    match &spec.generate {
        GenerateSpec::Folder(source) => std::fs::read_dir(&source.root)
            .map(|_| ())
            .map_err(|e| GeneratorError::Gone { path: source.root.clone(), source: e }.into()),
        GenerateSpec::Diffusion(_) | GenerateSpec::Fake(_) => Ok(()),
    }
}

/// The encoded image, or why it cannot be had.
pub fn read_bytes(run: &RunDir, spec: &RunSpec, row: &ImageRow) -> Result<Vec<u8>, String> {
    let folder = match &spec.generate {
        GenerateSpec::Folder(source) => source.root.as_path(),
        GenerateSpec::Diffusion(_) | GenerateSpec::Fake(_) => run.path(),
    };
    // Reasons are published: they say which file, not where on this machine it lies.
    let cannot = |error| match error {
        StoreError::Io { source, .. } => format!("cannot read {}: {source}", row.path),
        other => other.to_string(),
    };
    let bytes = read_member(&folder.join(&row.path), row.offset, row.bytes).map_err(cannot)?;
    match Sha256::of(&bytes) == row.sha256 {
        true => Ok(bytes),
        false => {
            Err("the file has changed since it was pinned: its SHA-256 differs; restore it and start a new run"
                .to_owned())
        }
    }
}

/// How large an image may be.
pub fn limits(spec: &RunSpec) -> DecodeLimits {
    match &spec.generate {
        GenerateSpec::Folder(source) => {
            DecodeLimits { max_pixels: source.max_pixels, max_file_bytes: source.max_file_bytes }
        }
        GenerateSpec::Diffusion(_) | GenerateSpec::Fake(_) => DecodeLimits::default(),
    }
}

/// The picture, or why it cannot be used.
pub fn read(run: &RunDir, spec: &RunSpec, row: &ImageRow) -> Outcome<RgbImage> {
    let decoded =
        read_bytes(run, spec, row).and_then(|bytes| imaging::decode(&bytes, &limits(spec)).map_err(|e| e.to_string()));
    decoded.map_or_else(Outcome::Dropped, Outcome::Kept)
}
