//! What a generator gives: pixels or a reference to a file; and the trait itself.
//!
//! Knows no source; each source is a file beside this one.

use std::collections::BTreeMap;

use super::error::GeneratorError;
use crate::domain::{Outcome, PlanRow, Sha256};
use crate::imaging::RgbImage;

/// An image that was made or found.
#[derive(Debug, Clone, PartialEq)]
pub enum Picture {
    /// Pixels, to be stored in a shard.
    Made {
        /// The pixels.
        image: RgbImage,
        /// Something that people should know about it.
        warning: Option<String>,
    },
    /// A file that stays where it is, pinned by hash and size.
    Found {
        /// Relative to the source's root.
        path: String,
        /// Where it is in that file, as [`crate::domain::ImageRow::offset`] says; 0 for a file of its own.
        offset: u64,
        /// Size of the file.
        bytes: u64,
        /// Its hash.
        sha256: Sha256,
        /// Width and height, as its header says.
        size_px: (u32, u32),
    },
}

/// Pictures of some requests, in order: finished, or with a last step left that no longer needs the generator.
pub struct Pictures(Box<dyn FnOnce() -> Result<Vec<Outcome<Picture>>, GeneratorError> + Send>);

impl Pictures {
    /// With this last step left.
    pub fn later(last_step: impl FnOnce() -> Result<Vec<Outcome<Picture>>, GeneratorError> + Send + 'static) -> Self {
        Self(Box::new(last_step))
    }

    /// With nothing left to do.
    pub fn ready(outcomes: Vec<Outcome<Picture>>) -> Self {
        Self(Box::new(|| Ok(outcomes)))
    }

    /// One outcome per request; any thread may do this while the generator makes the next ones.
    pub fn finish(self) -> Result<Vec<Outcome<Picture>>, GeneratorError> {
        (self.0)()
    }
}

/// Images handed to a generator at a time unless it asks for another number: bounds memory and lets a signal through.
const BLOCK: usize = 64;

/// Makes or reads images.
pub trait Generator: Send {
    /// One outcome per request, in order; it depends on the request alone, not on what else is in the batch.
    ///
    /// A problem with one image is an outcome; an error makes all further work pointless.
    fn generate(&mut self, requests: &[PlanRow]) -> Result<Pictures, GeneratorError>;

    /// How many requests it should get at a time.
    fn block(&self) -> usize {
        BLOCK
    }

    /// What makes the images: engine, device, precision.
    fn facts(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }

    /// What people should know and have not been told yet.
    fn take_notes(&mut self) -> Vec<String> {
        Vec::new()
    }
}
