//! External files of a run, a graph with its files of weights: found on this machine, or fetched where the data
//! manifest says how.
//!
//! Holds always: a fetch is announced before it starts, and a hash that is pinned now is shown, because both change
//! what the next run finds.

use std::path::{Path, PathBuf};

use super::PrepareError;
use crate::assets::{self, AssetError, Located};
use crate::config::{OnnxDef, TextDef, WeightsRef, ZeroShotDef, real_path};
use crate::domain::{
    DataEntry, ImageTower, OnnxGraph, OnnxModel, PinnedFile, Sha256, SurrogateModel, SurrogateSpec, TextTower,
    ZeroShotModel,
};
use crate::onnx::{ExternalError, external_files};
use crate::work::Context;

/// A classifier with its files found, or fetched if the manifest has a source, and hashed. `name`: the surrogate.
pub fn find_weights(ctx: &Context, name: &str, def: &OnnxDef) -> Result<OnnxModel, PrepareError> {
    let OnnxDef { weights, preprocess, input, output } = def.clone();
    let (OnnxGraph { weights, data }, licence) = find_graph(ctx, name, &weights)?;
    Ok(OnnxModel { weights, data, preprocess, input, output, licence })
}

/// A zero-shot model with its files found, as [`find_weights`] does; `names`: those of its classes.
pub fn find_zero_shot(
    ctx: &Context,
    name: &str,
    def: &ZeroShotDef,
    names: Vec<String>,
) -> Result<ZeroShotModel, PrepareError> {
    let ZeroShotDef { weights, preprocess, input, output, text, activation, scale, bias } = def.clone();
    let (graph, licence) = find_graph(ctx, name, &weights)?;
    let TextDef { weights, tokenizer, positions, padding, clean, output: text_output, templates, .. } = text;
    let text_graph = weights.map(|weights| find_graph(ctx, name, &weights)).transpose()?.map(|(graph, _)| graph);
    let Located { path, bytes, sha256 } = find_file(ctx, name, &tokenizer)?;
    let wanted = if let WeightsRef::Path { sha256, .. } = tokenizer { sha256 } else { None };
    if let Some(wanted) = wanted.filter(|&wanted| wanted != sha256) {
        return Err(other_hash(name, &path, sha256, wanted));
    }
    let tokenizer = PinnedFile { path: real_path(&path), bytes, sha256 };
    let image = ImageTower { graph, preprocess, input, output };
    let text = TextTower { graph: text_graph, tokenizer, positions, padding, clean, output: text_output };
    Ok(ZeroShotModel { image, text, templates, activation, scale, bias, licence, names })
}

/// A file that a recipe names; the hash in the recipe is not compared yet.
fn find_file(ctx: &Context, name: &str, file: &WeightsRef) -> Result<Located, PrepareError> {
    let found = match file {
        WeightsRef::Path { path, .. } => Located::at(path, name, None),
        WeightsRef::Entry(entry) => find_or_fetch(ctx, entry),
    };
    found.map_err(|source| of_weights(name, source))
}

/// A graph with its files of weights, and the licence in the data manifest.
fn find_graph(ctx: &Context, name: &str, weights: &WeightsRef) -> Result<(OnnxGraph, Option<String>), PrepareError> {
    let Located { path, bytes, sha256 } = find_file(ctx, name, weights)?;
    let names = match (names_in(name, &path), weights) {
        // Whatever the file is: it is not the one that is wanted.
        (Err(_), WeightsRef::Path { sha256: Some(wanted), .. }) if *wanted != sha256 => {
            return Err(other_hash(name, &path, sha256, *wanted));
        }
        (names, _) => names?,
    };
    let path = graph_path(&path, &names);
    let data = pinned_beside(name, &path, &names)?;
    let graph = OnnxGraph { weights: PinnedFile { path, bytes, sha256 }, data };
    match weights {
        WeightsRef::Entry(entry) => return Ok((graph, Some(entry.licence.clone()))),
        WeightsRef::Path { sha256: Some(wanted), .. } => check_hash(name, &graph, *wanted)?,
        WeightsRef::Path { sha256: None, .. } => {}
    }
    Ok((graph, None))
}

/// The file of predictions at `path`, hashed.
pub fn find_predictions(name: &str, path: &Path) -> Result<PinnedFile, PrepareError> {
    let Located { path, bytes, sha256 } = Located::at(path, name, None).map_err(|source| of_weights(name, source))?;
    Ok(PinnedFile { path: real_path(&path), bytes, sha256 })
}

