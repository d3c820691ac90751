//! Resizes that look at a fixed number of source pixels, whatever the scale: without antialias, as OpenCV and PyTorch's
//! tensors do, and Pillow's nearest pixel.
//!
//! Does not choose sizes or crops (`fit` does). Holds always: half-pixel centres; a pixel beyond the border is the one
//! at the border; sums are in f32 and rounded once at the end, halves up; memory is that of four rows.
//!
//! OpenCV sums 8-bit pixels in 11-bit fixed point, which gives one level more or less in some places (`cv2.resize`,
//! `INTER_LINEAR`, `INTER_CUBIC`). PyTorch's `interpolate(antialias=False)` and TensorFlow 2's `resize` (bilinear) keep
//! fractions of a level that are rounded here. TensorFlow's bicubic treats borders in another way.

use std::ops::Range;

use super::pixels::RgbImage;
use super::resample::Target;
use crate::domain::Interpolation;

/// Most source pixels that one output pixel reads along an axis.
const MOST: usize = 4;
/// The a of Keys' cubic in OpenCV, PyTorch's tensors and TensorFlow 2's gradient-free resize.
const A: f64 = -0.75;

/// One output pixel along one axis: source pixels and their weights.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Taps {
    pixels: [usize; MOST],
    weights: [f32; MOST],
    used: usize,
}

/// A filter; `antialias` only tells two ways of `Nearest` apart.
#[derive(Debug, Clone, Copy)]
struct How {
    filter: Interpolation,
    antialias: bool,
}

/// The region of `target` when `source` is resized so. `antialias`: see [`How`].
pub(super) fn sample(source: &RgbImage, target: &Target, filter: Interpolation, antialias: bool) -> RgbImage {
    let region = &target.region;
    let how = How { filter, antialias };
    let columns = axis(source.width_px(), target.width_px, region.left..region.left + u64::from(region.width_px), how);
    let rows = axis(source.height_px(), target.height_px, region.top..region.top + u64::from(region.height_px), how);
    let mut out = RgbImage::black(region.width_px, region.height_px);
    let stride = out.stride();
    let mut shrunk = Shrunk { source, columns: &columns, rows: Vec::new() };
    let mut sums = vec![0.0_f32; stride];
    for (row, out_row) in rows.iter().zip(out.pixels_mut().chunks_exact_mut(stride)) {
        sums.fill(0.0);
        for (&pixel, &weight) in row.pixels.iter().zip(&row.weights).take(row.used) {
            let line = shrunk.row(pixel);
            sums.iter_mut().zip(line).for_each(|(sum, level)| *sum += weight * level);
        }
        out_row.iter_mut().zip(&sums).for_each(|(byte, sum)| *byte = (sum + 0.5).floor().clamp(0.0, 255.0) as u8);
    }
    out
}

/// Source rows that were brought to the output's columns, the last ones.
struct Shrunk<'a> {
    source: &'a RgbImage,
    columns: &'a [Taps],
    rows: Vec<(usize, Vec<f32>)>,
}

impl Shrunk<'_> {
    fn row(&mut self, y: usize) -> &[f32] {
        let at = match self.rows.iter().position(|(known, _)| *known == y) {
            Some(at) => at,
            None => {
                let reused = if self.rows.len() < MOST { Vec::new() } else { self.rows.remove(0).1 };
                self.rows.push((y, self.made(y, reused)));
                self.rows.len() - 1
            }
        };
        &self.rows[at].1
    }

    fn made(&self, y: usize, mut line: Vec<f32>) -> Vec<f32> {
        let stride = self.source.stride();
        let pixels = self.source.pixels()[y * stride..(y + 1) * stride].as_chunks::<3>().0;
        line.clear();
        for taps in self.columns {
            let mut sums = [0.0_f32; 3];
            for (&pixel, &weight) in taps.pixels.iter().zip(&taps.weights).take(taps.used) {
                sums.iter_mut().zip(pixels[pixel]).for_each(|(sum, level)| *sum += weight * f32::from(level));
            }
            line.extend(sums);
        }
        line
    }
}

