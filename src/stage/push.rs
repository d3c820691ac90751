//! `push`: puts a release on the Hugging Face hub.
//!
//! Does not speak the hub's protocol: `python/hardset/push.py`, built into this program, does by Python's
//! `huggingface_hub`, because large uploads, their resumption and the login are that library's. Holds always: nothing
//! is put on the hub before the card has passed the checks.

use std::path::Path;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

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
    /// The script says why, or ended without a word.
    #[error("{problem}. The release in {release} is complete: the same command goes on with the push to {name}")]
    NotPushed {
        /// The folder of the release.
        release: String,
        /// The dataset on the hub.
        name: String,
        /// Why.
        problem: String,
        /// The script's exit code, with the meaning that it has everywhere; none if a signal ended it.
        code: Option<i32>,
    },
    /// Stopped by a signal.
    #[error(transparent)]
    Work(#[from] WorkError),
}

/// What was pushed, or what would be: `push.py --format json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pushed {
    /// The dataset on the hub.
    pub repo: String,
    /// Whether this was a trial.
    pub dry_run: bool,
    /// Every file.
    pub files: Vec<PushedFile>,
    /// Size of all files in bytes.
    pub bytes: u64,
    /// What was checked of the card.
    pub card: CardChecks,
    /// The address of the commit; none of a trial.
    pub commit: Option<String>,
}

/// A file on the hub.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PushedFile {
    /// Its path in the release.
    pub path: String,
    /// Its size in bytes.
    pub bytes: u64,
}

/// By what a card was checked, and what could not be checked here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CardChecks {
    /// Checked by these.
    pub checked: Vec<String>,
    /// Not checked, with the reason.
    pub not_checked: Vec<String>,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

/// Checks the card of the release in the folder `release` and puts every file on the hub, or only says what it would
/// put there. Its progress goes to stderr.
pub fn push(ctx: &Context, release: &Path, to: PushTo<'_>) -> Result<Pushed, PushError> {
    let python = installed::python();
    let mut command = Command::new(&python);
    command.args(["-c", SCRIPT, "--format", "json"]).arg(release).arg(to.name);
    command.stdin(Stdio::null()).stderr(Stdio::inherit());
    if to.dry_run {
        command.arg("--dry-run");
    }
    let output = command.output().map_err(|source| PushError::Python {
        python: python.display().to_string(),
        release: release.display().to_string(),
        source,
    })?;
    ctx.check_stop()?;
    let failed = |problem: String| PushError::NotPushed {
        release: release.display().to_string(),
        name: to.name.to_owned(),
        problem,
        code: output.status.code(),
    };
    if output.status.success() {
        return serde_json::from_slice(&output.stdout).map_err(|e| failed(format!("cannot read what it did: {e}")));
    }
    let refusal: Option<Refusal> = serde_json::from_slice(&output.stdout).ok();
    Err(failed(refusal.map_or_else(|| format!("{} ended with {}", python.display(), output.status), |it| it.error)))
}
