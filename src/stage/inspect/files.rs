//! The files of a model: a graph by itself, a folder as on the hub, two towers.
//!
//! Source of the names: transformers.js (`onnx/model.onnx`, `onnx/text_model.onnx`, `onnx/vision_model.onnx`, and
//! endings such as `_fp16` for other precisions).

use std::path::{Path, PathBuf};

use super::error::InspectError;

/// Endings of names, the ones to prefer first.
const ENDINGS: [&str; 9] = ["", "_fp16", "_quantized", "_int8", "_uint8", "_q4", "_q4f16", "_bnb4", "_merged"];

/// A model's graphs, and the folders in which files beside it may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ModelFiles {
    /// The graph that takes pictures.
    pub image: PathBuf,
    /// The graph that takes texts, if it is another one.
    pub text: Option<PathBuf>,
    /// Nearest first.
    pub folders: Vec<PathBuf>,
    /// Names of other graphs beside it.
    pub others: Vec<String>,
}

/// The files of the model at `path`.
pub(super) fn find(path: &Path) -> Result<ModelFiles, InspectError> {
    if path.is_dir() {
        return in_folder(path);
    }
    if !path.is_file() {
        return Err(InspectError::NoSuch { model: path.display().to_string() });
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    let mut folders = vec![folder.clone()];
    if folder.file_name().is_some_and(|name| name == "onnx") {
        let outer = folder.parent().filter(|outer| !outer.as_os_str().is_empty());
        folders.push(outer.unwrap_or(Path::new(".")).to_owned());
    }
    let tower = |kind: &str, other: &str| {
        let name = path.file_name()?.to_str()?;
        let ending = name.strip_prefix(kind)?;
        [ending, ".onnx"].map(|ending| folder.join(format!("{other}{ending}"))).into_iter().find(|path| path.is_file())
    };
    let (image, text) = match (tower("vision_model", "text_model"), tower("text_model", "vision_model")) {
        (Some(text), _) => (path.to_owned(), Some(text)),
        (None, Some(image)) => (image, Some(path.to_owned())),
        (None, None) => (path.to_owned(), None),
    };
    Ok(ModelFiles { image, text, folders, others: Vec::new() })
}

fn in_folder(folder: &Path) -> Result<ModelFiles, InspectError> {
    let inner = folder.join("onnx");
    let all: Vec<PathBuf> = [inner.as_path(), folder].into_iter().flat_map(graphs_in).collect();
    let Some((image, text)) = pick(&all) else {
        let folder = folder.display().to_string();
        if all.is_empty() {
            return Err(InspectError::NoGraph { folder });
        }
        return Err(InspectError::Several {
            folder,
            files: all.iter().map(|path| name_of(path)).collect::<Vec<_>>().join(", "),
        });
    };
    let chosen = [Some(&image), text.as_ref()];
    let others = all.iter().filter(|path| !chosen.contains(&Some(path))).map(|path| name_of(path)).collect();
    let mut folders = vec![folder.to_owned()];
    if inner.is_dir() {
        folders.push(inner);
    }
    Ok(ModelFiles { image, text, folders, others })
}

/// Of graphs those to look at: two towers, else the whole model, else the only one.
pub(super) fn pick(all: &[PathBuf]) -> Option<(PathBuf, Option<PathBuf>)> {
    let named = |stem: &str| {
        let ending = |ending: &&str| all.iter().find(|path| path.ends_with(format!("{stem}{ending}.onnx")));
        ENDINGS.iter().find_map(ending).cloned()
    };
    let only = || if let [only] = all { Some(only.clone()) } else { None };
    match (named("vision_model"), named("text_model"), named("model").or_else(only)) {
        (Some(image), Some(text), _) => Some((image, Some(text))),
        (_, _, model) => model.map(|model| (model, None)),
    }
}

fn graphs_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_graph = |path: &PathBuf| path.is_file() && path.extension().is_some_and(|ending| ending == "onnx");
    let mut found: Vec<PathBuf> = entries.filter(is_graph).collect();
    found.sort();
    found
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The graphs that are chosen among files of these names, or a part of the error.
    #[track_caller]
    fn check(files: &[&str], ask: &str, expected: Result<(&str, Option<&str>), &str>) {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, b"graph").unwrap();
        }
        match (find(&dir.path().join(ask)), expected) {
            (Ok(found), Ok((image, text))) => {
                assert_eq!((found.image, found.text), (dir.path().join(image), text.map(|text| dir.path().join(text))));
            }
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (found, expected) => panic!("{found:?}, not {expected:?}"),
        }
    }

    #[test]
    fn the_plain_graph_is_taken_and_towers_go_in_pairs() {
        let both = ["onnx/text_model.onnx", "onnx/vision_model.onnx", "onnx/vision_model_fp16.onnx", "onnx/model.onnx"];
        let towers = ("onnx/vision_model.onnx", Some("onnx/text_model.onnx"));
        check(&both, "", Ok(towers));
        check(&both, "onnx/text_model.onnx", Ok(towers));
        check(&both, "onnx/vision_model_fp16.onnx", Ok(("onnx/vision_model_fp16.onnx", Some("onnx/text_model.onnx"))));
        check(&["onnx/model_int8.onnx", "onnx/model_fp16.onnx"], "", Ok(("onnx/model_fp16.onnx", None)));
        check(&["net.onnx", "readme.md"], "", Ok(("net.onnx", None)));
        check(&["a.onnx", "b.onnx"], "", Err("several ONNX files (a.onnx, b.onnx)"));
        check(&["readme.md"], "", Err("no ONNX file"));
        check(&[], "missing.onnx", Err("there is no"));
    }
}
