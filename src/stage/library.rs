//! Where the ONNX Runtime library comes from: `ORT_DYLIB_PATH`, a data directory, a Python environment, else pip.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Context, StageError, resolve::find_or_fetch};
use crate::assets::DataFolders;
use crate::config;
use crate::onnx::{Runtime, RuntimeError, library_of_python};
use crate::store::ShardRecord;

/// Id of the library in the data manifest.
const ID: &str = "onnxruntime";

/// A library that is on this machine, and how it was found.
pub fn find_library(data: &DataFolders) -> Result<Option<(PathBuf, &'static str)>, StageError> {
    if let Some(path) = std::env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()).map(PathBuf::from) {
        let problem = || format!("ORT_DYLIB_PATH is {}, which is no file", path.display());
        return match path.is_file() {
            true => Ok(Some((path, "ORT_DYLIB_PATH"))),
            false => Err(RuntimeError::Library { problem: problem() }.into()),
        };
    }
    let entry = config::entry(ID, Path::new("."), "hardset")?;
    match data.locate_unpinned(&entry.file) {
        Some(path) => Ok(Some((path, "a data directory"))),
        None => Ok(library_of_python().map(|path| (path, "a Python environment"))),
    }
}

/// What made predictions, in a few words: `onnxruntime 1.31.1 on cpu`.
pub fn described(facts: &BTreeMap<String, String>) -> String {
    let fact = |name: &str| facts.get(name).map(String::as_str).unwrap_or_default();
    let runtime = format!("{} {}", fact("runtime"), fact("runtime_version"));
    match fact("device") {
        "" => runtime.trim().to_owned(),
        device => format!("{} on {device}", runtime.trim()),
    }
}

/// All that made the predictions of these shards, each once: more than one where a run went on elsewhere.
pub fn all_described(records: &[ShardRecord]) -> String {
    let mut all: Vec<String> = records.iter().map(|record| described(&record.facts)).collect();
    all.sort();
    all.dedup();
    all.join("; ")
}

/// The library of this process: found or fetched, then loaded.
pub fn runtime(ctx: &Context) -> Result<Arc<Runtime>, StageError> {
    Ok(Runtime::load(&library(ctx)?)?)
}

/// A library, fetched by package name with pip where there is none.
fn library(ctx: &Context) -> Result<PathBuf, StageError> {
    match find_library(&ctx.data)? {
        Some((path, from)) => {
            ctx.progress.note(&format!("ONNX Runtime from {from}: {}", path.display()));
            Ok(path)
        }
        None => {
            ctx.progress.note("no ONNX Runtime on this machine (ORT_DYLIB_PATH, data directories, python3)");
            Ok(find_or_fetch(ctx, &config::entry(ID, Path::new("."), "hardset")?)?.path)
        }
    }
}
