//! What every kind of scorer keeps to: trait [`Scorer`], and how many instances of one there are.

use super::error::ScorerError;
use crate::domain::{Device, MineSpec, Outcome, Scores};
use crate::imaging::RgbImage;

/// Scores images.
pub trait Scorer: Send {
    /// One outcome per image, in order. Images are scored together in one call of the model where it allows that;
    /// `Err` is for a scorer that cannot work at all.
    fn score(&mut self, images: &[&RgbImage]) -> Result<Vec<Outcome<Scores>>, ScorerError>;

    /// As [`Scorer::score`], for images that went through [`super::fit`].
    fn score_fitted(&mut self, images: &[RgbImage]) -> Result<Vec<Outcome<Scores>>, ScorerError>;
}

/// How many instances of a model score, and how they are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instances {
    /// One on each core, each called with a few images whenever it has time (ADR 0002).
    PerCore,
    /// One for each model, called with many images that all cores prepare (ADR 0016).
    PerModel,
}

impl Instances {
    /// What suits a device.
    pub fn on(device: Device) -> Self {
        match device {
            Device::Cuda(_) => Self::PerModel,
            Device::Cpu | Device::Auto => Self::PerCore,
        }
    }

    /// Images per call where the recipe says nothing.
    pub fn default_batch(self) -> u32 {
        match self {
            Self::PerCore => MineSpec::CPU_BATCH,
            Self::PerModel => 32,
        }
    }
}
