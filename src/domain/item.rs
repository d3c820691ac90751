//! The rows that follow an item through a run.
//!
//! Holds always: an [`ItemId`] is the item's position in the plan, because positions need no registry and give ids that
//! ascend in every table of a run.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Sha256;

/// The number of an item in its run; written with eight digits in file names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ItemId(pub u32);

impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08}", self.0)
    }
}

/// One image to make or to read: a row of `plan.HASH.parquet`.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanRow {
    /// The item.
    pub item_id: ItemId,
    /// Id of its category.
    pub category: String,
    /// Accepted ImageNet-1k class indices.
    pub label_ids: Vec<i32>,
    /// Kind of nuisance (`background`, …), for images that are made.
    pub nuisance_kind: Option<String>,
    /// The nuisance's value.
    pub nuisance: Option<String>,
    /// The prompt's template.
    pub template: Option<String>,
    /// The prompt.
    pub prompt: Option<String>,
    /// The negative prompt.
    pub negative_prompt: Option<String>,
    /// Seed of all random numbers for this item.
    pub seed: u64,
    /// The file of an image that is read, relative to the source's root; `FILE#ROW` for a row of a Parquet file,
    /// `FILE#ITEM` for an item of another run.
    pub source: Option<String>,
}

/// Where an item's image is and what it holds: a row of `images/NNNNN.parquet`.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageRow {
    /// The item.
    pub item_id: ItemId,
    /// File: relative to the source's root for photographs, to the run directory for shards.
    pub path: String,
    /// First byte of the image inside that file; 0 for a file of its own. For an image in a Parquet file: its row in
    /// that file, from 0.
    pub offset: u64,
    /// Length of the encoded image.
    pub bytes: u64,
    /// Hash of the encoded image.
    pub sha256: Sha256,
    /// Width of the picture.
    pub width_px: u32,
    /// Height of the picture.
    pub height_px: u32,
    /// How a diffusion model made it; `None` for other images.
    pub made: Option<Provenance>,
}

/// How an image was made; its prompt and seed are in its [`PlanRow`].
#[derive(Debug, Clone, PartialEq)]
pub struct Provenance {
    /// Hash of the model's files.
    pub model_sha256: Sha256,
    /// The engine that ran its networks: `ort` (ONNX Runtime) or `candle`, which round differently.
    pub engine: String,
    /// The sampler.
    pub sampler: String,
    /// Its steps.
    pub steps: u32,
    /// Classifier-free guidance.
    pub guidance: f64,
    /// A warning for people, such as a prompt that was cut.
    pub warning: Option<String>,
}

/// The stages in which an item can be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Listing what to make or read.
    Plan,
    /// Making or reading images.
    Generate,
    /// Scoring images.
    Mine,
    /// Showing images to people.
    Annotate,
}

impl Stage {
    /// All stages, in the order of a run.
    pub const ALL: [Self; 4] = [Self::Plan, Self::Generate, Self::Mine, Self::Annotate];
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plan => "plan",
            Self::Generate => "generate",
            Self::Mine => "mine",
            Self::Annotate => "annotate",
        })
    }
}

/// Why an item is not in the result: a row of `dropped.parquet`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DropRow {
    /// The item.
    pub item_id: ItemId,
    /// The stage in which it was lost.
    pub stage: Stage,
    /// The file or prompt that it came from.
    pub source: String,
    /// The reason, for people.
    pub reason: String,
}

/// The first pixel of a fake image: it encodes the class that the image "shows", for fake classifiers.
pub fn fake_pixel(class: i32) -> [u8; 3] {
    [(class / 256) as u8, (class % 256) as u8, 255]
}

/// The class that a fake image of `[h, w, 3]` pixels "shows"; 0 for any other image.
pub fn fake_class(pixels: &[u8]) -> usize {
    match pixels {
        [high, low, 255, ..] => usize::from(*high) * 256 + usize::from(*low),
        _ => 0,
    }
}
