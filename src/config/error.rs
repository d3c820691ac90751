//! Errors of TOML files; every message names the file.

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
    /// It is not TOML, lacks a key or has an unknown one.
    #[error("{file}: {message}")]
    Toml {
        /// The file.
        file: String,
        /// The parser's message: place, key, what is expected.
        message: String,
    },
    /// A value is not valid.
    #[error("{file}: `{key}` {problem}")]
    Value {
        /// The file.
        file: String,
        /// The key, dotted.
        key: String,
        /// The problem and what to write instead.
        problem: String,
    },
    /// The rule of the mining is not valid.
    #[error("{file}: [mine] {source}")]
    Rule {
        /// The file.
        file: String,
        /// The cause.
        source: RuleError,
    },
    /// No file of that name was found.
    #[error(
        "there is no {kind} `{name}`: looked for {name}.toml in `{folder}/` beside {from} and above it; built in: \
         {known}; or name a file by its path"
    )]
    Unknown {
        /// The kind of file, for people: `category set`, …
        kind: &'static str,
        /// Name of its folder.
        folder: &'static str,
        /// The name.
        name: String,
        /// The file that names it.
        from: String,
        /// The built-in names.
        known: String,
    },
    /// A model is named where its TOML is wanted.
    #[error(
        "{model} is a model; name its TOML, which says how a picture becomes its input and what its scores mean: \
         `hardset model inspect {model} --out NAME.toml` drafts it"
    )]
    ModelForToml {
        /// The model.
        model: String,
    },
    /// A built-in file needs other files that are not built in, and no wheel has installed them.
    #[error(
        "`{name}` needs files that are not built into the program and were not installed with it; install hardset by \
         pip, which brings them, or use {folder}/{name}.toml in a checkout of hardset's repository"
    )]
    NeedsFiles {
        /// Name of its folder.
        folder: &'static str,
        /// The name.
        name: String,
    },
    /// No data manifest lists a file.
    #[error("{from} names the file `{id}`, which no data-manifest.toml lists; known ids: {known}")]
    UnknownData {
        /// The id.
        id: String,
        /// The file that names it.
        from: String,
        /// The known ids.
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
