//! Pillow's two-pass resize of 8-bit images, bit for bit, for the part of the output that survives a crop.
//!
//! Does not choose sizes or crops (`fit` does) and does not use `reducing_gap`.
//! Holds always: two passes, clipped to a byte between them; a pass along a side that does not change is left out;
//! memory is bounded by the source, the region and [`STRIP_BYTES`], whatever the output's size.
//!
//! Source: Pillow 13, `src/libImaging/Resample.c`, `ImagingResampleInner`. The order of the passes is that of 13
//! (pull request 9549): up to 12 the horizontal pass was always first, which for tall images gives other low bits.

use std::ops::Range;

use super::passes::{RowPair, Rows, blend_row};
use super::pixels::RgbImage;
use super::weights::{Window, Windows};
use crate::domain::Interpolation;

/// Most bytes of rows that wait for the vertical pass; a single column of a very tall image may take more.
const STRIP_BYTES: usize = 16 << 20;

/// An image resized to `width_px` x `height_px`, of which only `region` is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Target {
    pub width_px: u64,
    pub height_px: u64,
    pub region: Region,
}

/// A rectangle inside the resized image; not empty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Region {
    pub left: u64,
    pub top: u64,
    pub width_px: u32,
    pub height_px: u32,
}

impl Region {
    fn columns(&self) -> Range<u64> {
        self.left..self.left + u64::from(self.width_px)
    }

    fn rows(&self) -> Range<u64> {
        self.top..self.top + u64::from(self.height_px)
    }
}

/// The pixels that Pillow's `source.resize((width, height), filter).crop(region)` has.
pub(super) fn resample(source: &RgbImage, target: &Target, filter: Interpolation) -> RgbImage {
    let region = &target.region;
    let columns = (target.width_px != u64::from(source.width_px()))
        .then(|| Windows::new(source.width_px(), target.width_px, region.columns(), filter));
    let rows = (target.height_px != u64::from(source.height_px()))
        .then(|| Windows::new(source.height_px(), target.height_px, region.rows(), filter));
    let mut out = RgbImage::black(region.width_px, region.height_px);
    match (columns, rows) {
        (None, None) => copy(source, region, &mut out),
        (None, Some(rows)) => vertical(source, region.left as usize, &rows, &mut out),
        (Some(columns), None) => horizontal(source, region.top as usize, &columns, &mut out),
        (Some(columns), Some(rows)) if vertical_first(source, target) => {
            vertical_then_horizontal(source, &columns, &rows, &mut out);
        }
        (Some(columns), Some(rows)) => horizontal_then_vertical(source, &columns, &rows, &mut out),
    }
    out
}

/// A crop; here the resized image has the source's size, so that the region's corner fits `usize`.
fn copy(source: &RgbImage, region: &Region, out: &mut RgbImage) {
    let (stride, left) = (source.stride(), region.left as usize * 3);
    let width = out.stride();
    let from = source.pixels().chunks_exact(stride).skip(region.top as usize);
    for (row, out_row) in from.zip(out.pixels_mut().chunks_exact_mut(width)) {
        out_row.copy_from_slice(&row[left..left + width]);
    }
}

fn vertical(source: &RgbImage, left: usize, rows: &Windows, out: &mut RgbImage) {
    let from = Rows { bytes: source.pixels(), stride: source.stride(), left: left * 3 };
    let stride = out.stride();
    blend_rows(from, rows.slice(0..rows.len()), 0..stride, out);
}

fn horizontal(source: &RgbImage, top: usize, columns: &Windows, out: &mut RgbImage) {
    shrink_rows(rows_from(source, top, columns, 0..columns.len()), columns, 0..columns.len(), out.pixels_mut());
}

/// Pillow 13's choice: the height shrinks, and by more than twice the pixels that the width shrinks by.
fn vertical_first(source: &RgbImage, target: &Target) -> bool {
    let shrunk = |from: u32, to: u64| i64::from(from) - to as i64;
    let height = shrunk(source.height_px(), target.height_px);
    height > 0 && height > 2 * shrunk(source.width_px(), target.width_px)
}

/// In strips of columns where the rows between the passes would take more than [`STRIP_BYTES`].
fn horizontal_then_vertical(source: &RgbImage, columns: &Windows, rows: &Windows, out: &mut RgbImage) {
    let needed = rows.source(0..rows.len());
    let strip_px = (STRIP_BYTES / (needed.len() * 3)).clamp(1, columns.len());
    let mut between = vec![0; strip_px * needed.len() * 3];
    for start in (0..columns.len()).step_by(strip_px) {
        let strip = start..columns.len().min(start + strip_px);
        let stride = strip.len() * 3;
        let from = rows_from(source, needed.start, columns, strip.clone());
        shrink_rows(from, columns, strip.clone(), &mut between[..stride * needed.len()]);
        let windows = rows.slice(0..rows.len()).map(|window| window.seen_from(needed.start));
        let from = Rows { bytes: &between, stride, left: 0 };
        blend_rows(from, windows, strip.start * 3..strip.end * 3, out);
    }
}

