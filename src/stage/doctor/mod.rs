//! doctor: what this build and this machine can do, and whether a diffusion model or a surrogate works here.
//!
//! Does not print: `cli` does. Holds always: a missing library or GPU is a result, not an error, because this verb is
//! what people run when something is missing.

mod surrogate;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::domain::{Compared, Device, Precision};
use crate::generator::{self, Benchmark};
use crate::onnx::{self, Runtime, RuntimeError, Survey};
use crate::stage::prepare::{self, LibraryFile, PrepareError, find_library};
use crate::work::Context;

/// A diffusion model or a surrogate: its facts, and the results of its checks.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelReport {
    /// Facts about the model, as (name, value).
    pub facts: Vec<(&'static str, String)>,
    /// What ran the model: engine, its version, device, precision.
    pub ran: BTreeMap<String, String>,
    /// Comparisons with the reference; empty without one.
    pub compared: Vec<Compared>,
    /// The speed on this machine, if it was measured.
    pub benchmark: Option<Benchmark>,
}

/// Describes the diffusion model in `folder`, or the surrogate if it is a TOML file; compares it with `reference` and measures its speed (side in px, steps)
/// if asked to.
pub fn doctor_model(
    ctx: &Context,
    folder: &Path,
    reference: Option<&Path>,
    precision: Precision,
    benchmark: Option<(u32, u32)>,
) -> Result<ModelReport, PrepareError> {
    if folder.extension().is_some_and(|extension| extension == "toml") {
        return surrogate::doctor(ctx, folder, reference, precision);
    }
    let facts = generator::model_facts(folder)?;
    let means = prepare::asked_for(ctx)?;
    let ran = generator::model_engine(&means, precision)?;
    // With the number of threads that the command line asks for.
    ctx.thread_pool()?.install(|| {
        if reference.is_none() && benchmark.is_none() {
            generator::load_model(folder, &means, precision)?;
        }
        let compared = match reference {
            Some(file) => generator::compare_model(folder, file, &means, precision)?,
            None => Vec::new(),
        };
        let benchmark = match benchmark {
            Some(size) => Some(generator::benchmark_model(folder, &means, precision, size)?),
            None => None,
        };
        Ok(ModelReport { facts, ran, compared, benchmark })
    })
}

/// What this build and this machine can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doctor {
    /// Features of this build.
    pub features: Vec<&'static str>,
    /// Threads that commands use.
    pub threads: usize,
    /// Folders that are searched for external files.
    pub data_folders: Vec<PathBuf>,
    /// The ONNX Runtime library, and how it was found.
    pub library: Option<LibraryFile>,
    /// Runtime and device, or why they cannot be used.
    pub runtime: Result<Vec<(String, String)>, String>,
    /// The GPU; `None` with `--device cpu`, and in a build without ONNX Runtime.
    pub gpu: Option<Gpu>,
}

/// What is known about one GPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gpu {
    /// Its index.
    pub index: u32,
    /// Whether the command line names it.
    pub asked: bool,
    /// Driver and libraries.
    pub survey: Survey,
    /// Whether surrogates can run on it, or why not.
    pub mining: Result<(), String>,
    /// Whether diffusion models can run on it, or why not.
    pub generation: Result<(), String>,
}

/// Checks everything that generation and mining need.
pub fn doctor(ctx: &Context) -> Doctor {
    let features = [
        ("onnx", cfg!(feature = "onnx")),
        ("diffusion", cfg!(feature = "diffusion")),
        ("candle", cfg!(feature = "candle")),
        ("cuda", cfg!(feature = "cuda")),
    ];
    let (library, loaded) = match find_library(&ctx.data, ctx.device) {
        Err(error) => (None, Err(error.to_string())),
        Ok(None) => {
            (None, Err("there is no ONNX Runtime; run `hardset fetch onnxruntime`, or set ORT_DYLIB_PATH".to_owned()))
        }
        Ok(Some(found)) => {
            let loaded = Runtime::load(&found.path).map_err(|error| error.to_string());
            (Some(found), loaded)
        }
    };
    let choose = |runtime: &Arc<Runtime>| runtime.choose(ctx.device).map_err(|error| error.to_string());
    let runtime = loaded.as_ref().map_err(String::clone).and_then(choose);
    Doctor {
        features: features.into_iter().filter(|(_, on)| *on).map(|(name, _)| name).collect(),
        threads: ctx.threads,
        data_folders: ctx.data.all().map(PathBuf::from).collect(),
        gpu: gpu(ctx, library.as_ref(), loaded.as_ref().ok()),
        library,
        runtime: runtime.map(|chosen| chosen.facts.into_iter().collect()),
    }
}

fn gpu(ctx: &Context, library: Option<&LibraryFile>, runtime: Option<&Arc<Runtime>>) -> Option<Gpu> {
    let (index, asked) = match ctx.device {
        Device::Cpu => return None,
        Device::Auto => (0, false),
        Device::Cuda(index) => (index, true),
    };
    let survey = onnx::survey(library.map(|found| found.path.as_path()))?;
    let mining = match (survey.problem(index), runtime) {
        (Some(problem), _) => Err(problem),
        (None, Some(runtime)) => match runtime.choose(Device::Cuda(index)) {
            Ok(_) => Ok(()),
            Err(RuntimeError::Device { problem, .. }) => Err(problem),
            Err(error) => Err(error.to_string()),
        },
        (None, None) => Err("ONNX Runtime cannot be used".to_owned()),
    };
    // One engine is enough, and ONNX Runtime needs for diffusion models only what it needs for mining.
    let generation = if generator::candle_problem(index).is_none() { Ok(()) } else { mining.clone() };
    Some(Gpu { index, asked, survey, mining, generation })
}
