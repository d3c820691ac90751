//! `push`: puts a release on the Hugging Face hub.
//!
//! Does not speak the hub's protocol: `python/hardset/push.py`, built into this program, does by Python's
//! `huggingface_hub`, because large uploads, their resumption and the login are that library's. Holds always: nothing
//! is put on the hub before the card has passed the checks.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::installed;
use crate::work::{Context, WorkError};

/// The script; it needs the standard library and `huggingface_hub` only.
const SCRIPT: &str = include_str!("../../python/hardset/push.py");

/// Where a release is put, and whether this is a trial.
#[derive(Debug, Clone, Copy)]
pub struct PushTo<'a> {
    /// The dataset on the hub: `LAB/NAME`.
    pub name: &'a str,
    /// Check and show everything, put nothing on the hub.
    pub dry_run: bool,
}

/// Why a release is not on the hub.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// Python could not be started.
    #[error(
        "cannot run {python}: {source}; install Python 3 with huggingface_hub. The release in {release} is complete: \
         the same command goes on with the push"
    )]
    Python {
        /// The program.
        python: String,
        /// The folder of the release.
        release: String,
        /// The cause.
        source: std::io::Error,
    },
    /// The script has printed why it stopped.
    #[error(
        "{release} is not pushed to {name}, for the reason above. The release itself is complete: the same command \
         goes on with the push"
    )]
    NotPushed {
        /// The folder of the release.
        release: String,
        /// The dataset on the hub.
        name: String,
        /// The script's exit code, with the meaning that it has everywhere; none if a signal ended it.
        code: Option<i32>,
    },
    /// Stopped by a signal.
    #[error(transparent)]
    Work(#[from] WorkError),
}

/// Checks the card of the release in the folder `release` and puts every file on the hub, or shows them; returns what
/// the script says at its end. Its progress and its errors go to stderr.
pub fn push(ctx: &Context, release: &Path, to: PushTo<'_>) -> Result<String, PushError> {
    let python = installed::python();
    let mut command = Command::new(&python);
    command.args(["-c", SCRIPT]).arg(release).arg(to.name).stdin(Stdio::null()).stderr(Stdio::inherit());
    if to.dry_run {
        command.arg("--dry-run");
    }
    let output = command.output().map_err(|source| PushError::Python {
        python: python.display().to_string(),
        release: release.display().to_string(),
        source,
    })?;
    ctx.check_stop()?;
    if !output.status.success() {
        let (release, name) = (release.display().to_string(), to.name.to_owned());
        return Err(PushError::NotPushed { release, name, code: output.status.code() });
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}
