//! The loaded library with its environment: which devices can be used, and the options of sessions on them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ort::AsPointer;
use ort::environment::Environment;
use ort::ep::cuda::ConvAlgorithmSearch;
use ort::logging::LogLevel;
use ort::session::Session;
use ort::session::builder::{AutoDevicePolicy, GraphOptimizationLevel, SessionBuilder};

use super::{Chosen, RuntimeError, cuda, library, log, placement, trial};
use crate::domain::Device;

/// The library of this process, once it is loaded: ONNX Runtime allows one environment in a process's life.
static LOADED: Mutex<Option<Arc<Runtime>>> = Mutex::new(None);

/// Options of a session on a GPU beyond the rules of [`Runtime::options`]; without effect on a CPU.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OnGpu {
    /// The model computes in 16-bit floats. TF32 is then allowed: it does not round anything, because no product is in
    /// f32, and without it ONNX Runtime does not use tensor cores for 16-bit convolutions either (conv.cc:
    /// `deselect_numeric_notes`, for every type).
    pub halves: bool,
    /// The runs of the session are recorded as a CUDA graph and replayed.
    pub recorded: bool,
}

/// A loaded library with its environment.
#[derive(Debug)]
pub struct Runtime {
    path: PathBuf,
    version: String,
    environment: Environment,
    append_cpu: Option<library::AppendCpu>,
    /// Devices that passed the trial.
    tried: Mutex<Vec<Device>>,
    /// `None` if the library is older than 1.24, which does not report the places of operators.
    placement: Option<placement::Table>,
}

impl Runtime {
    /// Loads the library at `path`, or returns it if it is already loaded.
    ///
    /// An error if the file is not ONNX Runtime of version 1.22 or later, or if another library is loaded.
    pub fn load(path: &Path) -> Result<Arc<Self>, RuntimeError> {
        let refuse = |problem: String| RuntimeError::Library { problem };
        let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = loaded.as_ref() {
            if runtime.path == path {
                return Ok(Arc::clone(runtime));
            }
            let (there, wanted) = (runtime.path.display(), path.display());
            return Err(refuse(format!("{there} is already loaded, and a process cannot also load {wanted}")));
        }
        let version = library::version(&path).map_err(refuse)?;
        let environment = environment(&path).map_err(refuse)?;
        // ONNX Runtime logs an error for an API version that it does not know, so older libraries are not asked.
        let reports_places = minor(&version) >= placement::API_VERSION;
        let table = if reports_places { library::api_table(&path, placement::API_VERSION) } else { std::ptr::null() };
        let placement = placement::Table::new(table);
        let append_cpu = library::append_cpu(&path);
        let runtime = Arc::new(Self { path, version, environment, append_cpu, tried: Mutex::default(), placement });
        *loaded = Some(Arc::clone(&runtime));
        Ok(runtime)
    }

