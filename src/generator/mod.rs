//! Where images come from: trait [`Generator`], and how each kind of source lists its items.
//!
//! Gives pixels or references to files; stores nothing and decides nothing about what is kept.

#[cfg(feature = "diffusion")]
pub mod diffusion;
mod examine;
mod fake;
mod folder;
mod grid;
mod labels;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

pub use examine::{
    Benchmark, Compared, benchmark_model, compare_model, load_model, model_engine, model_facts, model_files,
};
pub use folder::images_below;
pub use grid::Grid;

use crate::domain::{CategorySet, Device, DropRow, EngineChoice, GenerateSpec, Outcome, PlanRow, Sha256};
use crate::imaging::RgbImage;
use crate::onnx::Runtime;

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
        /// Size of the file.
        bytes: u64,
        /// Its hash.
        sha256: Sha256,
        /// Width and height, as its header says.
        size_px: (u32, u32),
    },
}

/// Pictures of some requests, in order; there, or with a last step to do that needs the generator no more.
pub struct Pictures(Box<dyn FnOnce() -> Result<Vec<Outcome<Picture>>, GeneratorError> + Send>);

impl Pictures {
    /// With nothing left to do.
    fn ready(outcomes: Vec<Outcome<Picture>>) -> Self {
        Self(Box::new(|| Ok(outcomes)))
    }

    /// One outcome per request; any thread may do this while the generator makes the next ones.
    pub fn finish(self) -> Result<Vec<Outcome<Picture>>, GeneratorError> {
        (self.0)()
    }
}

/// Images handed to a generator at a time where it has no wish of its own: bounds memory and lets a signal through.
const BLOCK: usize = 64;

/// Makes or reads images.
pub trait Generator: Send {
    /// One outcome per request, in order; it depends on the request alone, not on what else is in the batch.
    ///
    /// An error is what makes all further work pointless; what costs one image is an outcome.
    fn generate(&mut self, requests: &[PlanRow]) -> Result<Pictures, GeneratorError>;

    /// How many requests it likes at a time.
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

/// What a source has to offer.
#[derive(Debug, Clone)]
pub struct Listing {
    /// What to make or read; item ids ascending.
    pub rows: Rows,
    /// What has no place in the plan, and why.
    pub lost: Vec<DropRow>,
}

/// The items of a source.
#[derive(Debug, Clone)]
pub enum Rows {
    /// One by one.
    Listed(Vec<PlanRow>),
    /// By number.
    Grid(Grid),
}

impl Rows {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Listed(rows) => rows.len(),
            Self::Grid(grid) => grid.len() as usize,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Those at `range`.
    pub fn part(&self, range: Range<usize>) -> Vec<PlanRow> {
        match self {
            Self::Listed(rows) => rows[range].to_vec(),
            Self::Grid(grid) => range.map(|at| grid.row(at as u32)).collect(),
        }
    }

    /// Categories with at least one of them.
    pub fn categories(&self) -> u64 {
        match self {
            Self::Listed(rows) => {
                let mut categories: Vec<&str> = rows.iter().map(|row| row.category.as_str()).collect();
                categories.sort_unstable();
                categories.dedup();
                categories.len() as u64
            }
            Self::Grid(grid) => grid.categories(),
        }
    }
}

/// Why a source cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum GeneratorError {
    /// The folder cannot be read.
    #[error("cannot read folder {}: {source}; name the folder of photographs with --set generate.root=DIR", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// It was there when the run was made.
    #[error("cannot read folder {}: {source}; mount it or put it back, then run the same command again", path.display())]
    Gone {
        /// The folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// A folder to compare with cannot be read.
    #[error("cannot read folder {}: {source}; give --against a folder of images", path.display())]
    Compare {
        /// The folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// It has no images.
    #[error("no image (jpg, jpeg, png, webp, bmp) lies below {}; name another folder with --set generate.root=DIR", .0.display())]
    Empty(PathBuf),
    /// No image has a label.
    #[error("no image below {} has a label; the first one: {reason}", root.display())]
    NoLabel {
        /// The folder.
        root: PathBuf,
        /// Why the first one has none.
        reason: String,
    },
    /// The CSV of labels is malformed.
    #[error("{}, line {line}: {problem}", path.display())]
    LabelsCsv {
        /// The CSV.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
        /// What is wrong.
        problem: String,
    },
    /// More items than an id can number.
    #[error("the source has more than {} items; make several runs of fewer categories", u32::MAX)]
    TooMany,
    /// The diffusion model cannot be used.
    #[cfg(feature = "diffusion")]
    #[error(transparent)]
    Diffusion(#[from] diffusion::DiffusionError),
    /// This build cannot make images.
    #[error(
        "this hardset was built without the feature `diffusion`, which diffusion models need; build it with --features diffusion"
    )]
    NoDiffusion,
}

impl GeneratorError {
    /// Whether an engine stopped working, which no input explains.
    pub fn is_unexpected(&self) -> bool {
        match self {
            #[cfg(feature = "diffusion")]
            Self::Diffusion(error) => matches!(error, diffusion::DiffusionError::Engine(_)),
            _ => false,
        }
    }

