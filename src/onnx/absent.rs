//! [`Runtime`] in a build without ONNX Runtime: every attempt to load one is an error.
//!
//! Has the same interface as `runtime`, because callers must not need conditions on features.

use std::path::Path;
use std::sync::Arc;

use super::{Chosen, RuntimeError};
use crate::domain::Device;

/// A type without values, because no library can be loaded.
#[derive(Debug)]
pub enum Runtime {}

impl Runtime {
    /// Always [`RuntimeError::Absent`].
    pub fn load(_library: &Path) -> Result<Arc<Self>, RuntimeError> {
        Err(RuntimeError::Absent)
    }

    /// Always `None`.
    pub fn loaded() -> Option<Arc<Self>> {
        None
    }

    /// Never called.
    pub fn choose(&self, _wanted: Device) -> Result<Chosen, RuntimeError> {
        match *self {}
    }

    /// Does nothing.
    pub fn release() {}
}
