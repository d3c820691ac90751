//! A model on the hub: what of it is looked at comes into the cache, under its commit.
//!
//! Holds always: of the weights only the graphs that are looked at are fetched, because a repository has ten of them.

use std::path::{Path, PathBuf};

use super::error::InspectError;
use super::files::pick;
use crate::assets;
use crate::domain::{ModelEntry, ModelFile};
use crate::work::Context;

/// Files beside a graph that are read.
const SMALL: [&str; 7] = [
    "config.json",
    "preprocessor_config.json",
    "open_clip_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "onnx/config.json",
];

/// The folder in the cache that has the model `id`, `owner/name`; `None` if that is no id of the hub.
pub(super) fn fetched(ctx: &Context, id: &str) -> Result<Option<PathBuf>, InspectError> {
    if !is_id(id) {
        return Ok(None);
    }
    ctx.check_stop()?;
    let stem = id.replace('/', "--");
    let listed = assets::list_hub(id, &ctx.data);
    let (commit, names) = match (listed, known(&ctx.data.cache().join("models"), &stem)) {
        (Ok(listed), _) => listed,
        (Err(error), Some(folder)) => {
            ctx.progress.note(&format!("{error}; what is in the cache is used: {}", folder.display()));
            return Ok(Some(folder));
        }
        (Err(error), None) => return Err(error.into()),
    };
    let files = wanted(&names).ok_or_else(|| InspectError::NoGraph { folder: format!("{id} on the hub") })?;
    let file = |path: String| ModelFile { path, bytes: None, sha256: None };
    let entry = ModelEntry {
        id: format!("{stem}@{}", &commit[..commit.len().min(12)]),
        licence: "unknown".to_owned(),
        repo: id.to_owned(),
        revision: commit,
        files: files.into_iter().map(file).collect(),
    };
    let (folder, _) = assets::fetch_model(&entry, &ctx.data, true)?;
    Ok(Some(folder))
}

/// Whether a text can be the id of a model.
fn is_id(text: &str) -> bool {
    let is_part = |part: &str| {
        let starts = part.starts_with(|c: char| c.is_ascii_alphanumeric());
        starts && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) && !part.contains("..")
    };
    text.split_once('/').is_some_and(|(owner, name)| is_part(owner) && is_part(name) && !name.ends_with(".onnx"))
}

/// The folder of an earlier fetch, the last by name.
fn known(models: &Path, stem: &str) -> Option<PathBuf> {
    let entries = std::fs::read_dir(models).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_this = |path: &PathBuf| {
        path.file_name().and_then(|name| name.to_str()?.split_once('@')).is_some_and(|(name, _)| name == stem)
    };
    entries.filter(is_this).max()
}

/// Of a repository's files those to fetch; `None` without a graph to look at.
fn wanted(names: &[String]) -> Option<Vec<String>> {
    let is_graph = |name: &&String| name.ends_with(".onnx") && (!name.contains('/') || name.starts_with("onnx/"));
    let graphs: Vec<PathBuf> = names.iter().filter(is_graph).map(PathBuf::from).collect();
    let (image, text) = pick(&graphs)?;
    let graphs: Vec<String> =
        [Some(image), text].into_iter().flatten().map(|path| path.display().to_string()).collect();
    // Weights of a graph are in model.onnx_data, model.onnx_data_1, model.onnx.data.
    let has = |name: &&String| {
        SMALL.contains(&name.as_str())
            || graphs.iter().any(|graph| {
                *name == graph
                    || name.starts_with(&format!("{graph}_data"))
                    || name.starts_with(&format!("{graph}.data"))
            })
    };
    Some(names.iter().filter(has).cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_an_owner_and_a_name() {
        let ids = ["onnx-community/mobilenet_v2", "a/b", "nobody", "a/b/c", "../b", "./b", "a/..", "a/net.onnx", "/b"];
        assert_eq!(ids.map(is_id), [true, true, false, false, false, false, false, false, false]);
    }

    #[test]
    fn of_a_repository_the_plain_graph_with_its_weights_is_wanted() {
        let names = [
            "README.md",
            "config.json",
            "onnx/model.onnx",
            "onnx/model.onnx_data",
            "onnx/model_fp16.onnx",
            "x/model.onnx",
        ];
        let names = names.map(str::to_owned);
        assert_eq!(wanted(&names).unwrap(), ["config.json", "onnx/model.onnx", "onnx/model.onnx_data"]);
        assert_eq!(wanted(&names[..2]), None);
    }
}
