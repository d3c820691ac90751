//! Diffusion models: finds or fetches their folders, and checks that they are the ones of the run.
//!
//! Does not load a model. Holds always: a model is identified by the hashes of all its files, because a changed file
//! changes every image.

use std::path::{Path, PathBuf};

use super::PrepareError;
use super::weights::pinned_note;
use crate::assets::{self, AssetError, Located};
use crate::config::{self, real_path};
use crate::domain::{DiffusionModel, ModelEntry, PinnedFile, RunSpec, Sha256};
use crate::generator;
use crate::source::source;
use crate::work::Context;

/// The model with its folder found, or fetched if the manifest has a source, and its files hashed.
pub fn find(ctx: &Context, model: &DiffusionModel) -> Result<DiffusionModel, PrepareError> {
    let entry = config::model_entry(&model.name)?;
    let path = if !model.path.as_os_str().is_empty() {
        model.path.clone()
    } else if let Some(path) = look_up(ctx, &model.name) {
        path
    } else {
        fetched(ctx, entry.as_ref(), &model.name)?
    };
    let files = hashed(&path, &model.name)?;
    let licence = entry.as_ref().map(|entry| entry.licence.clone());
    if let Some(entry) = entry.filter(|_| model.path.as_os_str().is_empty()) {
        check_hashes(ctx, &entry, &path, &files)?;
    }
    let sha256 = Some(identity(&files));
    Ok(DiffusionModel { name: model.name.clone(), path, sha256, files, licence })
}

fn fetched(ctx: &Context, entry: Option<&ModelEntry>, name: &str) -> Result<PathBuf, PrepareError> {
    let Some(entry) = entry else {
        let folders: Vec<String> = ctx.data.all().map(|folder| folder.display().to_string()).collect();
        let remedy = "give its folder, in the Hugging Face diffusers layout, with --set generate.model=DIR".to_owned();
        let file = format!("{name}/model_index.json");
        return Err(AssetError::Missing { id: name.to_owned(), file, folders: folders.join(", "), remedy }.into());
    };
    fetch(ctx, entry)
}

/// Brings a model of the manifest into the cache; returns its folder.
fn fetch(ctx: &Context, entry: &ModelEntry) -> Result<PathBuf, PrepareError> {
    ctx.progress.note(&format!("fetching model {} into {}", entry.id, ctx.data.cache().display()));
    let (folder, pinned_now) = assets::fetch_model(entry, &ctx.data, true)?;
    for located in &pinned_now {
        ctx.progress.note(&pinned_note(&located.path.display().to_string(), located));
    }
    Ok(folder)
}

fn check_hashes(ctx: &Context, entry: &ModelEntry, folder: &Path, files: &[PinnedFile]) -> Result<(), PrepareError> {
    for file in &entry.files {
        let wanted = ctx.data.wanted_hash(&entry.file(file));
        let found = files.iter().find(|found| found.path == Path::new(&file.path)).map(|found| found.sha256);
        if let (Some(wanted), Some(found)) = (wanted, found)
            && wanted != found
        {
            let path = folder.join(&file.path).display().to_string();
            let (found, wanted) = (format!("SHA-256 {found}"), wanted.to_string());
            return Err(AssetError::WrongHash { id: entry.id.clone(), path, found, wanted }.into());
        }
    }
    Ok(())
}

/// Checks that the model of a run has not changed since the run was planned.
pub fn check(ctx: &Context, spec: &RunSpec) -> Result<(), PrepareError> {
    let Some(source) = source(&spec.generate).diffusion() else { return Ok(()) };
    let found = hashed(&source.model.path, &source.model.name)?;
    let planned = &source.model.files;
    let gone = planned.iter().find(|file| !found.contains(file));
    let Some(changed) = gone.or_else(|| found.iter().find(|file| !planned.contains(file))) else { return Ok(()) };
    let (run, file) = (ctx.run_name(), source.model.path.join(&changed.path));
    Err(PrepareError::OtherModel { run, file: file.display().to_string() })
}

/// The folder of the model `name`, in a data directory or in the cache.
pub fn look_up(ctx: &Context, name: &str) -> Option<PathBuf> {
    for folder in ctx.data.all() {
        for path in [folder.join(name), folder.join("models").join(name)] {
            // A model of which files are missing has not been fetched completely.
            if path.join("model_index.json").is_file() && generator::model_files(&path).is_ok() {
                return Some(real_path(&path));
            }
        }
    }
    None
}

fn hashed(folder: &Path, name: &str) -> Result<Vec<PinnedFile>, PrepareError> {
    let mut files = Vec::new();
    for path in generator::model_files(folder)? {
        let Located { bytes, sha256, .. } = Located::at(&folder.join(&path), name, None)?;
        files.push(PinnedFile { path, bytes, sha256 });
    }
    Ok(files)
}

/// Hash of the names and hashes of the files; the place of the folder does not matter.
fn identity(files: &[PinnedFile]) -> Sha256 {
    let mut bytes = Vec::new();
    for file in files {
        for part in [file.path.to_string_lossy().into_owned(), file.sha256.to_string()] {
            bytes.extend((part.len() as u64).to_le_bytes());
            bytes.extend(part.as_bytes());
        }
    }
    Sha256::of(&bytes)
}
