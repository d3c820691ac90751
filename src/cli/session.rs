//! What all commands share: options, threads, signals, progress, printing.
//!
//! Does not know the commands. Holds always: a signal asks the work to stop at a safe place, and only a second Ctrl-C
//! ends the process at once, because finished work must not be lost.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGTERM};

use super::args::{Common, Format, PipelineArgs};
use super::error::{Error, SOME_LOST};
use super::output::Output;
use super::progress::TerminalProgress;
use crate::assets::DataFolders;
use crate::config::{ConfigError, Override, Recipe};
use crate::domain::{Device, Devices, EngineChoice};
use crate::store::{Home, Lock, RunDir, StoreError, is_in_bucket};
use crate::table;
use crate::work::Context;

/// One call of the program.
pub struct Session {
    data: DataFolders,
    /// Where local copies of runs in buckets lie.
    copies: PathBuf,
    devices: Devices,
    batch: Option<u32>,
    engine: EngineChoice,
    threads: usize,
    format: Format,
    progress: TerminalProgress,
    stop: Arc<AtomicBool>,
}

impl Session {
    /// Starts the threads and sets the signal handlers: the first signal asks to stop, a second Ctrl-C stops at once.
    pub fn start(common: &Common) -> Result<Self, Error> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = common.threads.map_or(cores, usize::from);
        table::limit_threads(threads);
        if let Some(folder) = common.data_dir.iter().find(|folder| !folder.is_dir()) {
            return Err(Error::DataDir(folder.display().to_string()));
        }
        let stop = Arc::new(AtomicBool::new(false));
        // Engines say TERM several times, and mean one stop: Slurm to a script and to what it has started.
        signal_hook::flag::register_conditional_shutdown(SIGINT, 75, Arc::clone(&stop)).map_err(Error::Signals)?;
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&stop)).map_err(Error::Signals)?;
        }
        let data = DataFolders::from_env(&common.data_dir);
        Ok(Self {
            copies: common.scratch.clone().unwrap_or_else(|| data.cache().join("runs")),
            data,
            devices: common.device.clone(),
            batch: common.batch,
            engine: common.engine,
            threads,
            format: common.format,
            progress: TerminalProgress::new(common.quiet, common.verbose),
            stop,
        })
    }

    /// What is set when this process is asked to stop.
    pub fn stop(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    /// All devices that share generation and mining.
    pub fn devices(&self) -> &[Device] {
        &self.devices.0
    }

    /// The context of a stage that works on the run at `path`, in a folder or in a bucket.
    pub fn context(&self, path: &Path) -> Result<Context<'_>, StoreError> {
        if is_in_bucket(path) {
            return Ok(self.context_of(RunDir::in_bucket(Home::open(path, &self.copies)?)));
        }
        Ok(self.context_of(RunDir::at(path)))
    }

    /// As [`Session::context`], for a command whose `what` must be in a folder.
    pub fn context_in_folder(&self, path: &Path, what: &'static str) -> Result<Context<'_>, StoreError> {
        if is_in_bucket(path) {
            return Err(StoreError::InBucket { path: path.display().to_string(), what });
        }
        Ok(self.context_of(RunDir::at(path)))
    }

    /// The context of what needs no run.
    pub fn context_without_run(&self) -> Context<'_> {
        self.context_of(RunDir::at(Path::new(".")))
    }

    fn context_of(&self, run: RunDir) -> Context<'_> {
        Context {
            run,
            data: self.data.clone(),
            device: self.devices.first(),
            batch: self.batch,
            engine: self.engine,
            instances: None,
            threads: self.threads,
            progress: &self.progress,
            stop: &self.stop,
            fetches: true,
            accept: None,
        }
    }

    /// Locks the run of `ctx`, which must exist, and removes what a killed process left unfinished.
    pub fn for_writing(ctx: &Context) -> Result<Lock, StoreError> {
        let lock = ctx.run.lock()?;
        ctx.run.sweep()?;
        Ok(lock)
    }

    /// The same for a run that may be new.
    pub fn for_making(ctx: &Context) -> Result<Lock, StoreError> {
        let lock = ctx.run.create()?;
        ctx.run.sweep()?;
        Ok(lock)
    }

    /// Reads the pipeline with its overrides.
    pub fn recipe(args: &PipelineArgs) -> Result<Recipe, ConfigError> {
        let mut overrides = args.set.clone();
        overrides.extend(args.seed.map(|seed| Override::new("seed", i64::from(seed))));
        Recipe::load(&args.pipeline, &overrides)
    }

    /// The run directory of a pipeline.
    pub fn run_dir(args: &PipelineArgs, recipe: &Recipe) -> PathBuf {
        args.run_dir.clone().unwrap_or_else(|| Path::new("runs").join(&recipe.name))
    }

    /// Prints a result and returns the exit code.
    pub fn print(&self, output: Output) -> ExitCode {
        if let Err(error) = self.announce(&output) {
            return error.report();
        }
        // Which items were lost, and where their reasons are, is in the text. A closed stderr must not become an error.
        if output.code == SOME_LOST && self.format == Format::Json {
            let _ = writeln!(std::io::stderr(), "{}", output.text);
        }
        ExitCode::from(output.code)
    }

    /// Prints a result before the end of the command; JSON as one line.
    pub fn announce(&self, output: &Output) -> Result<(), Error> {
        let text = match self.format {
            Format::Text => output.text.clone(),
            Format::Json if output.json.is_null() => return Ok(()),
            Format::Json => output.json.to_string(),
        };
        let written = writeln!(std::io::stdout(), "{text}").and_then(|()| std::io::stdout().flush());
        unless_closed(written)
    }
}

/// A reader that has closed its end (`| head`) is not an error.
pub fn unless_closed(written: std::io::Result<()>) -> Result<(), Error> {
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Error::Stdout(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}
