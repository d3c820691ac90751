//! Convolutions: patches written out (im2col) tile by tile, then one product per tile and group of channels.

use std::ops::Range;

use rayon::prelude::*;

use super::matmul::{Product, View, multiply};
use super::{Target, pieces};

/// Pixels whose patches are written out at a time.
const TILE_PX: usize = 256;

/// What a convolution is made of; padding is zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in super::super) struct ConvShape {
    pub images: usize,
    pub in_channels: usize,
    pub out_channels: usize,
    pub height: usize,
    pub width: usize,
    pub kernel: usize,
    pub stride: usize,
    pub padding: usize,
}

impl ConvShape {
    /// Height and width of the output.
    pub fn out_size(&self) -> (usize, usize) {
        let side = |length: usize| (length + 2 * self.padding - self.kernel) / self.stride + 1;
        (side(self.height), side(self.width))
    }

    fn patch(&self) -> usize {
        self.in_channels * self.kernel * self.kernel
    }
}

/// `x` `[images, in, height, width]`, `weight` `[out, in, kernel, kernel]`, `bias` `[images, out]`:
/// `[images, out, out_height, out_width]`.
pub(in super::super) fn conv2d(shape: ConvShape, x: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
    let (out_height, out_width) = shape.out_size();
    let pixels = out_height * out_width;
    let mut out = vec![0.0; shape.images * shape.out_channels * pixels];
    let conv = Conv { shape, pixels, weight, bias, out: Target(out.as_mut_ptr()) };
    let tiles = pieces(pixels, pixels.div_ceil(TILE_PX), 16);
    let groups = pieces(shape.out_channels, 4_usize.div_ceil(tiles.len()), 16);
    let size = shape.in_channels * shape.height * shape.width;
    assert_eq!(x.len(), shape.images * size, "the input fills its shape");
    let images = x.chunks_exact(size).enumerate();
    let parts = images.flat_map(|(image, x)| tiles.iter().map(move |tile| (Part { image, tile }, x)));
    parts.collect::<Vec<_>>().into_par_iter().for_each_init(Vec::new, |patches, (part, x)| {
        patches.resize(shape.patch() * part.tile.len(), 0.0);
        // Small pictures have few tiles: then the work on one is shared out too.
        let rows = shape.patch().div_ceil(groups.len());
        let shares = patches.par_chunks_mut(rows * part.tile.len()).enumerate();
        shares.for_each(|(share, own)| write_patches(shape, x, part.tile, share * rows, own));
        // SAFETY: tasks differ in image, in pixels or in channels, so that no two write the same element.
        groups.par_iter().for_each(|group| unsafe { conv.multiply(part, group, patches) });
    });
    out
}

/// Some pixels of an image.
#[derive(Clone, Copy)]
struct Part<'a> {
    image: usize,
    tile: &'a Range<usize>,
}

/// What all products of a convolution share.
struct Conv<'a> {
    shape: ConvShape,
    pixels: usize,
    weight: &'a [f32],
    bias: &'a [f32],
    out: Target,
}

impl Conv<'_> {
    /// The channels `group` of some pixels, from the patches around them.
    ///
    /// # Safety
    /// `out` is the whole output, and no other thread touches these channels of these pixels meanwhile.
    unsafe fn multiply(&self, Part { image, tile }: Part, group: &Range<usize>, patches: &[f32]) {
        let (patch, outputs) = (self.shape.patch(), self.shape.out_channels);
        let first = self.out.at((image * outputs + group.start) * self.pixels + tile.start);
        let weights = View { data: &self.weight[group.start * patch..], row_step: patch, column_step: 1 };
        let columns = View { data: patches, row_step: tile.len(), column_step: 1 };
        let out = Product { first, row_step: self.pixels, add: true };
        // SAFETY: as the caller vouches.
        unsafe {
            for (row, channel) in group.clone().enumerate() {
                let value = self.bias[image * outputs + channel];
                std::slice::from_raw_parts_mut(first.add(row * self.pixels), tile.len()).fill(value);
            }
            multiply(out, [group.len(), tile.len(), patch], weights, columns, 1.0);
        }
    }
}

