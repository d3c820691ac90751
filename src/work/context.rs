//! What every verb is given: the run, what it may use, where it reports.
//!
//! Does not read or write files. Holds always: a verb that checks [`Context::check_stop`] between two pieces of work
//! loses nothing when it is stopped, because finished pieces are committed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use super::WorkError;
use crate::assets::DataFolders;
use crate::domain::{Device, EngineChoice};
use crate::scorer::Instances;
use crate::store::{RunDir, Unit};

/// Receives the progress of the work; `cli` draws it.
pub trait Progress: Send + Sync {
    /// A stage begins; it has `total` items to work on.
    fn start(&self, stage: &str, total: u64);
    /// This many more items are done.
    fn advance(&self, items: u64);
    /// The stage is done.
    fn finish(&self);
    /// A note for everybody.
    fn note(&self, text: &str);
    /// A detail, for people who ask for them.
    fn detail(&self, text: &str);
}

/// The run that a verb works on, and what it may use.
pub struct Context<'a> {
    /// The run.
    pub run: RunDir,
    /// External files.
    pub data: DataFolders,
    /// Where models run.
    pub device: Device,
    /// Images per call of a model that makes them; `None`: the default of the device.
    pub batch: Option<u32>,
    /// What runs the networks of a diffusion model.
    pub engine: EngineChoice,
    /// How models that judge images are called; `None`: the default of the device.
    pub instances: Option<Instances>,
    /// Threads to use, at least 1.
    pub threads: usize,
    /// Where progress is reported.
    pub progress: &'a dyn Progress,
    /// Set when the process is asked to stop.
    pub stop: &'a AtomicBool,
    /// Whether files that are missing may be fetched.
    pub fetches: bool,
    /// Asked before a shard's result is committed; `None`: every result is.
    pub accept: Option<Accept<'a>>,
}

/// Looks at the facts of a unit that was made; an error keeps it out of the run.
pub type Accept<'a> = &'a (dyn Fn(&Unit, &BTreeMap<String, String>) -> Result<(), WorkError> + Sync);

impl<'a> Context<'a> {
    /// An error once the process has been asked to stop.
    pub fn check_stop(&self) -> Result<(), WorkError> {
        if self.stop.load(Ordering::Relaxed) { Err(WorkError::Interrupted) } else { Ok(()) }
    }

    /// A thread pool of `threads`.
    pub fn thread_pool(&self) -> Result<rayon::ThreadPool, WorkError> {
        rayon::ThreadPoolBuilder::new().num_threads(self.threads).build().map_err(|e| WorkError::Threads(e.to_string()))
    }

    /// A copy, to be changed.
    pub fn again(&self) -> Self {
        Self { run: self.run.clone(), data: self.data.clone(), ..*self }
    }

    /// The run directory, as messages name it.
    pub fn run_name(&self) -> String {
        self.run.place().display().to_string()
    }
}
