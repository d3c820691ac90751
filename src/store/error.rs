//! Errors of reading and writing files; every message names the file.

use std::path::Path;

use crate::domain::FormatVersion;

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
        "{path} holds other files or another release ({found}), or one with other options (--also, --base, --against, \
         --set), and a release never changes; give the options that it was made with, or choose a new folder with --out"
    )]
    Taken {
        /// The folder.
        path: String,
        /// What is there.
        found: String,
    },
    /// The folder is not a release.
    #[error(
        "{path} is not a release, because it has no release.json; restore it, or make one with \
         `hardset release RUN --out DIR`"
    )]
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
    /// The run has no such job.
    #[error("{run} has no job {job}; {there}: submit one with `hardset submit {run} --to ENGINE --ranks N`")]
    NoJob {
        /// The run directory.
        run: String,
        /// The job.
        job: String,
        /// Those that it has.
        there: String,
    },
    /// A bucket did not do what it was asked to.
    #[error(
        "cannot {verb} {path}: {problem}; docs/buckets.md says what must be set. Finished work is kept: run the same \
         command again to continue"
    )]
    Bucket {
        /// What was attempted.
        verb: &'static str,
        /// The object or folder.
        path: String,
        /// What it or the network said.
        problem: String,
    },
    /// A path begins like one in a bucket and is none.
    #[error("{path} is no place in a bucket; write s3://BUCKET/FOLDER")]
    NotABucket {
        /// The path.
        path: String,
    },
    /// This program cannot speak to buckets.
    #[error(
        "{path} is in a bucket, and this hardset was built without the feature `s3`; build it with \
         `cargo install --path . --features s3`, or work in a folder"
    )]
    NoBuckets {
        /// The path.
        path: String,
    },
    /// Something that needs a folder.
    #[error(
        "{path} is in a bucket, and {what} must be in a folder; copy it first: `aws s3 sync {path} DIR`, or \
         `rclone copy`"
    )]
    InBucket {
        /// The run or folder.
        path: String,
        /// What needs a folder.
        what: &'static str,
    },
    /// It was written by another version.
    #[error("{path} has format {found}, written by {tool}, but this hardset reads format {wanted}; use {tool} for it")]
    Format {
        /// The file that says the format.
        path: String,
        /// Its format.
        found: String,
        /// The format that this program reads: its major version.
        wanted: u32,
        /// The tool that wrote it.
        tool: String,
    },
    /// It was written by a newer minor version, so that this program would lose fields.
    #[error(
        "{path} has format {found}, written by {tool}: this hardset (format {own}) can read it, but not change it; \
         use {tool} for this command"
    )]
    NewerMinor {
        /// The run directory.
        path: String,
        /// Its format.
        found: FormatVersion,
        /// The format that this program writes.
        own: FormatVersion,
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
    /// An error for the format `found` in the file at `path`, which `tool` wrote.
    pub(super) fn format(path: &Path, found: String, tool: Option<&str>, own: FormatVersion) -> Self {
        let tool = tool.unwrap_or("an unknown program").to_owned();
        Self::Format { path: path.display().to_string(), found, wanted: own.major, tool }
    }

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
        std::io::ErrorKind::ReadOnlyFilesystem => "; this command writes: work on a copy of the folder",
        std::io::ErrorKind::PermissionDenied => "; choose another folder, or change its permissions",
        _ => "",
    }
}
