//! The interface of every kind of scorer: trait [`Scorer`], and how many instances of a model there are.
//!
//! Holds always: no tensor crosses it, because verbs must not depend on a library.

use super::error::ScorerError;
use crate::domain::{Device, MineSpec, Outcome, Scores};
use crate::imaging::RgbImage;

/// Scores images.
pub trait Scorer: Send {
    /// Whether it scores one image at a time, because its scores would depend on the images beside one.
    fn is_alone(&self) -> bool {
        false
    }

    /// One outcome per image, in order. Images are scored in one call of the model if it allows that. `Err` only if the
    /// scorer cannot work at all.
    fn score(&mut self, images: &[&RgbImage]) -> Result<Vec<Outcome<Scores>>, ScorerError>;

    /// As [`Scorer::score`], for images that went through [`super::fit`].
    fn score_fitted(&mut self, images: &[RgbImage]) -> Result<Vec<Outcome<Scores>>, ScorerError>;
}

/// Whether the process was asked to stop.
pub type Stop<'a> = &'a (dyn Fn() -> bool + Sync);

/// How many instances of a model score, and how they are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instances {
    /// One on each core, each called with a few images at a time (ADR 0002).
    PerCore,
    /// One for each model, called with many images that all cores prepare (ADR 0016).
    PerModel,
}

impl Instances {
    /// The choice for a device.
    pub fn on(device: Device) -> Self {
        match device {
            Device::Cuda(_) => Self::PerModel,
            Device::Cpu | Device::Auto => Self::PerCore,
        }
    }

    /// Images per call if the recipe does not set them.
    pub fn default_batch(self) -> u32 {
        match self {
            Self::PerCore => MineSpec::CPU_BATCH,
            Self::PerModel => 32,
        }
    }
}
