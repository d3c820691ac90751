//! doctor: what this build and this machine can do.

use std::path::{Path, PathBuf};

use super::library::{Found, find_library};
use super::{Context, StageError};
use crate::domain::Precision;
use crate::generator::{self, Benchmark, Compared};
use crate::onnx::Runtime;

/// What a diffusion model is, and how it did.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelReport {
    /// Names and values.
    pub facts: Vec<(&'static str, String)>,
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
) -> Result<ModelReport, StageError> {
    let facts = generator::model_facts(folder)?;
    // On the threads that were asked for.
    ctx.pool()?.install(|| {
        let compare = |file| generator::compare_model(folder, file, ctx.device, precision);
        let measure = |size| generator::benchmark_model(folder, ctx.device, size);
        if reference.is_none() && benchmark.is_none() {
            generator::load_model(folder, ctx.device, precision)?;
        }
        Ok(ModelReport {
            facts,
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
    pub library: Option<(PathBuf, &'static str)>,
    /// Runtime and device, or why they cannot be used.
    pub runtime: Result<Vec<(String, String)>, String>,
}

/// Looks at everything that mining needs.
pub fn doctor(ctx: &Context) -> Doctor {
    let features =
        [("onnx", cfg!(feature = "onnx")), ("candle", cfg!(feature = "candle")), ("cuda", cfg!(feature = "cuda"))];
    let (library, runtime) = match find_library(&ctx.data, ctx.device) {
        Err(error) => (None, Err(error.to_string())),
        Ok(None) => {
            (None, Err("there is no ONNX Runtime; run `hardset fetch onnxruntime`, or set ORT_DYLIB_PATH".to_owned()))
        }
        Ok(Some(Found { path, from })) => {
            let chosen = Runtime::load(&path).and_then(|runtime| runtime.choose(ctx.device));
            let facts = chosen.map(|chosen| chosen.facts.into_iter().collect());
            (Some((path, from)), facts.map_err(|error| error.to_string()))
        }
    };
    Doctor {
        features: features.into_iter().filter(|(_, on)| *on).map(|(name, _)| name).collect(),
        threads: ctx.threads,
        data_folders: ctx.data.all().map(PathBuf::from).collect(),
        library,
        runtime,
    }
}
