//! The kernels of the networks on a CPU: f32 slices in, f32 slices out, the `gemm` crate for products.
//!
//! Knows no tensor library; `ops` wraps these for candle, whose own ones took twice the time (`docs/performance.md`).
//! Holds always: an image's numbers do not depend on what else is in the batch, nor on the number of threads: work is cut
//! into tasks at places that only the shapes of one image decide, and each task runs on one thread.

mod attention;
mod conv;
mod elementwise;
mod matmul;
mod norm;

pub(super) use attention::{Heads, attention};
pub(super) use conv::{ConvShape, conv2d};
pub(super) use elementwise::{activate, geglu};
pub(super) use matmul::{Rows, linear};
pub(super) use norm::{GroupNormShape, group_norm, layer_norm};

/// A place in an output that several tasks write to, each its own part.
#[derive(Clone, Copy)]
struct Target(*mut f32);

// SAFETY: only handed to tasks that write disjoint elements (each says so where it makes its pointer).
unsafe impl Send for Target {}
// SAFETY: as above.
unsafe impl Sync for Target {}

impl Target {
    /// The address of element `at`.
    fn at(self, at: usize) -> *mut f32 {
        self.0.wrapping_add(at)
    }
}

/// Splits `length` into at most `parts` pieces whose sizes are multiples of `step` (the last one excepted).
fn pieces(length: usize, parts: usize, step: usize) -> Vec<std::ops::Range<usize>> {
    let size = length.div_ceil(parts).next_multiple_of(step);
    (0..length.div_ceil(size)).map(|piece| piece * size..length.min((piece + 1) * size)).collect()
}
