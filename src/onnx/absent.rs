//! A build without ONNX Runtime: there is no [`Runtime`], and whoever asks for one is told so.

use std::path::Path;
use std::sync::Arc;

use super::{Chosen, RuntimeError};
use crate::domain::Device;

/// Has no value.
#[derive(Debug)]
pub enum Runtime {}

impl Runtime {
    /// Always [`RuntimeError::Absent`].
    pub fn load(_library: &Path) -> Result<Arc<Self>, RuntimeError> {
        Err(RuntimeError::Absent)
    }

    /// There is none.
    pub fn loaded() -> Option<Arc<Self>> {
        None
    }

    /// Never called.
    pub fn choose(&self, _wanted: Device) -> Result<Chosen, RuntimeError> {
        match *self {}
    }

    /// There is nothing to let go.
    pub fn release() {}
}
