//! Decoders of the `image` crate -> RGB pixels, with Pillow's conversions: BMP, and what `webp` hands over.
//!
//! Does not decode JPEG (`image`'s decoder differs from libjpeg by up to 4 levels) or PNG (whose checksums and 16-bit
//! grey need more say than `image` gives), and composites nothing.
//! Holds always: alpha is dropped, and pixels under full transparency keep their colour.
//!
//! Known difference from Pillow: BMPs of 16 bits a pixel are one level off in half of their bytes.

use std::io::{self, Cursor};

use image::codecs::bmp::BmpDecoder;
use image::{DynamicImage, ImageDecoder, ImageError, ImageResult};

use crate::imaging::limits::{DecodeError, DecodeLimits};
use crate::imaging::pixels::RgbImage;

/// The header of a BMP.
pub(super) fn bmp(bytes: &[u8]) -> Result<BmpDecoder<Cursor<&[u8]>>, DecodeError> {
    named(BmpDecoder::new(Cursor::new(bytes)), "BMP")
}

/// See [`super::dimensions`].
pub(super) fn dimensions(header: &impl ImageDecoder, limits: &DecodeLimits) -> Result<(u32, u32), DecodeError> {
    let (width_px, height_px) = header.dimensions();
    limits.admit(width_px, height_px)?;
    Ok((width_px, height_px))
}

/// See [`super::decode()`].
pub(super) fn decode(
    header: impl ImageDecoder,
    limits: &DecodeLimits,
    format: &'static str,
) -> Result<RgbImage, DecodeError> {
    let (width_px, height_px) = dimensions(&header, limits)?;
    let decoded = named(DynamicImage::from_decoder(header), format)?;
    let pixels = rgb(decoded).ok_or_else(|| DecodeError::corrupt(format, "an unknown kind of pixel"))?;
    Ok(RgbImage::new(width_px, height_px, pixels)?)
}

/// `[height, width, 3]` u8 of any pixel kind that the two formats have.
fn rgb(decoded: DynamicImage) -> Option<Vec<u8>> {
    Some(match decoded {
        DynamicImage::ImageRgb8(image) => image.into_raw(),
        DynamicImage::ImageRgba8(image) => without_alpha(&image),
        DynamicImage::ImageLuma8(image) => grey(image.iter().copied()),
        _ => return None,
    })
}

/// `[r, g, b, a, r, …]` without its alpha.
pub(super) fn without_alpha(rgba: &[u8]) -> Vec<u8> {
    rgba.as_chunks::<4>().0.iter().flat_map(|&[red, green, blue, _]| [red, green, blue]).collect()
}

/// Each level three times.
pub(super) fn grey(levels: impl Iterator<Item = u8>) -> Vec<u8> {
    levels.flat_map(|level| [level; 3]).collect()
}

/// An error of the `image` crate as ours.
pub(super) fn named<T>(result: ImageResult<T>, format: &'static str) -> Result<T, DecodeError> {
    result.map_err(|error| match error {
        ImageError::IoError(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => DecodeError::Truncated { format },
        other => DecodeError::corrupt(format, other),
    })
}

/// `picture` at `place` (left, top) of a black canvas of `size_px` (width, height), inside which it must lie.
pub(super) fn on_black(picture: &RgbImage, place: (u32, u32), size_px: (u32, u32)) -> Result<RgbImage, DecodeError> {
    let (left, top) = (place.0 as usize, place.1 as usize);
    let (row, stride) = (picture.stride(), 3 * size_px.0 as usize);
    let mut pixels = vec![0; stride * size_px.1 as usize];
    for (from, to) in picture.pixels().chunks_exact(row).zip(pixels.chunks_exact_mut(stride).skip(top)) {
        to[3 * left..][..row].copy_from_slice(from);
    }
    Ok(RgbImage::new(size_px.0, size_px.1, pixels)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::ImageBuffer;

    #[test]
    fn transparent_pixels_keep_their_colour() {
        let image = ImageBuffer::from_raw(1, 1, vec![9, 8, 7, 0]).unwrap();
        assert_eq!(rgb(DynamicImage::ImageRgba8(image)).unwrap(), [9, 8, 7]);
    }

    #[test]
    fn a_part_lies_on_black_at_its_place() {
        let part = RgbImage::new(1, 1, vec![1, 2, 3]).unwrap();
        let whole = on_black(&part, (1, 1), (2, 2)).unwrap();
        assert_eq!(whole.pixels(), [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3]);
    }
}