    /// Whether something that is needed is not there, rather than wrong: a folder, a file, a device, a part of this
    /// build.
    pub fn is_missing(&self) -> bool {
        match self {
            Self::Folder { .. } | Self::Gone { .. } | Self::Compare { .. } | Self::NoDiffusion => true,
            #[cfg(feature = "diffusion")]
            Self::Diffusion(error) => error.is_missing(),
            _ => false,
        }
    }
}

/// Lists the items of a source.
pub fn list(spec: &GenerateSpec, categories: &CategorySet, seed: u64) -> Result<Listing, GeneratorError> {
    match spec {
        GenerateSpec::Folder(source) => folder::list(source, categories, seed),
        GenerateSpec::Diffusion(source) => {
            let grid = Grid::new(&source.prompts, categories, seed);
            match grid.len() <= u64::from(u32::MAX) {
                true => Ok(Listing { rows: Rows::Grid(grid), lost: Vec::new() }),
                false => Err(GeneratorError::TooMany),
            }
        }
        GenerateSpec::Fake(fake) => fake::list(fake, categories, seed),
    }
}

/// Where and how a generator works; nothing that its images depend on.
#[derive(Debug, Clone)]
pub struct Means {
    /// Where models run.
    pub device: Device,
    /// Images per call of a model; `None`: what suits the device.
    pub batch: Option<u32>,
    /// Who runs the networks of a diffusion model.
    pub engine: EngineChoice,
    /// ONNX Runtime, where it is wanted and can be had.
    pub runtime: Option<Arc<Runtime>>,
}

/// Checks, as far as can be told without loading anything, that the source can be used.
pub fn check(spec: &GenerateSpec) -> Result<(), GeneratorError> {
    match spec {
        GenerateSpec::Folder(_) | GenerateSpec::Fake(_) => Ok(()),
        #[cfg(feature = "diffusion")]
        GenerateSpec::Diffusion(source) => Ok(diffusion::check(source)?),
        #[cfg(not(feature = "diffusion"))]
        GenerateSpec::Diffusion(_) => Err(GeneratorError::NoDiffusion),
    }
}

/// Why candle cannot run diffusion models on the GPU `index`; `None`: it can.
#[cfg_attr(not(feature = "candle"), expect(unused_variables, reason = "without candle there is no GPU for it"))]
pub fn candle_problem(index: u32) -> Option<String> {
    #[cfg(feature = "candle")]
    return diffusion::candle_problem(index);
    #[cfg(not(feature = "candle"))]
    Some("this hardset was built without candle".to_owned())
}

/// The generator for a source.
#[cfg_attr(not(feature = "diffusion"), expect(unused_variables, reason = "only models care where they run"))]
pub fn build(spec: &GenerateSpec, means: &Means) -> Result<Box<dyn Generator>, GeneratorError> {
    Ok(match spec {
        GenerateSpec::Folder(source) => Box::new(folder::Folder::new(source)),
        #[cfg(feature = "diffusion")]
        GenerateSpec::Diffusion(source) => Box::new(diffusion::Diffusion::load(source, means)?),
        #[cfg(not(feature = "diffusion"))]
        GenerateSpec::Diffusion(_) => return Err(GeneratorError::NoDiffusion),
        GenerateSpec::Fake(fake) => Box::new(fake::Fake::new(fake)),
    })
}
