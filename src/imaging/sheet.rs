//! The JPEG of an image that people see: two files differ in nothing but their pictures.
//!
//! Holds always: for one `side_px` all files have the same size in px and in bytes and carry no metadata, because a
//! file's size or date could reveal a sentinel; the same image with another seed gives other bytes and, invisibly,
//! other pixels, because equal files would reveal a repeat; the same image with the same seed gives the same bytes.

use super::encode::{EncodeError, encode_jpeg};
use super::pixels::RgbImage;
use super::resample::{Region, Target, resample};
use crate::domain::{Interpolation, Philox};

/// Tried in turn until the file is small enough.
const QUALITIES: [u8; 7] = [90, 80, 70, 55, 40, 25, 8];
/// Grey around images that are not square.
const GREY: u8 = 127;
/// Streams of random numbers.
const DITHER: u64 = 0;
const PADDING: u64 = 1;
/// The largest segment of a JPEG: marker, length, data.
const MOST_SEGMENT: usize = 65_537;
/// The smallest.
const LEAST_SEGMENT: usize = 4;

/// Size of every file for squares of `side_px`: four bits a pixel, which quality 90 seldom needs.
pub fn sheet_bytes(side_px: u32) -> usize {
    (side_px as usize).pow(2) / 2 + 1024
}

/// `image` as people see it: scaled (Lanczos) to fit into a square of `side_px` (at least 1), on grey.
///
/// One pixel in eight is moved by one level, so that two files of one image share neither bytes nor all pixels;
/// comments of random bytes fill the file up to [`sheet_bytes`].
pub fn sheet_jpeg(image: &RgbImage, side_px: u32, seed: u64) -> Result<Vec<u8>, EncodeError> {
    let mut square = on_grey(&fitted(image, side_px.max(1)), side_px.max(1));
    dither(square.pixels_mut(), seed);
    let size = sheet_bytes(side_px);
    let mut smallest = Vec::new();
    for quality in QUALITIES {
        smallest = encode_jpeg(&square, quality)?;
        if smallest.len() + LEAST_SEGMENT <= size {
            return Ok(padded(&smallest, size, seed));
        }
    }
    let (width_px, height_px, found) = (side_px, side_px, smallest.len());
    let reason = format!("{found} bytes at the lowest quality are more than {size}");
    Err(EncodeError::Failed { format: "JPEG", width_px, height_px, reason })
}

fn fitted(image: &RgbImage, side_px: u32) -> RgbImage {
    let longer = u64::from(image.width_px().max(image.height_px()));
    let scaled = |side: u32| ((u64::from(side) * u64::from(side_px) + longer / 2) / longer).max(1) as u32;
    let (width_px, height_px) = (scaled(image.width_px()), scaled(image.height_px()));
    let region = Region { left: 0, top: 0, width_px, height_px };
    resample(image, &Target { width_px: width_px.into(), height_px: height_px.into(), region }, Interpolation::Lanczos)
}

fn on_grey(image: &RgbImage, side_px: u32) -> RgbImage {
    let mut square = RgbImage::black(side_px, side_px);
    let (left, top) = ((side_px - image.width_px()) / 2, (side_px - image.height_px()) / 2);
    let (row, stride) = (3 * image.width_px() as usize, 3 * side_px as usize);
    let pixels = square.pixels_mut();
    pixels.fill(GREY);
    for (from, to) in image.pixels().chunks_exact(row).zip(pixels.chunks_exact_mut(stride).skip(top as usize)) {
        to[3 * left as usize..][..row].copy_from_slice(from);
    }
    square
}

