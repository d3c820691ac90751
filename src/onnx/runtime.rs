//! The loaded library with its environment: which device can be used, and the options of a session there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ort::environment::Environment;
use ort::ep::cuda::ConvAlgorithmSearch;
use ort::logging::LogLevel;
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};

use super::{Chosen, RuntimeError, library, log};
use crate::domain::Device;

/// The library of this process, once it is loaded: ONNX Runtime allows one environment in a process's life.
static LOADED: Mutex<Option<Arc<Runtime>>> = Mutex::new(None);

/// A loaded library with its environment.
#[derive(Debug)]
pub struct Runtime {
    path: PathBuf,
    version: String,
    environment: Environment,
}

impl Runtime {
    /// Loads the library at `path`, or gives the one that is loaded from there already.
    ///
    /// An error if the file is no ONNX Runtime of version 1.22 or later, or if another one is loaded.
    pub fn load(path: &Path) -> Result<Arc<Self>, RuntimeError> {
        let refuse = |problem: String| RuntimeError::Library { problem };
        let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = loaded.as_ref() {
            if runtime.path == path {
                return Ok(Arc::clone(runtime));
            }
            let (there, wanted) = (runtime.path.display(), path.display());
            return Err(refuse(format!("{there} is loaded already, and a process can have one, not also {wanted}")));
        }
        let version = library::version(&path).map_err(refuse)?;
        let environment = environment(&path).map_err(refuse)?;
        let runtime = Arc::new(Self { path, version, environment });
        *loaded = Some(Arc::clone(&runtime));
        Ok(runtime)
    }

    /// Lets the library go at the end of the process: the environment is closed once its last session is gone.
    pub fn release() {
        LOADED.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// What sessions are made in.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The library's version: `1.31.1`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The device that is used for `wanted`: `auto` takes the first GPU that can be used, else the CPU; any other device is
    /// used, or the call is an error.
    pub fn choose(&self, wanted: Device) -> Result<Chosen, RuntimeError> {
        match wanted {
            Device::Cpu => Ok(self.chosen(Device::Cpu, None)),
            Device::Auto => match self.ready(0) {
                Ok(()) => Ok(self.chosen(Device::Cuda(0), None)),
                Err(_) => Ok(self.chosen(Device::Cpu, None)),
            },
            Device::Cuda(index) => match self.ready(index) {
                Ok(()) => Ok(self.chosen(wanted, None)),
                Err(problem) => Err(RuntimeError::Device { device: wanted.to_string(), problem }),
            },
        }
    }

    /// Whether sessions can be made on the GPU `index`, or why not.
    fn ready(&self, index: u32) -> Result<(), String> {
        log::clear();
        self.options(Device::Cuda(index), 1).map(drop).map_err(|error| log::explained(&error.to_string()))
    }

    fn chosen(&self, device: Device, note: Option<String>) -> Chosen {
        let kind = device.kind().to_owned();
        let facts =
            [("runtime", "onnxruntime".to_owned()), ("runtime_version", self.version.clone()), ("device", kind)];
        let facts: BTreeMap<String, String> = facts.map(|(name, value)| (name.to_owned(), value)).into();
        Chosen { device, note, facts }
    }

    /// Options of a session on `device` with all optimisations, `threads` threads within an operator and one operator at a
    /// time. `device` comes from [`Runtime::choose`].
    ///
    /// On CUDA: the provider must register; cuDNN's algorithms are picked by rule, not by stop-watch, so that the same
    /// shapes give the same bits; and nothing is rounded to TF32: the precision asked for is the one used.
    pub fn options(&self, device: Device, threads: usize) -> ort::Result<SessionBuilder> {
        let builder = Session::builder(&self.environment)?
            .with_optimization_level(GraphOptimizationLevel::All)?
            .with_intra_threads(threads)?
            .with_inter_threads(1)?;
        let Device::Cuda(index) = device else { return Ok(builder) };
        let cuda = ort::ep::CUDA::default()
            .with_device_id(index as i32)
            .with_tf32(false)
            .with_conv_algorithm_search(ConvAlgorithmSearch::Heuristic);
        Ok(builder.with_execution_providers([cuda.build().error_on_failure()])?)
    }
}

fn environment(path: &Path) -> Result<Environment, String> {
    let keep = Arc::new(|level: LogLevel, _: &str, _: &str, _: &str, line: &str| {
        if level >= LogLevel::Error {
            log::keep(line);
        }
    });
    let builder = ort::init_from(path).map_err(|error| error.to_string())?;
    let environment = builder.with_name("hardset").with_telemetry(false).with_logger(keep).build();
    let environment = environment.map_err(|error| error.to_string())?;
    environment.set_log_level(LogLevel::Error);
    Ok(environment)
}
