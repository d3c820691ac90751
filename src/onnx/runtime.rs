//! The loaded library with its environment: which device can be used, and the options of a session there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ort::environment::Environment;
use ort::ep::cuda::ConvAlgorithmSearch;
use ort::logging::LogLevel;
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};

use super::{Chosen, RuntimeError, cuda, library, log};
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

    /// The device that is used for `wanted`: `auto` takes the first GPU if it can be used, else the CPU; any other device is
    /// used, or the call is an error that names what is missing.
    pub fn choose(&self, wanted: Device) -> Result<Chosen, RuntimeError> {
        match wanted {
            Device::Cpu => Ok(self.chosen(Device::Cpu, None)),
            // Without a driver there is no GPU to speak of.
            Device::Auto if !cuda::driver_is_here() => Ok(self.chosen(Device::Cpu, None)),
            Device::Auto => match self.ready(0) {
                Ok(facts) => Ok(self.chosen_gpu(0, facts)),
                Err(problem) => Ok(self.chosen(Device::Cpu, Some(format!("the GPU is not used: {problem}")))),
            },
            Device::Cuda(index) => match self.ready(index) {
                Ok(facts) => Ok(self.chosen_gpu(index, facts)),
                Err(problem) => Err(RuntimeError::Device { device: wanted.to_string(), problem }),
            },
        }
    }

    /// Readies the GPU `index`; what records say of it, or why no session can be made there.
    fn ready(&self, index: u32) -> Result<BTreeMap<String, String>, String> {
        let survey = cuda::survey(Some(&self.path));
        // The names of libraries are Linux's; elsewhere ONNX Runtime says what it can.
        if let Some(problem) =
            survey.as_ref().filter(|_| cfg!(target_os = "linux")).and_then(|found| found.problem(index))
        {
            return Err(problem);
        }
        log::clear();
        let options = self.options(Device::Cuda(index), 1);
        options.map_err(|error| log::explained(&error.to_string()))?;
        Ok(survey.map(|survey| survey.facts(index)).unwrap_or_default())
    }

    fn chosen_gpu(&self, index: u32, facts: BTreeMap<String, String>) -> Chosen {
        let mut chosen = self.chosen(Device::Cuda(index), None);
        chosen.facts.extend(facts);
        chosen
    }

    fn chosen(&self, device: Device, note: Option<String>) -> Chosen {
        let facts = [("runtime", "onnxruntime"), ("runtime_version", self.version()), ("device", device.kind())];
        let facts = facts.map(|fact| (fact.0.to_owned(), fact.1.to_owned())).into();
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
