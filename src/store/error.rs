//! What can go wrong with files; every message names the file.

use std::path::Path;

/// Why a run directory cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The system refused.
    #[error("cannot {verb} {path}: {source}{}", advice(source))]
    Io {
        /// What was tried: `write`, `read`, …
        verb: &'static str,
        /// Where.
        path: String,
        /// The cause.
        source: std::io::Error,
    },
    /// Another process works on the run.
    #[error("{path} is in use by {holder}; wait for it or stop it, then run the same command again")]
    Locked {
        /// The run directory.
        path: String,
        /// Who holds it: process id, machine, command.
        holder: String,
    },
    /// A folder with other things in it.
    #[error("{path} holds other files ({found}) and is no run directory; choose a new or empty folder with --run-dir")]
    Foreign {
        /// The folder.
        path: String,
        /// One of them.
        found: String,
    },
    /// A folder for people outside that has other things in it.
    #[error(
        "{path} holds other files, or sheets made with other settings ({found}); choose a new or empty folder with --out"
    )]
    NotOurs {
        /// The folder.
        path: String,
        /// One of them.
        found: String,
    },
    /// A place for a release that is taken.
    #[error(
        "{path} holds other files or another release ({found}), and a release never changes; choose a new folder with --out"
    )]
    Taken {
        /// The folder.
        path: String,
        /// What is there.
        found: String,
    },
    /// Not a release.
    #[error("{path} is no release: it has no release.json; make one with `hardset release RUN --out DIR`")]
    NotARelease {
        /// The folder.
        path: String,
    },
    /// Not a run directory.
    #[error("{path} is no run directory: it has no spec.toml; make one with `hardset build PIPELINE`")]
    NotARun {
        /// The folder.
        path: String,
    },
    /// Written by another version.
    #[error(
        "{path} has format {found}, but this hardset reads format {wanted}; use the version named in its spec.toml ({tool})"
    )]
    Format {
        /// The run directory.
        path: String,
        /// Its format.
        found: u32,
        /// The one that is read.
        wanted: u32,
        /// The tool that wrote it.
        tool: String,
    },
    /// A file of the run is not what it should be.
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
    /// An [`StoreError::Io`]; meant for `map_err`.
    pub fn io(verb: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.display().to_string();
        move |source| Self::Io { verb, path, source }
    }
}

fn advice(source: &std::io::Error) -> &'static str {
    match source.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            "; what is done is kept: make room and run the same command again"
        }
        std::io::ErrorKind::PermissionDenied => "; choose another folder with --run-dir, or mend its permissions",
        _ => "",
    }
}
