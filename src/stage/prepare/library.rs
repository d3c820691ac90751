//! The ONNX Runtime library of this process, and the device on which models run.
//!
//! The library comes from `ORT_DYLIB_PATH`, a data directory, a Python environment or pip, the first that has it. Does
//! not load models. Holds always: a device that is asked for by name is used or gives an error, because a run on the
//! wrong device takes days.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{PrepareError, weights::find_or_fetch};
use crate::assets::DataFolders;
use crate::config;
use crate::domain::Device;
use crate::onnx::{self, Chosen, Runtime, RuntimeError};
use crate::store::ShardRecord;
use crate::work::Context;

/// Id of the library in the data manifest.
const ID: &str = "onnxruntime";

/// A library that is on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LibraryFile {
    /// The file.
    pub path: PathBuf,
    /// How it was found.
    pub from: &'static str,
}

/// The library for `device`, if this machine has one. For a GPU that is the first with the CUDA provider beside it, if
/// there is such; else the first.
pub fn find_library(data: &DataFolders, device: Device) -> Result<Option<LibraryFile>, PrepareError> {
    if let Some(path) = std::env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()).map(PathBuf::from) {
        if path.is_file() {
            return Ok(Some(LibraryFile { path, from: "ORT_DYLIB_PATH" }));
        }
        return Err(RuntimeError::NoFile { path: path.display().to_string() }.into());
    }
    let entry = config::entry(ID, Path::new("."), "hardset")?;
    let wants_cuda = match device {
        Device::Cpu => false,
        Device::Cuda(_) => true,
        Device::Auto => onnx::driver_is_here(),
    };
    let mut found = here(data, &entry.file, "a data directory");
    // Python starts slowly, so it is asked only if that can change the choice.
    if found.is_empty() || (wants_cuda && !found.iter().any(has_provider)) {
        let python = onnx::libraries_of_python().into_iter();
        found.extend(python.map(|path| LibraryFile { path, from: "a Python environment" }));
    }
    let best = found.iter().position(|found| wants_cuda && has_provider(found)).unwrap_or(0);
    Ok(found.into_iter().nth(best))
}

fn here(data: &DataFolders, name: &str, from: &'static str) -> Vec<LibraryFile> {
    data.files_named(|file| file == name).into_iter().map(|path| LibraryFile { path, from }).collect()
}

fn has_provider(found: &LibraryFile) -> bool {
    onnx::has_provider(&found.path)
}

/// Whether an error means that there is no library, neither on this machine nor to be fetched. A library that exists
/// but cannot be used does not count.
pub fn is_absent(error: &PrepareError) -> bool {
    matches!(error, PrepareError::Runtime(RuntimeError::Absent | RuntimeError::NoFile { .. }) | PrepareError::Asset(_))
}

/// What made predictions, for people: `onnxruntime 1.31.1 on cpu`, `onnxruntime 1.31.1 on cuda (NVIDIA L4)`.
pub fn described(facts: &BTreeMap<String, String>) -> String {
    let fact = |name: &str| facts.get(name).map(String::as_str).unwrap_or_default();
    let runtime = format!("{} {}", fact("runtime"), fact("runtime_version"));
    match (fact("device"), fact("gpu")) {
        ("", _) => runtime.trim().to_owned(),
        (device, "") => format!("{} on {device}", runtime.trim()),
        (device, gpu) => format!("{} on {device} ({gpu})", runtime.trim()),
    }
}

/// Everything that made the predictions of these shards, each once; more than one if a run was continued on another
/// machine.
pub fn all_described(records: &[ShardRecord]) -> String {
    let mut all: Vec<String> = records.iter().map(|record| described(&record.facts)).collect();
    all.sort();
    all.dedup();
    all.join("; ")
}

/// The library of this process and the device that models run on.
pub struct Ready {
    /// The library, loaded.
    pub runtime: Arc<Runtime>,
    /// The device.
    pub chosen: Chosen,
}

/// Finds or fetches the library, loads it unless this process has done so, and tries the device.
pub fn ready(ctx: &Context) -> Result<Ready, PrepareError> {
    let runtime = match Runtime::loaded() {
        Some(runtime) => runtime,
        None => load(ctx)?,
    };
    let chosen = runtime.choose(ctx.device)?;
    Ok(Ready { runtime, chosen })
}

fn load(ctx: &Context) -> Result<Arc<Runtime>, PrepareError> {
    let found = match find_library(&ctx.data, ctx.device)? {
        Some(found) => found,
        None => fetched(ctx)?,
    };
    let runtime = Runtime::load(&found.path)?;
    ctx.progress.note(&format!("ONNX Runtime from {}: {}", found.from, found.path.display()));
    Ok(runtime)
}

/// Fetches the library for the CPU with pip; an error if a GPU is asked for by name, because this library cannot use
/// it.
fn fetched(ctx: &Context) -> Result<LibraryFile, PrepareError> {
    if let (Device::Cuda(index), Some(survey)) = (ctx.device, onnx::survey(None)) {
        let problem = survey.problem(index).unwrap_or_else(|| "there is no ONNX Runtime for CUDA".to_owned());
        return Err(RuntimeError::Device { device: ctx.device.to_string(), problem }.into());
    }
    ctx.progress.note("no ONNX Runtime on this machine (ORT_DYLIB_PATH, data directories, python3)");
    let path = find_or_fetch(ctx, &config::entry(ID, Path::new("."), "hardset")?)?.path;
    Ok(LibraryFile { path, from: "pip" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::DataSource;

    #[test]
    fn the_wheel_for_a_gpu_has_the_version_of_the_library_that_is_fetched() {
        let entry = config::entry(ID, Path::new("."), "test").unwrap();
        assert!(entry.file.ends_with(onnx::PACKAGE_VERSION), "{}", entry.file);
        let Some(DataSource::Pip(pip)) = entry.source else { panic!("{entry:?}") };
        assert_eq!(pip.version, onnx::PACKAGE_VERSION);
    }
}
