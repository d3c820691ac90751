//! Why a source cannot be listed or read.
//!
//! What costs one image only is not an error but a reason in `dropped.parquet`.

use std::path::PathBuf;

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
        "no image (jpg, jpeg, png, webp, bmp) was found below {}; name another folder with --set generate.root=DIR",
        .0.display()
    )]
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
    /// What makes the images cannot be used.
    #[error(transparent)]
    Generator(#[from] GeneratorError),
}
