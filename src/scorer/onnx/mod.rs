//! ONNX models through ONNX Runtime: classifiers, and zero-shot models of two towers.
//!
//! On a CPU, sessions are single-threaded and the caller runs one instance per core, the fastest layout (ADR 0002).
//! Instances share their packed weights.
//!
//! On a GPU, there is one session for each model, with a batch that never changes (ADR 0016), so that every call uses
//! the same algorithms and the graph has no arithmetic on shapes.
//!
//! Holds always: the scores of an image depend neither on the number of threads nor on the images beside it.

mod bound;
mod class_rows;
mod classifier;
mod doctor;
mod graph;
mod neighbours;
mod output;
mod pictures;
mod probe;
mod reference;
mod row_cache;
mod sessions;
mod shape;
mod tensor;
mod text_inputs;
mod text_tower;
mod zero_shot;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::contract::{Instances, Scorer, Stop};
use super::error::ScorerError;
use crate::domain::{Compared, Device, OnnxModel, ZeroShotModel};
use crate::imaging::RgbImage;
use crate::onnx::Runtime;
use crate::text::TextIds;
use class_rows::ClassRows;
use classifier::Classifier;
use doctor::Examined;
use graph::PictureGraph;
use pictures::Pictures;
pub use probe::Probe;
use sessions::Sessions;
use text_tower::TextSide;
use zero_shot::ZeroShot;

/// Makes scorers on one device; holds what their instances share.
pub struct OnnxScorers {
    sessions: Sessions,
    instances: Instances,
    /// The program's cache, for rows of texts.
    cache: PathBuf,
    /// Models by name: whether their scores depend on the pictures beside one, once that is known.
    dependent: Known<bool>,
    /// Zero-shot models by name: the rows of their classes, once they are made.
    rows: Known<Arc<ClassRows>>,
}

/// What is found out once for each model, while its other instances wait.
type Known<T> = Mutex<BTreeMap<String, Arc<Mutex<Option<T>>>>>;

impl OnnxScorers {
    /// Scorers on a device that `runtime` chose.
    pub fn new(runtime: Arc<Runtime>, device: Device, instances: Instances, cache: PathBuf) -> Self {
        let sessions = Sessions::new(runtime, device);
        Self { sessions, instances, cache, dependent: Known::default(), rows: Known::default() }
    }

    /// Loads one instance of a classifier that is called with `batch` pictures, and tries it.
    pub fn classifier(
        &self,
        name: &str,
        model: &OnnxModel,
        batch: usize,
    ) -> Result<impl Scorer + 'static, ScorerError> {
        let pictures = self.pictures(name, &PictureGraph::of_classifier(model), None, batch)?;
        Classifier::new(name, model, pictures)
    }

    /// Loads one instance of a zero-shot model that is called with `batch` pictures, and tries it; the first one makes
    /// the rows of the classes.
    pub fn zero_shot(
        &self,
        name: &str,
        model: &ZeroShotModel,
        batch: usize,
        stop: Stop,
    ) -> Result<impl Scorer + 'static, ScorerError> {
        let text = TextSide::read(name, model)?;
        let pictures = self.pictures(name, &PictureGraph::of_tower(&model.image), Some(&text.encode("")?), batch)?;
        let make = || class_rows::rows(&text, pictures.width(), &self.sessions, (&self.cache, stop)).map(Arc::new);
        let rows = once(&self.rows, name, make)?;
        Ok(ZeroShot::new(model, pictures, rows))
    }

    /// Compares a zero-shot model with the reference file at `reference`; `photo` finds a photograph by name.
    pub fn compare(
        &self,
        name: &str,
        model: &ZeroShotModel,
        reference: &Path,
        photo: &dyn Fn(&str) -> Option<RgbImage>,
    ) -> Result<Vec<Compared>, ScorerError> {
        let text = TextSide::read(name, model)?;
        let batch = self.instances.default_batch() as usize;
        let pictures = self.pictures(name, &PictureGraph::of_tower(&model.image), Some(&text.encode("")?), batch)?;
        text.check_width(&self.sessions, pictures.width())?;
        let tower = text.tower_on_device(&self.sessions)?;
        Examined { text: &text, tower, pictures, photo }.compare(reference)
    }

    /// What turns pictures into rows, tried. One whose rows depend on the pictures beside one is called with one
    /// picture.
    fn pictures(
        &self,
        name: &str,
        graph: &PictureGraph,
        beside: Option<&TextIds>,
        batch: usize,
    ) -> Result<Pictures, ScorerError> {
        let mut pictures = self.instance(name, graph, beside, batch)?;
        pictures.try_out()?;
        let depends = once(&self.dependent, name, || pictures.depend_on_neighbours(self.sessions.device()))?;
        if !depends {
            return Ok(pictures);
        }
        if pictures.take_any() {
            pictures = self.instance(name, graph, beside, 1)?;
            pictures.try_out()?;
        }
        pictures.call_alone();
        Ok(pictures)
    }

    fn instance(
        &self,
        name: &str,
        graph: &PictureGraph,
        beside: Option<&TextIds>,
        batch: usize,
    ) -> Result<Pictures, ScorerError> {
        match self.instances {
            Instances::PerCore => {
                let session = self.sessions.plain(self.sessions.device(), name, &graph.graph)?;
                Pictures::new(name, graph, session, beside, batch)
            }
            Instances::PerModel => {
                let batch = graph.input.batch.map_or(batch, |fixed| fixed as usize);
                let session = self.sessions.on_device(name, &graph.graph, batch)?;
                Pictures::bound(name, graph, session, beside, (batch, self.sessions.device()))
            }
        }
    }
}

/// The value for the model `name`; made by the first caller.
fn once<T: Clone>(
    known: &Known<T>,
    name: &str,
    make: impl FnOnce() -> Result<T, ScorerError>,
) -> Result<T, ScorerError> {
    let place = {
        let mut models = known.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(models.entry(name.to_owned()).or_default())
    };
    let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
    match &*place {
        Some(value) => Ok(value.clone()),
        None => Ok(place.insert(make()?).clone()),
    }
}
