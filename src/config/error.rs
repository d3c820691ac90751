//! What can be wrong with a TOML file; every message names the file.

use crate::domain::RuleError;

/// Why a recipe or one of its files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("cannot read {file}: {source}")]
    Read {
        /// The file.
        file: String,
        /// The cause.
        source: std::io::Error,
    },
    /// It is not TOML, lacks a key or has one too many.
    #[error("{file}: {message}")]
    Toml {
        /// The file.
        file: String,
        /// What the parser says: place, key, what would be right.
        message: String,
    },
    /// A value makes no sense.
    #[error("{file}: `{key}` {problem}")]
    Value {
        /// The file.
        file: String,
        /// The key, dotted.
        key: String,
        /// What is wrong and what to write.
        problem: String,
    },
    /// The mining's rule makes no sense.
    #[error("{file}: [mine] {source}")]
    Rule {
        /// The file.
        file: String,
        /// The cause.
        source: RuleError,
    },
    /// There is no file of that name.
    #[error(
        "there is no {kind} `{name}`: looked for {name}.toml in `{folder}/` beside {from} and above it; built in are {known}"
    )]
    Unknown {
        /// What kind of file: `categories`, …
        kind: &'static str,
        /// Name of its folder.
        folder: &'static str,
        /// The name.
        name: String,
        /// The file that names it.
        from: String,
        /// Names that would do.
        known: String,
    },
    /// What is built in needs files that are not.
    #[error(
        "`{name}` uses files of hardset's repository that are not built into the program: in a checkout of it, use {folder}/{name}.toml"
    )]
    NeedsCheckout {
        /// Name of its folder.
        folder: &'static str,
        /// The name.
        name: String,
    },
    /// No data manifest lists a file.
    #[error("{from} names the file `{id}`, which no data-manifest.toml lists; known are {known}")]
    UnknownData {
        /// The id.
        id: String,
        /// Who names it.
        from: String,
        /// Ids that would do.
        known: String,
    },
    /// `--set` is malformed.
    #[error("--set {0}: write --set key=value, with a dotted key such as mine.rule")]
    Override(String),
}

impl ConfigError {
    /// A [`ConfigError::Value`].
    pub fn value(file: &str, key: &str, problem: impl Into<String>) -> Self {
        Self::Value { file: file.to_owned(), key: key.to_owned(), problem: problem.into() }
    }
}