    /// The library of this process, if one is loaded.
    pub fn loaded() -> Option<Arc<Self>> {
        LOADED.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Releases the library at the end of the process; its environment is closed after its last session.
    pub fn release() {
        LOADED.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// The environment of all sessions.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The library's version: `1.31.1`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The device that is used for `wanted`: for `auto` the first GPU if it can be used, else the CPU; any other device
    /// itself, or an error that names what is missing.
    pub fn choose(&self, wanted: Device) -> Result<Chosen, RuntimeError> {
        match wanted {
            Device::Cpu => Ok(self.chosen(Device::Cpu, None)),
            // Without a driver there is no GPU, and nothing to report.
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

    /// Prepares the GPU `index`; returns its facts for records, or why sessions cannot be made on it.
    fn ready(&self, index: u32) -> Result<BTreeMap<String, String>, String> {
        let survey = cuda::survey(Some(&self.path));
        // The names of libraries are those of Linux. On other systems ONNX Runtime itself reports what is missing.
        let known = survey.as_ref().filter(|_| cfg!(target_os = "linux"));
        if let Some(problem) = known.and_then(|survey| survey.problem(index)) {
            return Err(problem);
        }
        self.tried(Device::Cuda(index))?;
        Ok(survey.map(|survey| survey.facts(index)).unwrap_or_default())
    }

    /// Tries a device on a sum whose result is known, once in a process.
    fn tried(&self, device: Device) -> Result<(), String> {
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        if tried.contains(&device) {
            return Ok(());
        }
        let mut session = self.explain(|| trial::session(&self.options(device, 1)?))?;
        let misplaced = if device == Device::Cpu { None } else { self.misplaced(&session) };
        if let Some(problem) = misplaced {
            return Err(problem);
        }
        if let Some(problem) = self.explain(|| trial::run(&mut session))? {
            return Err(problem);
        }
        tried.push(device);
        Ok(())
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

    /// Options of a session on `device` with all optimisations that are right, `threads` threads within an operator and
    /// one operator at a time. `device` comes from [`Runtime::choose`].
    ///
    /// Without Pad_Fusion: it takes a border of zeros for one that a MaxPool leaves out, which gives other numbers
    /// where all others are below zero (onnxruntime issue 24737; in 1.31.1, no more in 1.32.0).
    ///
    /// On CUDA, the provider must register. cuDNN's algorithms are chosen by rule, not by timing, so that the same
    /// shapes give the same bits. Nothing is rounded to TF32, so that the requested precision is used.
    /// SkipLayerNormalization, which ONNX Runtime makes of sums before normalisations, sums in f32, because its 16-bit
    /// kernel would sum in 16 bits (skip_layer_norm_impl.cu).
    pub fn options(&self, device: Device, threads: usize) -> ort::Result<SessionBuilder> {
        self.options_with(device, threads, OnGpu::default())
    }

    /// The same, with further options for a GPU.
    pub fn options_with(&self, device: Device, threads: usize, wanted: OnGpu) -> ort::Result<SessionBuilder> {
        let builder = Session::builder(&self.environment)?
            .with_optimization_level(GraphOptimizationLevel::All)?
            .with_config_entry("optimization.disable_specified_optimizers", "Pad_Fusion")?
            .with_intra_threads(threads)?
            .with_inter_threads(1)?;
        let Device::Cuda(index) = device else { return self.on_cpu(builder) };
        let cuda = ort::ep::CUDA::default()
            .with_device_id(index as i32)
            .with_tf32(wanted.halves)
            .with_skip_layer_norm_strict_mode(true)
            .with_cuda_graph(wanted.recorded)
            .with_conv_algorithm_search(ConvAlgorithmSearch::Heuristic);
        let builder = builder.with_execution_providers([cuda.build().error_on_failure()])?;
        match self.placement {
            Some(_) => placement::Table::remember(builder),
            // Without places of operators, every operator on the CPU is an error.
            None => Ok(builder.with_disable_cpu_fallback()?),
        }
    }

    /// Adds the CPU's provider. Without an explicit provider, `ort` lets ONNX Runtime choose the most economical one: a
    /// session for the CPU could run elsewhere, and version 1.22, which does not know the devices of Linux, aborts.
    fn on_cpu(&self, mut builder: SessionBuilder) -> ort::Result<SessionBuilder> {
        match self.append_cpu {
            Some(append) => {
                // SAFETY: the options are alive, and the function is the library's own; 1: with an arena, as by
                // default.
                unsafe { ort::Error::result_from_status(append(builder.ptr_mut(), 1)) }?;
                Ok(builder)
            }
            None => Ok(builder.with_auto_device(AutoDevicePolicy::PreferCPU)?),
        }
    }

    /// Why a session with options for a GPU must not be used: some of its heavy operators are on the CPU.
    pub fn misplaced(&self, session: &Session) -> Option<String> {
        match self.placement?.placed(session) {
            Ok(placed) => placement::problem(&placed),
            Err(error) => Some(format!("ONNX Runtime does not say where its operators run: {error}")),
        }
    }

    /// Runs `work`, which makes or runs sessions; an error includes the lines of the library's log.
    pub fn explain<T>(&self, work: impl FnOnce() -> ort::Result<T>) -> Result<T, String> {
        log::clear();
        work().map_err(|error| log::explained(&error.to_string()))
    }
}

/// `1.31.1` -> 31; versions from 2 on count as newer than all others.
fn minor(version: &str) -> u32 {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    match (parts.next(), parts.next()) {
        (Some(1), Some(minor)) => minor,
        _ => u32::MAX,
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

#[cfg(test)]
impl Runtime {
    /// The library of this machine, for unit tests. Without one, prints a notice and returns `None`, or fails if
    /// HARDSET_TEST_ALL is set.
    pub fn of_this_machine() -> Option<Arc<Self>> {
        let given = std::env::var_os("ORT_DYLIB_PATH").map(PathBuf::from).filter(|path| path.is_file());
        let library = given.or_else(|| super::libraries_of_python().into_iter().next());
        let library = crate::needs::needs("ONNX Runtime; set ORT_DYLIB_PATH", library)?;
        Some(Self::load(&library).unwrap())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_second_number() {
        assert_eq!(["1.31.1", "1.22.0", "2.0.0"].map(minor), [31, 22, u32::MAX]);
    }

    /// The operators of a model of the quick start with their places, on the CPU, with and without a fixed batch.
    fn operators(runtime: &Runtime, model: &str, batch: Option<i64>) -> Vec<placement::PlacedOperator> {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/quickstart/surrogates").join(model);
        let mut options = placement::Table::remember(runtime.options(Device::Cpu, 1).unwrap()).unwrap();
        if let Some(batch) = batch {
            options = options.with_dimension_override("n", batch).unwrap();
        }
        let session = options.commit_from_file(&file).unwrap();
        runtime.placement.unwrap().placed(&session).unwrap()
    }

    #[test]
    fn the_cpu_passes_the_trial_that_a_gpu_has_to_pass() {
        let Some(runtime) = Runtime::of_this_machine() else { return };
        assert_eq!(runtime.tried(Device::Cpu), Ok(()));
        let mut session = trial::session(&runtime.options(Device::Cpu, 1).unwrap()).unwrap();
        assert_eq!(trial::run(&mut session).unwrap(), None);
        // A session for the CPU must be refused as a session for a GPU.
        let options = placement::Table::remember(runtime.options(Device::Cpu, 1).unwrap()).unwrap();
        let session = trial::session(&options).unwrap();
        let problem = runtime.misplaced(&session);
        assert!(runtime.placement.is_none() || problem.is_some_and(|text| text.contains("1 Conv, 1 MatMul")));
    }

    #[test]
    fn a_fixed_batch_needs_no_arithmetic_on_shapes_and_the_places_of_operators_are_reported() {
        let Some(runtime) = Runtime::of_this_machine() else { return };
        let what = format!("an ONNX Runtime that says where operators are (1.24; this is {})", runtime.version());
        let Some(_) = crate::needs::needs(&what, runtime.placement.as_ref()) else { return };
        let shapes = |placed: &&placement::PlacedOperator| placed.operator == "Shape";
        for model in ["quick-attention.onnx", "quick-mixer.onnx"] {
            let open = operators(&runtime, model, None);
            let fixed = operators(&runtime, model, Some(32));
            assert!(open.iter().any(|placed| shapes(&placed)), "{model}: {} operators", open.len());
            assert_eq!(fixed.iter().find(shapes), None, "{model}");
            assert!(fixed.len() > 10 && fixed.iter().all(|placed| placed.provider == "CPUExecutionProvider"));
            // For a GPU, such a session would be refused.
            assert!(placement::problem(&fixed).is_some(), "{model}: {} operators", fixed.len());
        }
    }
}