/// The taps of the outputs `wanted`.
fn axis(source_px: u32, output_px: u64, wanted: Range<u64>, how: How) -> Vec<Taps> {
    let scale = f64::from(source_px) / output_px as f64;
    match (how.filter, how.antialias) {
        (Interpolation::Nearest, true) => under_centres(source_px, scale, wanted),
        (Interpolation::Nearest, false) => wanted.map(|output| one(source_px, output as f64 * scale)).collect(),
        _ => wanted.map(|output| weighed(source_px, scale, output, how.filter)).collect(),
    }
}

/// The pixel under each centre; centres are summed up one by one, as Pillow does, on which ties depend.
fn under_centres(source_px: u32, scale: f64, wanted: Range<u64>) -> Vec<Taps> {
    let mut at = scale * 0.5;
    (0..wanted.start).for_each(|_| at += scale);
    let mut step = || {
        let taps = one(source_px, at);
        at += scale;
        taps
    };
    wanted.map(|_| step()).collect()
}

fn one(source_px: u32, at: f64) -> Taps {
    let pixel = (at.floor() as usize).min(source_px as usize - 1);
    Taps { pixels: [pixel; MOST], weights: [1.0; MOST], used: 1 }
}

fn weighed(source_px: u32, scale: f64, output: u64, filter: Interpolation) -> Taps {
    let inside = |x: i64| x.clamp(0, i64::from(source_px) - 1) as usize;
    let at = (output as f64 + 0.5) * scale - 0.5;
    let first = at.floor();
    let part = at - first;
    let first = first as i64;
    let weights = match filter {
        Interpolation::Bicubic => [1.0 + part, part, 1.0 - part, 2.0 - part].map(cubic),
        _ => [1.0 - part, part, 0.0, 0.0],
    };
    let from = if filter == Interpolation::Bicubic { first - 1 } else { first };
    let pixels = [0, 1, 2, 3].map(|tap| inside(from + tap));
    let used = if filter == Interpolation::Bicubic { MOST } else { 2 };
    Taps { pixels, weights: weights.map(|weight| weight as f32), used }
}

fn cubic(distance: f64) -> f64 {
    if distance <= 1.0 {
        ((A + 2.0) * distance - (A + 3.0)) * distance * distance + 1.0
    } else {
        ((A * distance - 5.0 * A) * distance + 8.0 * A) * distance - 4.0 * A
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Interpolation::{Bicubic, Bilinear, Nearest};

    #[track_caller]
    fn check(sizes: (u32, u64), output: u64, how: (Interpolation, bool), expected: &[(usize, f32)]) {
        let how = How { filter: how.0, antialias: how.1 };
        let taps = axis(sizes.0, sizes.1, output..output + 1, how)[0];
        let found: Vec<(usize, f32)> = taps.pixels.into_iter().zip(taps.weights).take(taps.used).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_quarter_reads_two_pixels_in_the_middle_of_four() {
        check((8, 2), 0, (Bilinear, false), &[(1, 0.5), (2, 0.5)]);
        check((8, 2), 1, (Bilinear, false), &[(5, 0.5), (6, 0.5)]);
        let (far, near) = (-0.09375, 0.59375);
        check((8, 2), 0, (Bicubic, false), &[(0, far), (1, near), (2, near), (3, far)]);
    }

    #[test]
    fn beyond_the_border_is_the_border() {
        check((2, 4), 0, (Bilinear, false), &[(0, 0.25), (0, 0.75)]);
        check((2, 4), 3, (Bilinear, false), &[(1, 0.75), (1, 0.25)]);
        check((1, 1), 0, (Bicubic, false), &[(0, 0.0), (0, 1.0), (0, 0.0), (0, 0.0)]);
    }

    #[test]
    fn nearest_is_under_the_centre_or_under_the_corner() {
        check((8, 2), 0, (Nearest, true), &[(2, 1.0)]);
        check((8, 2), 0, (Nearest, false), &[(0, 1.0)]);
        check((8, 2), 1, (Nearest, true), &[(6, 1.0)]);
    }
}
