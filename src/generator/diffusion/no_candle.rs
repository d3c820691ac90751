//! A build without candle: the engine cannot be loaded.

use super::engine::{Array, Engine, EngineError, NetworkError, Work};
use super::model::ModelConfig;
use crate::domain::Device;

const PROBLEM: &str = "this hardset was built without candle";

/// Has no value.
pub(super) enum Networks {}

impl Networks {
    pub fn load(_config: &ModelConfig, work: &Work) -> Result<Self, NetworkError> {
        Err(NetworkError::Device { device: work.device.to_string(), problem: PROBLEM.to_owned() })
    }
}

impl Engine for Networks {
    fn encode(&self, _: &[Vec<u32>]) -> Result<Array, EngineError> {
        match *self {}
    }

    fn denoise(&self, _: &Array, _: f32, _: &Array) -> Result<Array, EngineError> {
        match *self {}
    }

    fn decode(&self, _: &Array) -> Result<Array, EngineError> {
        match *self {}
    }
}

pub(super) fn check(_device: Device) -> Result<(), String> {
    Err(PROBLEM.to_owned())
}
