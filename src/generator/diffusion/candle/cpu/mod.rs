//! The kernels of the networks on a CPU: f32 slices in, f32 slices out, the `gemm` crate for products.
//!
//! Knows no tensor library; `ops` wraps these for candle, whose own kernels took twice the time
//! (`docs/performance.md`). Holds always: an image's numbers do not depend on what else is in the batch, nor on the
//! number of threads: only the shapes of one image decide where work is cut into tasks, and each task runs on one
//! thread.

mod attention;
mod conv;
mod matmul;

pub(super) use attention::{Heads, attention};
pub(super) use conv::{ConvShape, conv2d};
pub(super) use matmul::{Rows, linear};

use crate::generator::diffusion::kernels::Target;
pub(super) use crate::generator::diffusion::kernels::{GroupNormShape, activate, geglu, group_norm, layer_norm};

/// Splits `length` into at most `parts` pieces whose sizes are multiples of `step` (the last one excepted).
fn pieces(length: usize, parts: usize, step: usize) -> Vec<std::ops::Range<usize>> {
    let size = length.div_ceil(parts).next_multiple_of(step);
    (0..length.div_ceil(size)).map(|piece| piece * size..length.min((piece + 1) * size)).collect()
}
