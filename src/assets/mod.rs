//! External files: finds them in data directories, checks them by hash, fetches those that can be had.
//!
//! Knows hubs and pip, not what a file is for. Holds always: a path that leaves this module has the hash that its entry
//! asks for; an entry without one is pinned to what was read first.

mod fetch;
mod folders;
mod pins;

pub use fetch::{Fetched, fetch, fetch_model, platform};
pub use folders::{DataFolders, Located};

/// Why an external file cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum AssetError {
    /// It is nowhere.
    #[error("{file} (`{id}`) is in none of {folders}; {remedy}")]
    Missing {
        /// The entry.
        id: String,
        /// The file's name.
        file: String,
        /// Where it was looked for.
        folders: String,
        /// How to get it.
        remedy: String,
    },
    /// Something else lies under its name.
    #[error("{path} is not `{id}`: it is {found} instead of {wanted}; remove it or name another --data-dir")]
    WrongHash {
        /// The entry.
        id: String,
        /// The file.
        path: String,
        /// Its hash.
        found: String,
        /// The entry's.
        wanted: String,
    },
    /// The system refused.
    #[error("cannot {verb} {path}: {source}")]
    Io {
        /// What was tried.
        verb: &'static str,
        /// Where.
        path: String,
        /// The cause.
        source: std::io::Error,
    },
    /// The hub or pip did not give it.
    #[error(
        "cannot fetch `{id}` from {from}: {problem}; check the network, or put the file into a data directory by hand"
    )]
    Fetch {
        /// The entry.
        id: String,
        /// Where from.
        from: String,
        /// What it said.
        problem: String,
    },
    /// There is nothing to fetch it from.
    #[error("`{id}` cannot be fetched: {problem}")]
    NoSource {
        /// The entry.
        id: String,
        /// Why, and what to do.
        problem: String,
    },
    /// Writing into the cache failed.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
}

impl AssetError {
    fn io(verb: &'static str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.display().to_string();
        move |source| Self::Io { verb, path, source }
    }
}