/// The patches around the output pixels `tile`, from row `first_row` of `[in * kernel * kernel, tile]` on.
fn write_patches(shape: ConvShape, image: &[f32], tile: &Range<usize>, first_row: usize, patches: &mut [f32]) {
    let (_, out_width) = shape.out_size();
    let taps = shape.kernel * shape.kernel;
    for (row, target) in patches.chunks_exact_mut(tile.len()).enumerate() {
        let (channel, tap) = ((first_row + row) / taps, (first_row + row) % taps);
        let plane = &image[channel * shape.height * shape.width..][..shape.height * shape.width];
        let (dy, dx) = (tap / shape.kernel, tap % shape.kernel);
        let mut pixel = tile.start;
        while pixel < tile.end {
            let (oy, ox) = (pixel / out_width, pixel % out_width);
            let run = (out_width - ox).min(tile.end - pixel);
            let y = (oy * shape.stride + dy).wrapping_sub(shape.padding);
            let line = (y < shape.height).then(|| &plane[y * shape.width..][..shape.width]);
            write_line(shape, line, [ox, dx], &mut target[pixel - tile.start..][..run]);
            pixel += run;
        }
    }
}

/// The pixels of one line of the input that the outputs from `ox` on read at tap `dx`; zeros outside.
fn write_line(shape: ConvShape, line: Option<&[f32]>, columns: [usize; 2], target: &mut [f32]) {
    let [ox, dx] = columns;
    let Some(line) = line else { return target.fill(0.0) };
    if shape.stride > 1 {
        for (at, value) in target.iter_mut().enumerate() {
            let x = ((ox + at) * shape.stride + dx).wrapping_sub(shape.padding);
            *value = line.get(x).copied().unwrap_or(0.0);
        }
        return;
    }
    let left = shape.padding.saturating_sub(ox + dx).min(target.len());
    let from = (ox + dx + left).saturating_sub(shape.padding).min(line.len());
    let run = (line.len() - from).min(target.len() - left);
    target[..left].fill(0.0);
    target[left..left + run].copy_from_slice(&line[from..from + run]);
    target[left + run..].fill(0.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sums tap by tap, as the definition says.
    fn by_definition(shape: ConvShape, x: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
        let (oh, ow) = shape.out_size();
        let at = |image: usize, channel: usize, y: usize, x_: usize| {
            let (y, x_) = (y.wrapping_sub(shape.padding), x_.wrapping_sub(shape.padding));
            let inside = y < shape.height && x_ < shape.width;
            if inside { x[((image * shape.in_channels + channel) * shape.height + y) * shape.width + x_] } else { 0.0 }
        };
        let mut out = Vec::new();
        for (image, oc) in (0..shape.images).flat_map(|i| (0..shape.out_channels).map(move |c| (i, c))) {
            for (oy, ox) in (0..oh).flat_map(|y| (0..ow).map(move |x| (y, x))) {
                let mut sum = f64::from(bias[image * shape.out_channels + oc]);
                for row in 0..shape.patch() {
                    let (ic, tap) = (row / shape.kernel.pow(2), row % shape.kernel.pow(2));
                    let (dy, dx) = (tap / shape.kernel, tap % shape.kernel);
                    let value = at(image, ic, oy * shape.stride + dy, ox * shape.stride + dx);
                    sum += f64::from(value) * f64::from(weight[oc * shape.patch() + row]);
                }
                out.push(sum as f32);
            }
        }
        out
    }

    fn numbers(n: usize, seed: u64) -> Vec<f32> {
        let stream = crate::domain::Philox::new(seed, 0);
        (0..n as u64).map(|at| stream.unit_f32(at) - 0.5).collect()
    }

    fn check(shape: ConvShape) {
        let x = numbers(shape.images * shape.in_channels * shape.height * shape.width, 1);
        let weight = numbers(shape.out_channels * shape.patch(), 2);
        let bias = numbers(shape.images * shape.out_channels, 3);
        let (ours, wanted) = (conv2d(shape, &x, &weight, &bias), by_definition(shape, &x, &weight, &bias));
        let worst = ours.iter().zip(&wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(ours.len() == wanted.len() && worst < 2e-5, "{shape:?}: off by {worst}");
    }

    #[test]
    fn equals_the_sum_over_taps_for_every_kernel_stride_and_padding() {
        for (kernel, stride, padding) in [(3, 1, 1), (3, 2, 1), (3, 1, 0), (3, 2, 0), (1, 1, 0), (1, 2, 0)] {
            for (height, width) in [(4, 4), (5, 7), (33, 20), (3, 40)] {
                check(ConvShape {
                    images: 2,
                    in_channels: 3,
                    out_channels: 21,
                    height,
                    width,
                    kernel,
                    stride,
                    padding,
                });
            }
        }
    }
}
