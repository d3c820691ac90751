//! A 64-bit hash that stays nearly the same when a picture is encoded again, resized or made brighter.
//!
//! Does not compare hashes; `stats` does, and its caller sets the number of bits that may differ. Holds always: the
//! hash depends on the pixels alone, and a picture of any size has one. A picture of one colour has the hash 0 if its
//! grey is 0, else 2^63 (its mean alone), up to sides of 10^6 px: near 2^24 px Pillow's weights are too coarse.
//!
//! Source: Python's `imagehash` 4.3.2, `phash` with its defaults, after N. Krawetz, "Looks Like It", hackerfactor.com,
//! 2011.

use std::f64::consts::PI;

use super::pixels::RgbImage;
use super::resample::{Region, Target, resample};
use crate::domain::Interpolation;

/// The picture is shrunk to a square of this side: `hash_size * highfreq_factor` of the source.
const SIDE_PX: usize = 32;
/// Frequencies kept along each axis, so that their squares are the bits of a `u64`.
const KEPT: usize = 8;
/// How far a coefficient must be above the median to count as above it.
///
/// Symmetric pictures have coefficients that are zero except for rounding, and their median is one of them. The
/// source's `coefficient > median` then depends on the rounding noise of one build of scipy. Rounding errs by about
/// 1e-9 (coefficients reach 4 * 32 * 32 * 255, about 1e6), and of 400 photographs none has a coefficient nearer to its
/// median than 0.2.
const NOISE: f64 = 1e-6;

type Coefficients = [f64; KEPT * KEPT];

/// The picture's hash: `format!("{:016x}", hash)` is `str(imagehash.phash(picture))` with Pillow 13.
///
/// Bit `63 - (8 * v + h)` says whether frequency `v` down and `h` across is above the median of the 64 lowest; the
/// number of bits in which two hashes differ measures how different the pictures are. The result differs from the
/// source only where rounding decides there: for pictures that are symmetric to the last pixel. Needs memory for a copy
/// of the pixels.
pub fn perceptual_hash(image: &RgbImage) -> u64 {
    let coefficients = low_frequencies(&shrunk(image));
    let above = median(coefficients) + NOISE;
    coefficients.iter().fold(0, |hash, &coefficient| hash << 1 | u64::from(coefficient > above))
}

/// `[SIDE_PX, SIDE_PX]`: Pillow's `convert("L").resize((32, 32), LANCZOS)`; three equal channels give the same as one.
fn shrunk(image: &RgbImage) -> Vec<f64> {
    let mut grey = image.clone();
    for pixel in grey.pixels_mut().chunks_exact_mut(3) {
        pixel.fill(luma(pixel[0], pixel[1], pixel[2]));
    }
    let side_px = SIDE_PX as u32;
    let region = Region { left: 0, top: 0, width_px: side_px, height_px: side_px };
    let target = Target { width_px: side_px.into(), height_px: side_px.into(), region };
    let small = resample(&grey, &target, Interpolation::Lanczos);
    small.pixels().iter().step_by(3).map(|&level| f64::from(level)).collect()
}

/// ITU-R 601-2 in 16-bit fixed point. Source: Pillow 13, `src/libImaging/Convert.c`, `L24`.
fn luma(red: u8, green: u8, blue: u8) -> u8 {
    ((u32::from(red) * 19595 + u32::from(green) * 38470 + u32::from(blue) * 7471 + 0x8000) >> 16) as u8
}

/// The lowest frequencies of the DCT-II of both axes, unnormalised as `scipy.fftpack.dct` has it: `[down, across]`.
fn low_frequencies(levels: &[f64]) -> Coefficients {
    let wave =
        |frequency: usize, at: usize| 2.0 * (PI * (frequency * (2 * at + 1)) as f64 / (2 * SIDE_PX) as f64).cos();
    let waves: [[f64; SIDE_PX]; KEPT] = std::array::from_fn(|f| std::array::from_fn(|at| wave(f, at)));
    let mut coefficients = [0.0; KEPT * KEPT];
    for (row, down) in coefficients.chunks_exact_mut(KEPT).zip(&waves) {
        let mut sums = [0.0; SIDE_PX];
        for (line, weight) in levels.chunks_exact(SIDE_PX).zip(down) {
            sums.iter_mut().zip(line).for_each(|(sum, level)| *sum += weight * level);
        }
        for (coefficient, across) in row.iter_mut().zip(&waves) {
            *coefficient = sums.iter().zip(across).map(|(sum, weight)| sum * weight).sum();
        }
    }
    coefficients
}

/// The mean of the two in the middle.
fn median(mut coefficients: Coefficients) -> f64 {
    coefficients.sort_by(f64::total_cmp);
    f64::midpoint(coefficients[KEPT * KEPT / 2 - 1], coefficients[KEPT * KEPT / 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hashes a picture whose grey level at (x, y) is `level`, as hexadecimal digits.
    fn check(size: (u32, u32), level: impl Fn(u32, u32) -> u32, expected: &str) {
        let at = |i: u32| level(i / 3 % size.0, i / 3 / size.0) as u8;
        let image = RgbImage::new(size.0, size.1, (0..size.0 * size.1 * 3).map(at).collect()).unwrap();
        assert_eq!(format!("{:016x}", perceptual_hash(&image)), expected, "{size:?}");
    }

    #[test]
    fn flat_pictures_of_any_size_hash_alike() {
        for size in [(1, 1), (1, 500), (32, 32), (33, 31), (500, 3)] {
            check(size, |_, _| 0, "0000000000000000");
            check(size, |_, _| 1, "8000000000000000");
            check(size, |_, _| 255, "8000000000000000");
        }
    }

    #[test]
    fn the_first_row_of_bits_is_the_lowest_frequency_down() {
        // Brighter to the right: the odd waves across fall below zero; all that is not in the first row is zero.
        check((32, 32), |x, _| x * 8, "8000000000000000");
        check((32, 32), |x, _| 248 - x * 8, "d500000000000000");
        check((32, 32), |_, y| 248 - y * 8, "8080008000800080");
    }

    #[test]
    fn colours_are_weighed_as_pillow_does() {
        assert_eq!([luma(255, 0, 0), luma(0, 255, 0), luma(0, 0, 255)], [76, 150, 29]);
        assert!((0..=255).all(|level| luma(level, level, level) == level));
    }
}
