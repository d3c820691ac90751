//! Which source pixels make one output pixel along one axis, and with what weights: Pillow's, to the last bit.
//!
//! Touches no pixel. Computes only the outputs that are asked for: each is independent of the others.
//! Holds always: a window is inside the source, has at least one weight, and its weights sum to 2^22 within rounding.
//!
//! Source: Pillow 13, `src/libImaging/Resample.c`, `precompute_coeffs` and `normalize_coeffs_8bpc`.

use std::f64::consts::PI;
use std::ops::Range;

use crate::domain::Interpolation;

/// Fraction bits of a weight: 32, less 8 of the pixel, less 2 of head room for lobes below 0 and above 1.
pub(super) const WEIGHT_BITS: u32 = 32 - 8 - 2;

/// One output pixel: the source pixels from `first` on, one for each weight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Window<'a> {
    pub first: usize,
    pub weights: &'a [i32],
}

impl Window<'_> {
    /// The same window in a copy of the source that begins at its pixel `origin`.
    pub(super) fn seen_from(self, origin: usize) -> Self {
        Self { first: self.first - origin, ..self }
    }
}

/// The windows of a run of output pixels, in order.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Windows {
    /// (first source pixel, end in `weights`) of each output pixel.
    spans: Vec<(usize, usize)>,
    weights: Vec<i32>,
}

impl Windows {
    /// Windows of the outputs `wanted` when `source_px` are resized to `output_px`; `wanted` within `0..output_px`.
    pub(super) fn new(source_px: u32, output_px: u64, wanted: Range<u64>, filter: Interpolation) -> Self {
        let scale = f64::from(source_px) / output_px as f64;
        let stretch = scale.max(1.0);
        let support = support(filter) * stretch;
        let mut windows = Self { spans: Vec::new(), weights: Vec::new() };
        let mut exact = Vec::new();
        for output in wanted {
            let center = (output as f64 + 0.5) * scale;
            // `as` cuts towards zero, as C's cast does, and maps a negative start to 0.
            let first = (center - support + 0.5) as usize;
            let end = ((center + support + 0.5) as usize).min(source_px as usize);
            exact.clear();
            exact.extend((first..end).map(|x| value(filter, (x as f64 - center + 0.5) * (1.0 / stretch))));
            windows.push(first, &exact);
        }
        windows
    }

    fn push(&mut self, first: usize, exact: &[f64]) {
        let sum: f64 = exact.iter().sum();
        let divisor = if sum == 0.0 { 1.0 } else { sum };
        self.weights.extend(exact.iter().map(|weight| fixed_point(weight / divisor)));
        self.spans.push((first, self.weights.len()));
    }

    pub(super) fn len(&self) -> usize {
        self.spans.len()
    }

    /// The windows of the outputs `part`, counted from the first that was wanted.
    pub(super) fn slice(&self, part: Range<usize>) -> impl Iterator<Item = Window<'_>> {
        let mut start = part.start.checked_sub(1).map_or(0, |before| self.spans[before].1);
        self.spans[part].iter().map(move |&(first, end)| {
            let weights = &self.weights[std::mem::replace(&mut start, end)..end];
            Window { first, weights }
        })
    }

    /// The source pixels that the windows of `part`, not empty, read; starts and ends grow with the output.
    pub(super) fn source(&self, part: Range<usize>) -> Range<usize> {
        let mut ends = self.slice(part.start..part.start + 1).chain(self.slice(part.end - 1..part.end));
        let start = ends.next().map_or(0, |window| window.first);
        start..ends.next().map_or(start, |window| window.first + window.weights.len())
    }
}

/// Rounds half away from zero, as Pillow does.
fn fixed_point(weight: f64) -> i32 {
    let scaled = weight * f64::from(1 << WEIGHT_BITS);
    (if weight < 0.0 { scaled - 0.5 } else { scaled + 0.5 }) as i32
}

/// Source pixels to each side of the centre that a filter weighs when it does not shrink.
fn support(filter: Interpolation) -> f64 {
    match filter {
        Interpolation::Bilinear => 1.0,
        Interpolation::Bicubic => 2.0,
        Interpolation::Lanczos => 3.0,
        // `points` makes it; as a filter it would be a box.
        Interpolation::Nearest => 0.5,
    }
}

fn value(filter: Interpolation, distance: f64) -> f64 {
    match filter {
        Interpolation::Bilinear => (1.0 - distance.abs()).max(0.0),
        Interpolation::Nearest => f64::from(u8::from((-0.5..0.5).contains(&distance))),
        Interpolation::Bicubic => bicubic(distance.abs()),
        Interpolation::Lanczos if (-3.0..3.0).contains(&distance) => sinc(distance) * sinc(distance / 3.0),
        Interpolation::Lanczos => 0.0,
    }
}

/// Keys 1981 with a = -0.5; the order of operations is Pillow's, on which the last bit depends.
fn bicubic(distance: f64) -> f64 {
    const A: f64 = -0.5;
    if distance < 1.0 {
        ((A + 2.0) * distance - (A + 3.0)) * distance * distance + 1.0
    } else if distance < 2.0 {
        (((distance - 5.0) * distance + 8.0) * distance - 4.0) * A
    } else {
        0.0
    }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { (x * PI).sin() / (x * PI) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILTERS: [Interpolation; 3] = [Interpolation::Bilinear, Interpolation::Bicubic, Interpolation::Lanczos];

    #[test]
    fn windows_lie_inside_the_source_and_sum_to_one() {
        for (source_px, output_px) in [(1, 9), (9, 1), (37, 20), (20, 37), (500, 499), (3, 3)] {
            for filter in FILTERS {
                let windows = Windows::new(source_px, output_px, 0..output_px, filter);
                for window in windows.slice(0..windows.len()) {
                    let sum: i32 = window.weights.iter().sum();
                    assert!((sum - (1 << WEIGHT_BITS)).unsigned_abs() as usize <= window.weights.len());
                    assert!(window.first + window.weights.len() <= source_px as usize && !window.weights.is_empty());
                }
            }
        }
    }

    #[test]
    fn a_part_has_the_windows_of_the_whole() {
        for filter in FILTERS {
            let whole = Windows::new(500, 341, 0..341, filter);
            let part = Windows::new(500, 341, 58..282, filter);
            assert!(part.slice(0..224).eq(whole.slice(58..282)));
            let read = part.source(0..224);
            assert!(read.start >= 80 && read.end <= 420, "{read:?}");
        }
    }

    #[test]
    fn halving_with_a_triangle_weighs_one_three_three_one() {
        let windows = Windows::new(8, 4, 1..2, Interpolation::Bilinear);
        let eighth = 1 << (WEIGHT_BITS - 3);
        let expected = Window { first: 1, weights: &[eighth, 3 * eighth, 3 * eighth, eighth] };
        assert_eq!(windows.slice(0..1).next(), Some(expected));
    }
}
