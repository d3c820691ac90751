//! Why a source cannot be listed or read.
//!
//! What costs one image only is not an error but a reason in `dropped.parquet`.

use std::path::PathBuf;

use super::benchmark::BenchmarkError;
use crate::domain::PassedOver;
use crate::generator::GeneratorError;

/// Why a source cannot be used at all. What costs one image only is not an error.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The folder cannot be read.
    #[error(
        "cannot read folder {}: {source}; name the folder of photographs with --set generate.root=DIR",
        path.display()
    )]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// The folder was there when the run was made.
    #[error(
        "cannot read folder {}: {source}; mount it or put it back, then run the same command again",
        path.display()
    )]
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
    /// The folder has no images.
    #[error(
        "no image (jpg, jpeg, jpe, jfif, png, apng, webp, bmp, dib) was found below {}{}; name another folder with \
         --set generate.root=DIR",
        root.display(), instead(passed_over)
    )]
    Empty {
        /// The folder.
        root: PathBuf,
        /// The files that are there.
        passed_over: PassedOver,
    },
    /// Folders that are named by class indices have one too many.
    #[error(
        "`{path}`: class indices go from 0 to {}, so that these folders seem to count from 1; rename them, or give the \
         labels in a CSV (labels = \"csv\")",
        classes - 1
    )]
    CountsFromOne {
        /// A file, relative to the folder of photographs.
        path: String,
        /// How many classes there are.
        classes: usize,
    },
    /// The CSV of labels cannot be read.
    #[error("cannot read {}: {source}; name a CSV with the columns path,label", path.display())]
    LabelsRead {
        /// The CSV.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
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
    /// A pool that somebody else has made cannot be used.
    #[error(transparent)]
    Benchmark(#[from] BenchmarkError),
    /// What makes the images cannot be used.
    #[error(transparent)]
    Generator(#[from] GeneratorError),
}

fn instead(passed_over: &PassedOver) -> String {
    if passed_over.is_empty() { String::new() } else { format!(" ({})", passed_over.words()) }
}
