//! doctor: what this build and this machine can do.

use std::path::PathBuf;

use super::Context;
use super::library::find_library;
use crate::surrogate::Host;

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
    let (library, runtime) = match find_library(&ctx.data) {
        Err(error) => (None, Err(error.to_string())),
        Ok(None) => {
            (None, Err("there is no ONNX Runtime; run `hardset fetch onnxruntime`, or set ORT_DYLIB_PATH".to_owned()))
        }
        Ok(Some((path, from))) => {
            let host = Host::with_onnx_runtime(&path, ctx.device);
            let facts = host.map(|host| host.facts().clone().into_iter().collect());
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
