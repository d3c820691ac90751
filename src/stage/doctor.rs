//! doctor: what this build and this machine can do.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::prepare::{self, LibraryFile, PrepareError, find_library};
use crate::domain::{Device, Precision};
use crate::generator::{self, Benchmark, Compared};
use crate::onnx::{self, Runtime, RuntimeError, Survey};
use crate::work::Context;

/// What a diffusion model is, and how it did.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelReport {
    /// Names and values.
    pub facts: Vec<(&'static str, String)>,
    /// What ran it: engine, its version, device, precision.
    pub ran: BTreeMap<String, String>,
    /// Comparisons with the reference, if there is one.
    pub compared: Vec<Compared>,
    /// How fast it is here, if that was asked for.
    pub benchmark: Option<Benchmark>,
}

/// Looks at the diffusion model in `folder`; holds it against `reference` and measures it (side in px, steps) if asked.
pub fn doctor_model(
    ctx: &Context,
    folder: &Path,
    reference: Option<&Path>,
    precision: Precision,
    benchmark: Option<(u32, u32)>,
) -> Result<ModelReport, PrepareError> {
    let facts = generator::model_facts(folder)?;
    let means = prepare::asked_for(ctx)?;
    let ran = generator::model_engine(&means, precision)?;
    // On the threads that were asked for.
    ctx.thread_pool()?.install(|| {
        let compare = |file| generator::compare_model(folder, file, &means, precision);
        let measure = |size| generator::benchmark_model(folder, &means, precision, size);
        if reference.is_none() && benchmark.is_none() {
            generator::load_model(folder, &means, precision)?;
        }
        Ok(ModelReport {
            facts,
            ran,
            compared: reference.map(compare).transpose()?.unwrap_or_default(),
            benchmark: benchmark.map(measure).transpose()?,
        })
    })
}

/// The state of things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doctor {
    /// Features of this build.
    pub features: Vec<&'static str>,
    /// Threads that would be used.
    pub threads: usize,
    /// Where files are looked for.
    pub data_folders: Vec<PathBuf>,
    /// The ONNX Runtime library and how it was found.
    pub library: Option<LibraryFile>,
    /// Runtime and device, or why they cannot be used.
    pub runtime: Result<Vec<(String, String)>, String>,
    /// The GPU; `None` with `--device cpu`, and in a build without ONNX Runtime.
    pub gpu: Option<Gpu>,
}

/// What is known of one GPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gpu {
    /// Its index.
    pub index: u32,
    /// Whether it was asked for by name.
    pub asked: bool,
    /// Driver and libraries.
    pub survey: Survey,
    /// Whether surrogates can run on it, or why not.
    pub mining: Result<(), String>,
    /// Whether diffusion models can, or why not.
    pub generation: Result<(), String>,
}

/// Looks at everything that generation and mining need.
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
    // Either engine will do, and ONNX Runtime needs nothing for diffusion models that mining does not need.
    let generation = if generator::candle_problem(index).is_none() { Ok(()) } else { mining.clone() };
    Some(Gpu { index, asked, survey, mining, generation })
}
