//! Why a pool cannot be opened or listed.
//!
//! What costs one image only is not an error but a reason in `dropped.parquet`.

use std::path::PathBuf;

use crate::config::ConfigError;
use crate::domain::BenchmarkLayout;
use crate::store::StoreError;
use crate::table::TableError;

/// Why a pool cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum BenchmarkError {
    /// It is not there, or cannot be read.
    #[error(
        "cannot read {}: {source}; give a run, a release, or the folder (or Parquet file) of a benchmark",
        path.display()
    )]
    NotThere {
        /// The pool.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
    /// What it is cannot be told, or it is not what `--layout` says.
    #[error("{}: {found}; {remedy}", path.display())]
    Layout {
        /// The pool.
        path: PathBuf,
        /// What was found.
        found: String,
        /// What to do.
        remedy: String,
    },
    /// There is no image.
    #[error("{}: no image was found as {}{found}; {remedy}", path.display(), layout.words())]
    Empty {
        /// The pool.
        path: PathBuf,
        /// What it was read as.
        layout: BenchmarkLayout,
        /// What was found instead: empty, or in brackets.
        found: String,
        /// What to do.
        remedy: String,
    },
    /// Labels and categories do not fit together.
    #[error("{}: {problem}; {remedy}", path.display())]
    Labels {
        /// The pool, or its file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
        /// What to do.
        remedy: String,
    },
    /// A Parquet file cannot be read, or lacks a column.
    #[error("{}: {problem}; {remedy}", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
        /// What to do.
        remedy: String,
    },
    /// More images than an id can number.
    #[error("{}: it has more than {} images; evaluate parts of it", path.display(), u32::MAX)]
    TooMany {
        /// The pool.
        path: PathBuf,
    },
    /// A run or a release is damaged, or of another format.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A table of a run cannot be read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A built-in category set cannot be read.
    #[error(transparent)]
    Config(#[from] ConfigError),
}
