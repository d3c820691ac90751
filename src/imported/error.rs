//! Why a file of predictions cannot be read.

use crate::table::TableError;

/// Why a file of predictions cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It cannot be read at all.
    #[error("cannot read {file}: {source}")]
    Read {
        /// The file.
        file: String,
        /// The cause.
        source: std::io::Error,
    },
    /// It is not what it should be.
    #[error("{file}: {problem}")]
    File {
        /// The file.
        file: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// It is no Parquet file that can be read.
    #[error(transparent)]
    Table(#[from] TableError),
}

impl ImportError {
    pub(super) fn read(file: &str) -> impl Fn(std::io::Error) -> Self + use<> {
        let file = file.to_owned();
        move |source| Self::Read { file: file.clone(), source }
    }

    pub(super) fn file(file: &str, problem: impl Into<String>) -> Self {
        Self::File { file: file.to_owned(), problem: problem.into() }
    }
}
