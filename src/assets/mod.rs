//! External files: finds them in data directories, checks them by hash, and fetches those that have a source.
//!
//! Knows the hub and pip, but not what a file is for. Holds always: a path that this module returns has the hash of its
//! entry, because a run records the hash and must be repeatable; an entry without a hash is pinned to the first file
//! that was fetched.

mod fetch;
mod folders;
mod pins;

pub use fetch::{Fetched, fetch, fetch_model, list_hub, platform};
pub use folders::{DataFolders, Located};

/// Why an external file is not available.
#[derive(Debug, thiserror::Error)]
pub enum AssetError {
    /// The file was not found.
    #[error("{file} (`{id}`) was not found in {folders}; {remedy}")]
    Missing {
        /// The entry.
        id: String,
        /// The file's name.
        file: String,
        /// The folders that were searched.
        folders: String,
        /// How to get it.
        remedy: String,
    },
    /// The file of that name has other contents.
    #[error("{path} is not `{id}`: it has {found} instead of {wanted}; remove it or name another --data-dir")]
    WrongHash {
        /// The entry.
        id: String,
        /// The file.
        path: String,
        /// Its hash or size.
        found: String,
        /// The hash or size of the entry.
        wanted: String,
    },
    /// The operating system reported an error.
    #[error("cannot {verb} {path}: {source}")]
    Io {
        /// What was attempted.
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
        /// Its error message.
        problem: String,
    },
    /// The file has no source, or none for this machine.
    #[error("`{id}` cannot be fetched: {problem}")]
    NoSource {
        /// The entry.
        id: String,
        /// The reason, and what to do.
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
