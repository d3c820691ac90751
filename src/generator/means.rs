//! Where and how a generator works.

use std::sync::Arc;

use crate::domain::{Device, EngineChoice};
use crate::onnx::Runtime;

/// Where and how a generator works. Its images do not depend on any of this.
#[derive(Debug, Clone)]
pub struct Means {
    /// Where models run.
    pub device: Device,
    /// Images per call of a model; `None`: what suits the device.
    pub batch: Option<u32>,
    /// Who runs the networks of a diffusion model.
    pub engine: EngineChoice,
    /// ONNX Runtime, where it is wanted and available.
    pub runtime: Option<Arc<Runtime>>,
}
