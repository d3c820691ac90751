//! Group and layer normalisation.
//!
//! Sources: Wu and He, "Group normalization", 2018; Ba et al., "Layer normalization", 2016. Sums are made in f64 of f32
//! lanes, in the order of memory.

#[cfg(feature = "candle")]
use rayon::prelude::*;

use super::elementwise::{silu, vectorised};

/// Sizes of a group normalisation.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct GroupNormShape {
    pub channels: usize,
    /// Pixels of one channel.
    pub pixels: usize,
    pub groups: usize,
    pub epsilon: f32,
    /// Whether SiLU follows.
    pub silu: bool,
}

/// What follows a normalisation, one number of each for a channel.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Affine<'a> {
    pub weight: &'a [f32],
    pub bias: &'a [f32],
}

impl GroupNormShape {
    /// Numbers of one group of one image, side by side in memory.
    pub fn group_size(&self) -> usize {
        self.channels / self.groups * self.pixels
    }
}

/// Group `task` of all groups of all images, one image's after the other: `x` and `out` are its
/// [`GroupNormShape::group_size`] numbers.
pub(in super::super) fn normalise_group(
    shape: GroupNormShape,
    task: usize,
    x: &[f32],
    Affine { weight, bias }: Affine,
    out: &mut [f32],
) {
    let (mean, scale) = mean_and_scale(x, shape.epsilon);
    let first = task % shape.groups * (shape.channels / shape.groups);
    for (at, (out, x)) in out.chunks_mut(shape.pixels).zip(x.chunks(shape.pixels)).enumerate() {
        let factor = weight[first + at] * scale;
        affine(out, x, factor, bias[first + at] - mean * factor);
        if shape.silu {
            silu(out);
        }
    }
}

/// `x` `[images, channels, pixels]`, `weight` and `bias` `[channels]`: as `x`.
#[cfg(feature = "candle")]
pub(in super::super) fn group_norm(shape: GroupNormShape, x: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0; x.len()];
    let size = shape.group_size();
    let tasks = out.par_chunks_mut(size).zip(x.par_chunks(size)).enumerate();
    tasks.for_each(|(task, (out, x))| normalise_group(shape, task, x, Affine { weight, bias }, out));
    out
}

/// `x` `[rows, width]`, `weight` and `bias` `[width]`: as `x`.
#[cfg(feature = "candle")]
pub(in super::super) fn layer_norm(x: &[f32], weight: &[f32], bias: &[f32], epsilon: f32) -> Vec<f32> {
    let mut out = vec![0.0; x.len()];
    out.par_chunks_mut(weight.len()).zip(x.par_chunks(weight.len())).for_each(|(out, x)| {
        let (mean, scale) = mean_and_scale(x, epsilon);
        affine(out, x, scale, -mean * scale);
        out.iter_mut().zip(weight).zip(bias).for_each(|((out, weight), bias)| *out = *out * weight + bias);
    });
    out
}

/// The mean, and 1 / sqrt(variance + epsilon).
fn mean_and_scale(x: &[f32], epsilon: f32) -> (f32, f32) {
    let mean = (sum(x) / x.len() as f64) as f32;
    let variance = sum_of_squares(x, mean) / x.len() as f64;
    (mean, (1.0 / (variance + f64::from(epsilon)).sqrt()) as f32)
}

vectorised! {
    fn affine(out: &mut [f32], x: &[f32], factor: f32, shift: f32) {
        out.iter_mut().zip(x).for_each(|(out, x)| *out = x * factor + shift);
    }
}

vectorised! {
    fn sum(x: &[f32]) -> f64 {
        x.chunks(1024).map(|chunk| f64::from(lanes(chunk, |x| x))).sum()
    }
}

vectorised! {
    fn sum_of_squares(x: &[f32], mean: f32) -> f64 {
        x.chunks(1024).map(|chunk| f64::from(lanes(chunk, |x| (x - mean) * (x - mean)))).sum()
    }
}

#[inline(always)]
fn lanes(x: &[f32], of: impl Fn(f32) -> f32) -> f32 {
    let (chunks, rest) = x.as_chunks::<16>();
    let mut sums = [0.0; 16];
    for chunk in chunks {
        sums.iter_mut().zip(chunk).for_each(|(sum, &x)| *sum += of(x));
    }
    sums.iter().sum::<f32>() + rest.iter().map(|&x| of(x)).sum::<f32>()
}

#[cfg(all(test, feature = "candle"))]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_mean_0_and_variance_1_before_weight_and_bias() {
        let x: Vec<f32> = (0..2 * 4 * 50).map(|i| (i as f32 * 0.7).sin() * 3.0 + 100.0).collect();
        let shape = GroupNormShape { channels: 4, pixels: 50, groups: 2, epsilon: 0.0, silu: false };
        let out = group_norm(shape, &x, &[1.0; 4], &[0.0; 4]);
        for group in out.chunks(100) {
            let mean = group.iter().sum::<f32>() / 100.0;
            let variance = group.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / 100.0;
            assert!(mean.abs() < 1e-5 && (variance - 1.0).abs() < 1e-4, "{mean}, {variance}");
        }
        let scaled = group_norm(shape, &x, &[2.0, 1.0, 1.0, 1.0], &[0.0, 5.0, 0.0, 0.0]);
        assert!((scaled[0] - 2.0 * out[0]).abs() < 1e-5 && (scaled[50] - out[50] - 5.0).abs() < 1e-5);
    }

    #[test]
    fn a_row_is_normalised_by_itself() {
        let out = layer_norm(&[1.0, 2.0, 3.0, 10.0, 10.0, 40.0], &[1.0, 1.0, 2.0], &[0.0, 0.0, 1.0], 0.0);
        assert!((out[0] + 1.224_744_9).abs() < 1e-6 && (out[2] - 2.0 * 1.224_744_9 - 1.0).abs() < 1e-6);
        assert!((out[3] + std::f32::consts::FRAC_1_SQRT_2).abs() < 1e-6);
    }
}
