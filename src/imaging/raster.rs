//! PNG, WebP and BMP bytes -> RGB pixels through the `image` crate, with Pillow's conversions.
//!
//! Does not decode JPEG (`image`'s decoder differs from libjpeg by up to 4 levels) and composites nothing.
//! Holds always: palettes and low bit depths are expanded, alpha is dropped, 16 bits keep the high byte, except
//! 16-bit grey without alpha, which Pillow reads as `I;16` and clips at 255.
//!
//! Known differences from Pillow: BMPs of 16 bits a pixel are one level off in half of their bytes; a PNG that is cut
//! in the checksums after its last pixel is refused here and read there.

use std::io::{self, Cursor};

use image::codecs::{bmp::BmpDecoder, png::PngDecoder, webp::WebPDecoder};
use image::{DynamicImage, ImageDecoder, ImageError, ImageResult, Limits};

use super::limits::{DecodeError, DecodeLimits};
use super::pixels::RgbImage;

/// Memory for chunks beside the pixels (profiles, text): a small PNG must not unpack a large one.
const SIDE_DATA_BYTES: u64 = 64 << 20;

/// The header of a PNG, and of an APNG its default image.
pub(super) fn png<'a>(bytes: &'a [u8], limits: &DecodeLimits) -> Result<PngDecoder<Cursor<&'a [u8]>>, DecodeError> {
    let mut memory = Limits::no_limits();
    // Four channels of 16 bits: the widest pixel there is, twice for the rows under way.
    memory.max_alloc = Some(limits.max_pixels.saturating_mul(16).saturating_add(SIDE_DATA_BYTES));
    named(PngDecoder::with_limits(Cursor::new(bytes), memory), "PNG")
}

/// The header of a WebP.
pub(super) fn webp(bytes: &[u8]) -> Result<WebPDecoder<Cursor<&[u8]>>, DecodeError> {
    named(WebPDecoder::new(Cursor::new(bytes)), "WebP")
}

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
    let pixels = rgb(decoded).ok_or_else(|| corrupt(format, "an unknown kind of pixel"))?;
    Ok(RgbImage::new(width_px, height_px, pixels)?)
}

/// `[height, width, 3]` u8 of any pixel kind that the three formats have.
fn rgb(decoded: DynamicImage) -> Option<Vec<u8>> {
    Some(match decoded {
        DynamicImage::ImageRgb8(image) => image.into_raw(),
        DynamicImage::ImageRgba8(image) => without_alpha(&image),
        DynamicImage::ImageLuma8(image) => grey(image.iter().copied()),
        DynamicImage::ImageLumaA8(image) => grey(image.iter().copied().step_by(2)),
        DynamicImage::ImageLuma16(image) => grey(image.iter().map(|&level| level.min(255) as u8)),
        DynamicImage::ImageLumaA16(image) => grey(image.iter().step_by(2).map(high_byte)),
        DynamicImage::ImageRgb16(image) => image.iter().map(high_byte).collect(),
        DynamicImage::ImageRgba16(image) => without_alpha(&image.iter().map(high_byte).collect::<Vec<_>>()),
        _ => return None,
    })
}

fn high_byte(level: &u16) -> u8 {
    (level >> 8) as u8
}

fn without_alpha(rgba: &[u8]) -> Vec<u8> {
    rgba.as_chunks::<4>().0.iter().flat_map(|&[red, green, blue, _]| [red, green, blue]).collect()
}

fn grey(levels: impl Iterator<Item = u8>) -> Vec<u8> {
    levels.flat_map(|level| [level; 3]).collect()
}

fn named<T>(result: ImageResult<T>, format: &'static str) -> Result<T, DecodeError> {
    result.map_err(|error| match error {
        ImageError::IoError(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => DecodeError::Truncated { format },
        other => corrupt(format, other),
    })
}

fn corrupt(format: &'static str, reason: impl ToString) -> DecodeError {
    DecodeError::Corrupt { format, reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ImageBuffer, Rgba};

    #[test]
    fn sixteen_bit_grey_is_clipped_and_not_scaled() {
        let image = ImageBuffer::from_raw(3, 1, vec![0u16, 200, 40_000]).unwrap();
        assert_eq!(rgb(DynamicImage::ImageLuma16(image)).unwrap(), [0, 0, 0, 200, 200, 200, 255, 255, 255]);
    }

    #[test]
    fn sixteen_bit_colour_keeps_its_high_byte_and_loses_its_alpha() {
        let image = ImageBuffer::<Rgba<u16>, _>::from_raw(1, 1, vec![0x1234, 0xff00, 0x00ff, 0]).unwrap();
        assert_eq!(rgb(DynamicImage::ImageRgba16(image)).unwrap(), [0x12, 0xff, 0]);
    }

    #[test]
    fn transparent_pixels_keep_their_colour() {
        let image = ImageBuffer::from_raw(1, 1, vec![9, 8, 7, 0]).unwrap();
        assert_eq!(rgb(DynamicImage::ImageRgba8(image)).unwrap(), [9, 8, 7]);
    }
}
