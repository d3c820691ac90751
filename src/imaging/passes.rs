//! The inner loops of the resampler: two rows shrunk sideways, rows blended into one.
//!
//! Does not choose rows and columns; `resample` does.
//! Holds always: the arithmetic is 32-bit integer and the same on every machine; AVX2 only does eight lanes at a time,
//! so the bytes cannot differ. `unsafe` is here and nowhere else in `imaging`: the compiler alone made the sideways
//! pass twice as slow, because it splits the register on account of the two unused lanes of eight.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{
    __m256i, _mm_cvtepu8_epi32, _mm_cvtsi32_si128, _mm256_add_epi32, _mm256_extract_epi32, _mm256_loadu_si256,
    _mm256_mullo_epi32, _mm256_packus_epi16, _mm256_packus_epi32, _mm256_set_m128i, _mm256_set1_epi32,
    _mm256_srai_epi32, _mm256_storeu_si256,
};

use super::weights::{WEIGHT_BITS, Window};

/// One half, so that the shift at the end rounds.
const HALF: i32 = 1 << (WEIGHT_BITS - 1);

/// Bytes of a row that are blended at a time: their sums stay in registers.
const LANES: usize = 32;

/// One column of two rows: red, green, blue, nothing; of the upper row, then of the lower one.
type Column = [i32; 8];

type Pixel = [u8; 3];

/// Two rows side by side and widened, so that one weight multiplies eight lanes at once.
#[derive(Debug, Default)]
pub(super) struct RowPair {
    columns: Vec<Column>,
}

impl RowPair {
    /// Takes two rows, `[width, 3]` u8 each, of the same width.
    pub(super) fn load(&mut self, upper: &[u8], lower: &[u8]) {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2, the only thing this function asks for.
            return unsafe { load_avx2(&mut self.columns, upper, lower) };
        }
        load_rows(&mut self.columns, upper, lower, widened);
    }

    /// Makes the RGB pixels of both rows, one for each of `windows`.
    pub(super) fn shrink<'w>(&self, windows: impl Iterator<Item = Window<'w>>, upper: &mut [u8], lower: &mut [u8]) {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2, the only thing this function asks for.
            return unsafe { shrink_avx2(&self.columns, windows, [upper, lower]) };
        }
        shrink_rows(&self.columns, windows, [upper, lower], summed);
    }
}

/// Bytes that [`blend_row`] reads in a buffer of rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows<'a> {
    pub bytes: &'a [u8],
    /// Bytes from one row to the next.
    pub stride: usize,
    /// Byte of a row that the output starts at.
    pub left: usize,
}