/// Moves one pixel in eight up or down by one level.
fn dither(pixels: &mut [u8], seed: u64) {
    let noise = Philox::new(seed, DITHER);
    // 128 random bits do for 32 pixels of four bits each.
    for (block, pixels) in pixels.chunks_mut(3 * 32).enumerate() {
        let words = noise.words(block as u64);
        for (at, pixel) in pixels.chunks_mut(3).enumerate() {
            match words[at / 8] >> (4 * (at % 8)) & 15 {
                0 => pixel.iter_mut().for_each(|level| *level = level.saturating_add(1)),
                1 => pixel.iter_mut().for_each(|level| *level = level.saturating_sub(1)),
                _ => {}
            }
        }
    }
}

/// The JPEG with comments of random bytes after its first segment, `size` bytes in all.
fn padded(jpeg: &[u8], size: usize, seed: u64) -> Vec<u8> {
    let after_header = match jpeg {
        [0xff, 0xd8, 0xff, 0xe0, high, low, ..] => 4 + usize::from(u16::from_be_bytes([*high, *low])),
        _ => 2,
    };
    let noise = Philox::new(seed, PADDING);
    let mut random = (0..).flat_map(|at| noise.words(at)).flat_map(u32::to_le_bytes);
    let mut padded = Vec::with_capacity(size);
    padded.extend(&jpeg[..after_header]);
    let mut rest = size - jpeg.len();
    while rest > 0 {
        let mut segment = rest.min(MOST_SEGMENT);
        // What is left must be large enough for a segment of its own.
        if (1..LEAST_SEGMENT).contains(&(rest - segment)) {
            segment -= LEAST_SEGMENT;
        }
        padded.extend([0xff, 0xfe]);
        padded.extend(((segment - 2) as u16).to_be_bytes());
        padded.extend(random.by_ref().take(segment - LEAST_SEGMENT));
        rest -= segment;
    }
    padded.extend(&jpeg[after_header..]);
    padded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imaging::{DecodeLimits, decode};

    fn picture(width_px: u32, height_px: u32) -> RgbImage {
        let pixels = (0..width_px * height_px * 3).map(|at| (at / 7 % 251) as u8).collect();
        RgbImage::new(width_px, height_px, pixels).unwrap()
    }

    fn noise(side_px: u32) -> RgbImage {
        let noise = Philox::new(1, 2);
        let pixels = (0..u64::from(side_px).pow(2) * 3).map(|at| noise.words(at)[0] as u8).collect();
        RgbImage::new(side_px, side_px, pixels).unwrap()
    }

    #[test]
    fn all_files_have_one_size_whatever_they_show() {
        for image in [picture(300, 40), picture(1, 500), picture(64, 64), noise(256), noise(700)] {
            let jpeg = sheet_jpeg(&image, 256, 9).unwrap();
            let back = decode(&jpeg, &DecodeLimits::default()).unwrap();
            assert_eq!((jpeg.len(), back.width_px(), back.height_px()), (sheet_bytes(256), 256, 256));
        }
    }

    #[test]
    fn two_files_of_one_image_differ_in_bytes_and_pixels_but_not_to_the_eye() {
        let image = picture(300, 200);
        let [one, again, other] = [3, 3, 4].map(|seed| sheet_jpeg(&image, 256, seed).unwrap());
        assert_eq!(one, again);
        let [one, other] = [one, other].map(|jpeg| decode(&jpeg, &DecodeLimits::default()).unwrap());
        assert_ne!(one, other);
        let off = one.pixels().iter().zip(other.pixels()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum::<u64>();
        assert!(off < one.pixels().len() as u64, "{off} levels in all");
    }

    #[test]
    fn padding_of_any_length_is_made_of_whole_segments() {
        let jpeg = encode_jpeg(&picture(20, 20), 90).unwrap();
        for more in [4, 5, 65_536, 65_537, 65_538, 65_540, 65_541, 200_000] {
            let padded = padded(&jpeg, jpeg.len() + more, 1);
            assert_eq!(padded.len(), jpeg.len() + more);
            assert_eq!(
                decode(&padded, &DecodeLimits::default()).unwrap(),
                decode(&jpeg, &DecodeLimits::default()).unwrap()
            );
        }
    }
}
