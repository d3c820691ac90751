//! Kernels on a CPU for operations that no engine has as one operator: f32 slices in, f32 slices out.
//!
//! Knows neither candle nor ONNX Runtime. Holds always: only the shapes of one image decide where work is cut into
//! tasks, and each task runs on one thread: numbers do not depend on the batch or on the number of threads.

mod elementwise;
mod norm;

pub(super) use elementwise::geglu_row;
#[cfg(feature = "candle")]
pub(super) use elementwise::{activate, geglu, softmax_unscaled};
pub(super) use norm::{Affine, GroupNormShape, normalise_group};
#[cfg(feature = "candle")]
pub(super) use norm::{group_norm, layer_norm};

/// A place in an output that several tasks write to, each its own part.
#[derive(Clone, Copy)]
pub(super) struct Target(pub *mut f32);

// SAFETY: only handed to tasks that write disjoint elements (each says so where it makes its pointer).
unsafe impl Send for Target {}
// SAFETY: as above.
unsafe impl Sync for Target {}

impl Target {
    /// The address of element `at`.
    pub fn at(self, at: usize) -> *mut f32 {
        self.0.wrapping_add(at)
    }
}