/// Makes the bytes `out` of one row from the rows of `window`, byte by byte below each other.
pub(super) fn blend_row(rows: Rows<'_>, window: Window<'_>, out: &mut [u8]) {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, the only thing this function asks for.
        return unsafe { blend_row_avx2(rows, window, out) };
    }
    blend_row_anywhere(rows, window, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn load_avx2(columns: &mut Vec<Column>, upper: &[u8], lower: &[u8]) {
    load_rows(columns, upper, lower, |upper, lower| {
        let four = |[r, g, b]: Pixel| _mm_cvtepu8_epi32(_mm_cvtsi32_si128(i32::from_le_bytes([r, g, b, 0])));
        stored(_mm256_set_m128i(four(lower), four(upper)))
    });
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn shrink_avx2<'w>(columns: &[Column], windows: impl Iterator<Item = Window<'w>>, out: [&mut [u8]; 2]) {
    shrink_rows(columns, windows, out, |taps, weights| {
        let mut sums = _mm256_set1_epi32(HALF);
        for (tap, &weight) in taps.iter().zip(weights) {
            // SAFETY: a column is 32 bytes, all of which are read, and the load asks for no alignment.
            let levels = unsafe { _mm256_loadu_si256(tap.as_ptr().cast()) };
            sums = _mm256_add_epi32(sums, _mm256_mullo_epi32(levels, _mm256_set1_epi32(weight)));
        }
        // Both packs clip; a sum keeps 10 bits after the shift, so that the first never does above.
        let levels = _mm256_srai_epi32::<{ WEIGHT_BITS as i32 }>(sums);
        let words = _mm256_packus_epi32(levels, levels);
        let bytes = _mm256_packus_epi16(words, words);
        [_mm256_extract_epi32::<0>(bytes), _mm256_extract_epi32::<4>(bytes)].map(first_three)
    });
}

#[cfg(target_arch = "x86_64")]
fn first_three(four_bytes: i32) -> Pixel {
    let [r, g, b, _] = four_bytes.to_le_bytes();
    [r, g, b]
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn stored(lanes: __m256i) -> Column {
    let mut column = [0; 8];
    // SAFETY: a column is 32 bytes, all of which are written, and the store asks for no alignment.
    unsafe { _mm256_storeu_si256(column.as_mut_ptr().cast(), lanes) };
    column
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn blend_row_avx2(rows: Rows<'_>, window: Window<'_>, out: &mut [u8]) {
    blend_row_anywhere(rows, window, out);
}

#[inline(always)]
fn load_rows(columns: &mut Vec<Column>, upper: &[u8], lower: &[u8], widen: impl Fn(Pixel, Pixel) -> Column) {
    let pixels = upper.as_chunks().0.iter().zip(lower.as_chunks().0);
    columns.clear();
    columns.extend(pixels.map(|(&upper, &lower)| widen(upper, lower)));
}

#[inline(always)]
fn shrink_rows<'w>(
    columns: &[Column],
    windows: impl Iterator<Item = Window<'w>>,
    [upper, lower]: [&mut [u8]; 2],
    sum: impl Fn(&[Column], &[i32]) -> [Pixel; 2],
) {
    let out = upper.as_chunks_mut().0.iter_mut().zip(lower.as_chunks_mut().0);
    for (window, (upper, lower)) in windows.zip(out) {
        let taps = &columns[window.first..window.first + window.weights.len()];
        [*upper, *lower] = sum(taps, window.weights);
    }
}

fn widened([r, g, b]: Pixel, [s, h, c]: Pixel) -> Column {
    [r, g, b, 0, s, h, c, 0].map(i32::from)
}

fn summed(taps: &[Column], weights: &[i32]) -> [Pixel; 2] {
    let mut sums = [HALF; 8];
    for (tap, &weight) in taps.iter().zip(weights) {
        add_weighted(&mut sums, tap, weight);
    }
    let [r, g, b, _, s, h, c, _] = sums.map(level);
    [[r, g, b], [s, h, c]]
}

#[inline(always)]
fn blend_row_anywhere(rows: Rows<'_>, window: Window<'_>, out: &mut [u8]) {
    let start = window.first * rows.stride + rows.left;
    let (chunks, rest) = out.as_chunks_mut::<LANES>();
    let rest_start = start + chunks.len() * LANES;
    for (index, chunk) in chunks.iter_mut().enumerate() {
        *chunk = blended(rows, start + index * LANES, window.weights);
    }
    for (index, byte) in rest.iter_mut().enumerate() {
        [*byte] = blended(rows, rest_start + index, window.weights);
    }
}

#[inline(always)]
fn blended<const N: usize>(rows: Rows<'_>, start: usize, weights: &[i32]) -> [u8; N] {
    let mut sums = [HALF; N];
    for (index, &weight) in weights.iter().enumerate() {
        let from = start + index * rows.stride;
        add_weighted(&mut sums, &rows.bytes[from..from + N], weight);
    }
    sums.map(level)
}

/// Wraps where C would be undefined; with weights that sum to one neither happens.
#[inline(always)]
fn add_weighted<const N: usize, T: Copy + Into<i32>>(sums: &mut [i32; N], levels: &[T], weight: i32) {
    for (sum, &level) in sums.iter_mut().zip(levels) {
        *sum = sum.wrapping_add(level.into().wrapping_mul(weight));
    }
}

/// Pillow's `clip8`.
#[inline(always)]
fn level(sum: i32) -> u8 {
    (sum >> WEIGHT_BITS).clamp(0, 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both loops of a small case, by the version this machine picks and by the plain one.
    fn check(weights: &[i32], expected_pixel: [u8; 3]) {
        let row: Vec<u8> = (0..40 * 3).map(|i| (i * 37 % 256) as u8).collect();
        let window = Window { first: 2, weights };
        let (upper, lower) = row.split_at(60);
        let (mut fast, mut plain) = ([[0; 3]; 2], [[0; 3]; 2]);
        let mut pair = RowPair::default();
        pair.load(upper, lower);
        let [upper_out, lower_out] = &mut fast;
        pair.shrink([window].into_iter(), upper_out, lower_out);
        load_rows(&mut pair.columns, upper, lower, widened);
        shrink_rows(&pair.columns, [window].into_iter(), plain.each_mut().map(|out| &mut out[..]), summed);
        assert_eq!((fast, fast[0]), (plain, expected_pixel));

        let rows = Rows { bytes: &row, stride: 3, left: 0 };
        let (mut fast, mut plain) = ([0; 70], [0; 70]);
        blend_row(rows, window, &mut fast);
        blend_row_anywhere(rows, window, &mut plain);
        assert_eq!(fast, plain);
        assert_eq!(fast[..3], expected_pixel);
    }

    #[test]
    fn a_weight_of_one_copies() {
        check(&[1 << WEIGHT_BITS], [222, 3, 40]);
    }

    #[test]
    fn halves_are_rounded_up() {
        check(&[1 << (WEIGHT_BITS - 1); 2], [150, 59, 96]);
    }

    #[test]
    fn sums_beyond_a_byte_are_clipped() {
        check(&[2 << WEIGHT_BITS], [255, 6, 80]);
        check(&[-(1 << WEIGHT_BITS)], [0, 0, 0]);
    }
}
