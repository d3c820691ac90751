//! Errors of reading and writing files; every message names the file.

use std::path::Path;

/// Why a file or folder cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The operating system reported an error.
    #[error("cannot {verb} {path}: {source}{}", advice(source))]
    Io {
        /// What was attempted: `write`, `read`, …
        verb: &'static str,
        /// The file or folder.
        path: String,
        /// The cause.
        source: std::io::Error,
    },
    /// Another process works on the run.
    #[error("{path} is in use by {holder}; wait for it or stop it, then run the same command again")]
    Locked {
        /// The run directory.
        path: String,
        /// The process that holds the lock: id, machine, command.
        holder: String,
    },
    /// The folder for a run holds other files.
    #[error(
        "{path} is not a run directory, because it holds other files ({found}); choose a new or empty folder with \
         --run-dir"
    )]
    Foreign {
        /// The folder.
        path: String,
        /// One of them.
        found: String,
    },
    /// The folder for task sheets holds other files.
    #[error(
        "{path} holds other files, or sheets made with other settings ({found}); choose a new or empty folder with \
         --out"
    )]
    NotOurs {
        /// The folder.
        path: String,
        /// One of them.
        found: String,
    },
    /// The folder for a release is not free.
    #[error(
        "{path} holds other files or another release ({found}), and a release never changes; choose a new folder with \
         --out"
    )]
    Taken {
        /// The folder.
        path: String,
        /// What is there.
        found: String,
    },
    /// The folder is not a release.
    #[error("{path} is not a release, because it has no release.json; make one with `hardset release RUN --out DIR`")]
    NotARelease {
        /// The folder.
        path: String,
    },
    /// The folder is not a run directory.
    #[error("{path} is not a run directory, because it has no spec.toml; make one with `hardset build PIPELINE`")]
    NotARun {
        /// The folder.
        path: String,
    },
    /// The run was written by another version.
    #[error(
        "{path} has format {found}, but this hardset reads format {wanted}; use the version named in its spec.toml \
         ({tool})"
    )]
    Format {
        /// The run directory.
        path: String,
        /// Its format.
        found: u32,
        /// The format that this program reads.
        wanted: u32,
        /// The tool that wrote it.
        tool: String,
    },
    /// A file has been changed or damaged.
    #[error("{path} is damaged: {problem}; {remedy}")]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong.
        problem: String,
        /// What to do.
        remedy: String,
    },
}

impl StoreError {
    /// Turns an I/O error into [`StoreError::Io`]; for `map_err`.
    pub fn io(verb: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.display().to_string();
        move |source| Self::Io { verb, path, source }
    }
}

fn advice(source: &std::io::Error) -> &'static str {
    match source.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            "; finished work is kept: make room and run the same command again"
        }
        std::io::ErrorKind::PermissionDenied => "; choose another folder with --run-dir, or change its permissions",
        _ => "",
    }
}
