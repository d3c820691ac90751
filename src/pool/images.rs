//! Reads an item's image, wherever the run keeps it, and checks that it is the pinned one.
//!
//! Holds always: an image with another hash is never returned, because its label and predictions belong to the pinned
//! one; a reason names a file but not where it is on this machine, because reasons are published.

use std::path::{Path, PathBuf};

use crate::domain::{ImageRow, Outcome, RunSpec, Sha256};
use crate::imaging::{self, DecodeLimits, RgbImage};
use crate::source::source;
use crate::store::{RunDir, StoreError, read_member};

/// The reason for an image that is not the pinned one.
const CHANGED: &str = "the file has changed since it was pinned: its SHA-256 differs; restore it and start a new run";

/// An image of the run, and the shard in which it is.
#[derive(Debug, Clone)]
pub struct FoundImage {
    /// Its row.
    pub row: ImageRow,
    /// The shard.
    pub shard: usize,
}

/// The images of one run.
#[derive(Debug, Clone)]
pub struct RunImages {
    run: RunDir,
    /// What the paths of images are relative to.
    folder: PathBuf,
    /// Whether several images share a file.
    in_shards: bool,
    limits: DecodeLimits,
}

impl RunImages {
    /// The images of `run`, by its recipe.
    pub fn new(run: &RunDir, spec: &RunSpec) -> Self {
        let source = source(&spec.generate);
        Self {
            run: run.clone(),
            folder: source.folder().unwrap_or(run.path()).to_owned(),
            in_shards: source.folder().is_none(),
            limits: source.limits(),
        }
    }

    /// How large an image may be.
    pub fn limits(&self) -> &DecodeLimits {
        &self.limits
    }

    /// The encoded image, or why it cannot be read.
    pub fn bytes(&self, row: &ImageRow) -> Result<Vec<u8>, String> {
        let bytes = read_member(&self.folder.join(&row.path), row.offset, row.bytes).map_err(|e| public(row, e))?;
        if Sha256::of(&bytes) == row.sha256 { Ok(bytes) } else { Err(CHANGED.to_owned()) }
    }

    /// The picture, or why it cannot be used.
    pub fn picture(&self, row: &ImageRow) -> Outcome<RgbImage> {
        let decoded =
            self.bytes(row).and_then(|bytes| imaging::decode(&bytes, &self.limits).map_err(|e| e.to_string()));
        match decoded {
            Ok(picture) => Outcome::Kept(picture),
            Err(reason) => Outcome::Dropped(reason),
        }
    }

    /// Why an image that was scored cannot be shown any more; `None` if it can.
    ///
    /// Its file is read only if it is newer than the record that pinned it: a file of the pinned size that nobody has
    /// written to since then is the one that was decoded when it was scored.
    pub fn problem(&self, image: &FoundImage) -> Option<String> {
        let FoundImage { row, shard } = image;
        let path = self.folder.join(&row.path);
        let metadata = match std::fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) => return Some(public(row, StoreError::io("read", &path)(error))),
        };
        let whole = if self.in_shards { metadata.len() >= row.offset + row.bytes } else { metadata.len() == row.bytes };
        if !whole {
            return Some(CHANGED.to_owned());
        }
        if is_older(&path, &self.run.images(*shard).record_path()) {
            return None;
        }
        self.picture(row).reason().map(str::to_owned)
    }
}

/// Whether `path` was last written to before `record`; `false` if that is unknown.
fn is_older(path: &Path, record: &Path) -> bool {
    let written = |path: &Path| std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    matches!((written(path), written(record)), (Some(file), Some(record)) if file < record)
}

/// An error as a reason: which file, but not where on this machine.
fn public(row: &ImageRow, error: StoreError) -> String {
    match error {
        StoreError::Io { source, .. } => format!("cannot read {}: {source}", row.path),
        other => other.to_string(),
    }
}
