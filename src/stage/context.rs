//! What every stage is given: where the run is, what it may use, whom to tell.

use std::sync::atomic::{AtomicBool, Ordering};

use super::StageError;
use crate::assets::DataFolders;
use crate::domain::{Device, EngineChoice};
use crate::store::RunDir;
use crate::surrogate::Instances;

/// Told how a stage gets on; `cli` draws it.
pub trait Progress: Send + Sync {
    /// A stage begins, with `total` items before it.
    fn start(&self, stage: &str, total: u64);
    /// So many more items are through.
    fn advance(&self, items: u64);
    /// The stage is over.
    fn finish(&self);
    /// Something that people should know.
    fn note(&self, text: &str);
    /// Something for those who want to know more.
    fn detail(&self, text: &str);
}

/// Where a stage works and with what.
pub struct Context<'a> {
    /// The run.
    pub run: RunDir,
    /// External files.
    pub data: DataFolders,
    /// Where models run.
    pub device: Device,
    /// Images per call of a model that makes them; `None`: what suits the device.
    pub batch: Option<u32>,
    /// What runs the networks of a diffusion model.
    pub engine: EngineChoice,
    /// How models that judge images are called; `None`: what suits the device.
    pub instances: Option<Instances>,
    /// Threads to use, at least 1.
    pub threads: usize,
    /// Whom to tell.
    pub progress: &'a dyn Progress,
    /// Set when the process has been asked to stop.
    pub stop: &'a AtomicBool,
}

impl Context<'_> {
    /// An error once the process has been asked to stop.
    pub fn check_stop(&self) -> Result<(), StageError> {
        match self.stop.load(Ordering::Relaxed) {
            true => Err(StageError::Interrupted),
            false => Ok(()),
        }
    }

    /// A thread pool of `threads`.
    pub fn pool(&self) -> Result<rayon::ThreadPool, StageError> {
        rayon::ThreadPoolBuilder::new()
            .num_threads(self.threads)
            .build()
            .map_err(|e| StageError::Threads(e.to_string()))
    }
}
