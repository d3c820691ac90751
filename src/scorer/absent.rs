//! ONNX classifiers in a build without ONNX Runtime: building one is an error.
//!
//! Has the same interface as `onnx`, because callers must not need conditions on features.

use std::path::Path;
use std::sync::Arc;

use super::contract::{Instances, Scorer};
use super::error::ScorerError;
use super::ports::{Ask, Given, Port};
use crate::domain::{Device, OnnxModel, Outcome, Scores};
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
pub struct Classifiers;

/// Has no value.
pub enum Classifier {}

impl Classifiers {
    /// Never called, because there is no [`Runtime`].
    pub fn new(runtime: Arc<Runtime>, _device: Device, _instances: Instances) -> Self {
        match *runtime {}
    }

    /// Always [`RuntimeError::Absent`].
    pub fn build(&self, _name: &str, _model: &OnnxModel, _batch: usize) -> Result<Classifier, ScorerError> {
        Err(RuntimeError::Absent.into())
    }
}

impl Scorer for Classifier {
    fn score(&mut self, _images: &[&RgbImage]) -> Result<Vec<Outcome<Scores>>, ScorerError> {
        match *self {}
    }

    fn score_fitted(&mut self, _images: &[RgbImage]) -> Result<Vec<Outcome<Scores>>, ScorerError> {
        match *self {}
    }
}