/// An error if a file of the surrogate is not the one that the spec names.
pub fn check_weights(surrogate: &SurrogateSpec) -> Result<(), PrepareError> {
    let name = &surrogate.name;
    if let SurrogateModel::ZeroShot(model) = &surrogate.model {
        let PinnedFile { path, sha256, .. } = &model.text.tokenizer;
        Located::at(path, name, Some(*sha256)).map_err(|source| of_weights(name, source))?;
    }
    if let SurrogateModel::Imported(imported) = &surrogate.model {
        let PinnedFile { path, sha256, .. } = &imported.file;
        Located::at(path, name, Some(*sha256)).map_err(|source| of_weights(name, source))?;
    }
    surrogate.model.graphs().iter().try_for_each(|graph| check_graph(name, graph))
}

fn check_graph(name: &str, graph: &OnnxGraph) -> Result<(), PrepareError> {
    for file in std::iter::once(&graph.weights).chain(&graph.data) {
        // The path of the graph is absolute and stays as it is.
        let path = graph.weights.path.with_file_name(&file.path);
        Located::at(&path, name, Some(file.sha256)).map_err(|source| of_weights(name, source))?;
    }
    // The spec of a run of format 2.0 does not know files of weights.
    let file = names_in(name, &graph.weights.path)?.into_iter().next().filter(|_| graph.data.is_empty());
    match file {
        Some(file) => Err(PrepareError::UnknownData { name: name.to_owned(), file }),
        None => Ok(()),
    }
}

fn of_weights(name: &str, source: AssetError) -> PrepareError {
    PrepareError::Weights { name: name.to_owned(), source: Box::new(source) }
}

/// The files of weights that the graph at `path` names.
fn names_in(name: &str, path: &Path) -> Result<Vec<String>, PrepareError> {
    external_files(path).map_err(|problem: ExternalError| {
        let file = path.display().to_string();
        PrepareError::NotAModel { name: name.to_owned(), file, problem }
    })
}

/// The path under which the graph has its files of weights beside it: `path` itself, because in the hub's cache it is a
/// link, and the target has no neighbours; else its target.
fn graph_path(path: &Path, names: &[String]) -> PathBuf {
    let target = real_path(path);
    let has_all = |graph: &Path| names.iter().all(|name| graph.with_file_name(name).is_file());
    if names.is_empty() || (has_all(&target) && !has_all(path)) {
        return target;
    }
    match (path.parent(), path.file_name()) {
        (Some(folder), Some(file)) => real_path(folder).join(file),
        _ => target,
    }
}

fn pinned_beside(name: &str, graph: &Path, names: &[String]) -> Result<Vec<PinnedFile>, PrepareError> {
    let mut data = Vec::with_capacity(names.len());
    for file in names {
        let path = graph.with_file_name(file);
        if !path.exists() {
            let (graph, missing) = (graph.display().to_string(), path.display().to_string());
            return Err(PrepareError::NoData { name: name.to_owned(), graph, missing });
        }
        let Located { bytes, sha256, .. } =
            Located::at(&path, name, None).map_err(|source| of_weights(name, source))?;
        data.push(PinnedFile { path: PathBuf::from(file), bytes, sha256 });
    }
    Ok(data)
}

/// Compares the hash in the recipe with that of the whole model.
fn check_hash(name: &str, model: &OnnxGraph, wanted: Sha256) -> Result<(), PrepareError> {
    let found = model.sha256();
    if found == wanted {
        return Ok(());
    }
    if wanted == model.weights.sha256 {
        let (graph, count) = (model.weights.path.display().to_string(), model.data.len());
        return Err(PrepareError::HashOfGraph { name: name.to_owned(), graph, count, whole: found });
    }
    Err(other_hash(name, &model.weights.path, found, wanted))
}

fn other_hash(name: &str, path: &Path, found: Sha256, wanted: Sha256) -> PrepareError {
    let (path, found) = (path.display().to_string(), format!("SHA-256 {found}"));
    of_weights(name, AssetError::WrongHash { id: name.to_owned(), path, found, wanted: wanted.to_string() })
}

/// The file of `entry`; fetched, with a note, if it is not on this machine and has a source.
pub fn find_or_fetch(ctx: &Context, entry: &DataEntry) -> Result<Located, AssetError> {
    match ctx.data.locate(entry) {
        Err(AssetError::Missing { .. }) if entry.source.is_some() && ctx.fetches => {
            ctx.progress.note(&format!("fetching {} into {}", entry.id, ctx.data.cache().display()));
            let fetched = assets::fetch(entry, &ctx.data, true)?;
            if fetched.pinned_now {
                ctx.progress.note(&pinned_note(&entry.id, &fetched.located));
            }
            Ok(fetched.located)
        }
        found => found,
    }
}

/// The note about a fetched file whose hash the manifest does not have.
pub fn pinned_note(id: &str, located: &Located) -> String {
    format!("{id} had no hash in data-manifest.toml; pinned now: {}", located.sha256)
}
