//! Reads an item's image, wherever the run keeps it, and checks that it is the pinned one.
//!
//! Holds always: an image with another hash is never returned, because its label and predictions belong to the pinned
//! one; a reason names a file but not where it is on this machine, because reasons are published.

use std::cmp::Ordering;
use std::path::PathBuf;
use std::sync::Arc;

use crate::domain::{ImageRow, Outcome, RunSpec, Sha256};
use crate::imaging::{self, DecodeLimits, RgbImage};
use crate::source::source;
use crate::store::{LastShard, RunDir, StoreError, read_member, written_order};
use crate::table::ParquetImages;

/// What is wrong with the file of an image.
#[derive(Debug, thiserror::Error)]
pub enum ImageProblem {
    /// It is not the pinned one.
    #[error("the file has changed since it was pinned: its SHA-256 differs")]
    Changed,
    /// It cannot be read: which file, and why.
    #[error("{0}")]
    Unreadable(String),
}

impl ImageProblem {
    /// The reason why the run has lost the image.
    fn reason(&self) -> String {
        match self {
            Self::Changed => format!("{self}; restore it and start a new run"),
            Self::Unreadable(_) => self.to_string(),
        }
    }
}

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
    last: Arc<LastShard>,
    /// The column of images, if an image is a row of a Parquet file.
    column: Option<String>,
    parquet: Arc<ParquetImages>,
    border_px: u32,
    prepared_px: Option<u32>,
    limits: DecodeLimits,
}

impl RunImages {
    /// The images of `run`, by its recipe.
    pub fn new(run: &RunDir, spec: &RunSpec) -> Self {
        let source = source(&spec.generate);
        Self {
            run: run.clone(),
            folder: source.folder().unwrap_or(run.path()).to_owned(),
            in_shards: source.in_shards(),
            last: Arc::default(),
            column: source.image_column().map(str::to_owned),
            parquet: Arc::default(),
            border_px: source.border_px(),
            prepared_px: source.prepared_px(),
            limits: source.limits(),
        }
    }

    /// How large an image may be.
    pub fn limits(&self) -> &DecodeLimits {
        &self.limits
    }

    /// The encoded image.
    pub fn bytes(&self, row: &ImageRow) -> Result<Vec<u8>, ImageProblem> {
        let path = self.folder.join(&row.path);
        let of_file = |read: Result<Vec<u8>, StoreError>| read.map_err(|e| ImageProblem::Unreadable(public(row, e)));
        let bytes = match &self.column {
            Some(column) => (self.parquet.bytes(&path, column, row.offset))
                .map_err(|e| ImageProblem::Unreadable(format!("{}: {e}", row.path)))?,
            None if self.in_shards => of_file(self.run.read_member(&self.last, &path, row.offset, row.bytes))?,
            // What was added to the end would not be read.
            None if std::fs::metadata(&path).is_ok_and(|found| found.len() != row.bytes) => {
                return Err(ImageProblem::Changed);
            }
            None => of_file(read_member(&path, row.offset, row.bytes))?,
        };
        if Sha256::of(&bytes) == row.sha256 { Ok(bytes) } else { Err(ImageProblem::Changed) }
    }

    /// The size of images that are ready for models.
    pub fn prepared_px(&self) -> Option<u32> {
        self.prepared_px
    }

    /// The picture without its border, or why it cannot be used.
    pub fn picture(&self, row: &ImageRow) -> Outcome<RgbImage> {
        let decoded = (self.bytes(row).map_err(|problem| problem.reason()))
            .and_then(|bytes| imaging::decode(&bytes, &self.limits).map_err(|e| e.to_string()));
        match decoded.and_then(|picture| self.inside(picture)) {
            Ok(picture) => Outcome::Kept(picture),
            Err(reason) => Outcome::Dropped(reason),
        }
    }

    fn inside(&self, picture: RgbImage) -> Result<RgbImage, String> {
        if self.border_px == 0 {
            return Ok(picture);
        }
        imaging::without_border(&picture, self.border_px).ok_or_else(|| imaging::all_border(self.border_px))
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
        // The rows of a Parquet file have no place of their own.
        let whole = if self.column.is_some() {
            true
        } else if self.in_shards {
            metadata.len() >= row.offset + row.bytes
        } else {
            metadata.len() == row.bytes
        };
        if !whole {
            return Some(ImageProblem::Changed.reason());
        }
        if written_order(&path, &self.run.images(*shard).record_path()) == Some(Ordering::Less) {
            return None;
        }
        self.picture(row).reason().map(str::to_owned)
    }
}

/// An error as a reason: which file, but not where on this machine.
fn public(row: &ImageRow, error: StoreError) -> String {
    match error {
        StoreError::Io { source, .. } => format!("cannot read {}: {source}", row.path),
        other => other.to_string(),
    }
}