/// Needs no strips: the rows between the passes are fewer than the source's, and no wider.
fn vertical_then_horizontal(source: &RgbImage, columns: &Windows, rows: &Windows, out: &mut RgbImage) {
    let needed = columns.source(0..columns.len());
    let mut between = RgbImage::black(needed.len() as u32, out.height_px());
    vertical(source, needed.start, rows, &mut between);
    let from = Rows { bytes: between.pixels(), stride: between.stride(), left: 0 };
    shrink_rows(from, columns, 0..columns.len(), out.pixels_mut());
}

/// The source from row `top` on, from the first column that the outputs `strip` read.
fn rows_from<'a>(source: &'a RgbImage, top: usize, columns: &Windows, strip: Range<usize>) -> Rows<'a> {
    let stride = source.stride();
    Rows { bytes: &source.pixels()[top * stride..], stride, left: columns.source(strip).start * 3 }
}

/// Shrinks rows sideways to the columns `strip`, row below row until `out` is full.
///
/// `from.left` is the first source column that these outputs read.
fn shrink_rows(from: Rows<'_>, columns: &Windows, strip: Range<usize>, out: &mut [u8]) {
    let (needed, width) = (columns.source(strip.clone()), strip.len() * 3);
    let last = out.len() / width - 1;
    let row = |y: usize| &from.bytes[y * from.stride + from.left..][..needed.len() * 3];
    let (mut pair, mut unused) = (RowPair::default(), vec![0; width]);
    for (index, out_pair) in out.chunks_mut(width * 2).enumerate() {
        pair.load(row(index * 2), row(last.min(index * 2 + 1)));
        let (upper, lower) = out_pair.split_at_mut(width);
        let lower = if lower.is_empty() { &mut unused[..] } else { lower };
        pair.shrink(columns.slice(strip.clone()).map(|window| window.seen_from(needed.start)), upper, lower);
    }
}

/// Makes the bytes `span` of each row of `out`, one for each of `windows`, which count rows from the first in `from`.
fn blend_rows<'w>(from: Rows<'_>, windows: impl Iterator<Item = Window<'w>>, span: Range<usize>, out: &mut RgbImage) {
    let stride = out.stride();
    for (window, out_row) in windows.zip(out.pixels_mut().chunks_exact_mut(stride)) {
        blend_row(from, window, &mut out_row[span.clone()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(width_px: u32, height_px: u32) -> RgbImage {
        let pixels = (0..width_px * height_px * 3).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        RgbImage::new(width_px, height_px, pixels).unwrap()
    }

    fn target(size: (u64, u64), corner: (u64, u64), region: (u32, u32)) -> Target {
        let region = Region { left: corner.0, top: corner.1, width_px: region.0, height_px: region.1 };
        Target { width_px: size.0, height_px: size.1, region }
    }

    /// Making a region alone must give the same bytes as cutting it out of the whole output.
    fn check(source: (u32, u32), size: (u32, u32), corner: (u64, u64)) {
        let source = noise(source.0, source.1);
        let wide = (u64::from(size.0), u64::from(size.1));
        let rest = (size.0 - corner.0 as u32, size.1 - corner.1 as u32);
        for filter in [Interpolation::Bilinear, Interpolation::Bicubic, Interpolation::Lanczos] {
            let whole = resample(&source, &target(wide, (0, 0), size), filter);
            let part = resample(&source, &target(wide, corner, rest), filter);
            assert_eq!(part, resample(&whole, &target(wide, corner, rest), filter));
        }
    }

    #[test]
    fn a_region_equals_the_crop_of_the_whole() {
        check((37, 23), (20, 13), (3, 4));
        check((37, 23), (60, 51), (11, 0));
        check((37, 23), (37, 13), (5, 2));
        check((37, 23), (20, 23), (5, 2));
        check((37, 23), (37, 23), (5, 2));
        check((23, 37), (20, 13), (3, 4));
    }

    #[test]
    fn the_vertical_pass_is_first_where_the_height_loses_more_than_twice_as_much() {
        // Pillow 13's choices, found by resizing 60 x 120 px in both orders.
        let first = |width, height| vertical_first(&noise(60, 120), &target((width, height), (0, 0), (1, 1)));
        assert!(first(40, 79) && first(5, 9) && first(61, 119) && first(200, 1));
        assert!(!first(40, 80) && !first(5, 10) && !first(61, 121) && !first(1, 60));
    }

    #[test]
    fn strips_of_columns_meet_without_a_seam() {
        // 600,000 rows of 20 columns are 36 MB between the passes: three strips.
        let tall = noise(3, 600_000);
        let whole = resample(&tall, &target((20, 2), (0, 0), (20, 2)), Interpolation::Bilinear);
        for left in [0, 8, 19] {
            let column = resample(&tall, &target((20, 2), (left, 0), (1, 2)), Interpolation::Bilinear);
            assert_eq!(column.pixels()[..3], whole.pixels()[left as usize * 3..][..3]);
        }
    }
}
