//! ONNX models in a build without ONNX Runtime: building one is an error.
//!
//! Has the same interface as `onnx`, because callers must not need conditions on features.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::contract::{Instances, Scorer, Stop};
use super::error::ScorerError;
use super::ports::{Ask, Given, Port};
use crate::domain::{Compared, Device, OnnxModel, Outcome, Scores, ZeroShotModel};
use crate::imaging::RgbImage;
use crate::onnx::{Runtime, RuntimeError};

/// Has no value.
pub enum Probe {}

impl Probe {
    /// Never called, because there is no [`Runtime`].
    pub fn open(runtime: &Runtime, _file: &Path, _threads: usize) -> Result<Self, ScorerError> {
        match *runtime {}
    }

    /// Never called.
    pub fn inputs(&self) -> &[Port] {
        match *self {}
    }

    /// Never called.
    pub fn outputs(&self) -> &[Port] {
        match *self {}
    }

    /// Never called.
    pub fn all(&mut self, _ask: Ask<'_>, _pictures: &[RgbImage]) -> Result<Given, ScorerError> {
        match *self {}
    }

    /// Never called.
    pub fn rows(
        &mut self,
        _ask: Ask<'_>,
        _output: usize,
        _width: usize,
        _pictures: &[RgbImage],
    ) -> Result<Vec<Vec<f32>>, ScorerError> {
        match *self {}
    }
}

/// Builds nothing.
pub struct OnnxScorers;

/// Has no value.
pub enum NoScorer {}

impl OnnxScorers {
    /// Never called, because there is no [`Runtime`].
    pub fn new(runtime: Arc<Runtime>, _device: Device, _instances: Instances, _cache: PathBuf) -> Self {
        match *runtime {}
    }

    /// Always [`RuntimeError::Absent`].
    pub fn classifier(&self, _name: &str, _model: &OnnxModel, _batch: usize) -> Result<NoScorer, ScorerError> {
        Err(RuntimeError::Absent.into())
    }

    /// Always [`RuntimeError::Absent`].
    pub fn zero_shot(
        &self,
        _name: &str,
        _model: &ZeroShotModel,
        _batch: usize,
        _stop: Stop,
    ) -> Result<NoScorer, ScorerError> {
        Err(RuntimeError::Absent.into())
    }

    /// Always [`RuntimeError::Absent`].
    pub fn compare(
        &self,
        _name: &str,
        _model: &ZeroShotModel,
        _reference: &Path,
        _photo: &dyn Fn(&str) -> Option<RgbImage>,
    ) -> Result<Vec<Compared>, ScorerError> {
        Err(RuntimeError::Absent.into())
    }
}

impl Scorer for NoScorer {
    fn score(&mut self, _images: &[&RgbImage]) -> Result<Vec<Outcome<Scores>>, ScorerError> {
        match *self {}
    }

    fn score_fitted(&mut self, _images: &[RgbImage]) -> Result<Vec<Outcome<Scores>>, ScorerError> {
        match *self {}
    }
}
