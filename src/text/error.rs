//! Why a tokenizer cannot be used.

use std::path::Path;

/// Why a tokenizer cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    /// A file cannot be read.
    #[error("cannot read {file}: {source}")]
    Read {
        /// The file.
        file: String,
        /// The cause.
        source: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("{file}: {problem}")]
    File {
        /// The file.
        file: String,
        /// What is wrong.
        problem: String,
    },
}

impl TextError {
    pub(super) fn file(path: &Path, problem: String) -> Self {
        Self::File { file: path.display().to_string(), problem }
    }
}
