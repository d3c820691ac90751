//! PNG bytes -> RGB pixels through the `png` crate, equal to Pillow.
//!
//! `chunks` decides what is read at all; the crate gets nothing but size, palette and data, so that no other chunk can
//! change or stop it. Composites nothing and applies no gamma or profile.
//! Holds always: palettes and low bit depths are expanded, alpha is dropped, 16 bits keep the high byte, except
//! 16-bit grey without alpha, which Pillow reads as `I;16` and clips at 255, whether or not a level is transparent.

use std::io::{Cursor, ErrorKind};

use png::{BitDepth, ColorType, DecodeOptions, Decoder, DecodingError, Limits, Transformations};

use super::chunks::PngFile;
use super::raster::{grey, on_black, without_alpha};
use crate::imaging::limits::{DecodeError, DecodeLimits};
use crate::imaging::pixels::RgbImage;

/// See [`super::dimensions`].
pub(super) fn dimensions(bytes: &[u8], limits: &DecodeLimits) -> Result<(u32, u32), DecodeError> {
    let (width_px, height_px) = PngFile::read(bytes)?.size_px;
    limits.admit(width_px, height_px)?;
    Ok((width_px, height_px))
}

/// See [`super::decode()`].
pub(super) fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<RgbImage, DecodeError> {
    let file = PngFile::read(bytes)?;
    limits.admit(file.size_px.0, file.size_px.1)?;
    let decoded = pixels(&file).map_err(|error| match error {
        DecodingError::IoError(cause) if cause.kind() == ErrorKind::UnexpectedEof => truncated(),
        _ if file.is_cut => truncated(),
        other => DecodeError::corrupt("PNG", other),
    });
    let picture = RgbImage::new(file.part.width_px, file.part.height_px, decoded?)?;
    file.check_rest()?;
    if (file.part.width_px, file.part.height_px) == file.size_px {
        return Ok(picture);
    }
    on_black(&picture, (file.part.left, file.part.top), file.size_px)
}

fn truncated() -> DecodeError {
    DecodeError::Truncated { format: "PNG" }
}

/// `[height, width, 3]` u8 of the file's part.
fn pixels(file: &PngFile<'_>) -> Result<Vec<u8>, DecodingError> {
    let mut options = DecodeOptions::default();
    // Pillow skips the checksums of chunks of data, and zlib checks that of all data together.
    options.set_ignore_crc(true);
    options.set_ignore_adler32(false);
    let mut decoder = Decoder::new_with_options(Cursor::new(plain(file)), options);
    // The picture's size has been admitted; beside it the crate takes a few rows.
    decoder.set_limits(Limits { bytes: usize::MAX });
    decoder.set_transformations(Transformations::EXPAND);
    let mut reader = decoder.read_info()?;
    let mut samples = vec![0; reader.output_buffer_size().ok_or(DecodingError::LimitsExceeded)?];
    reader.next_frame(&mut samples)?;
    let (colour, depth) = reader.output_color_type();
    Ok(rgb(samples, colour, depth == BitDepth::Sixteen))
}

/// The file again, with nothing but what pixels depend on. Checksums are not read: they are 0.
fn plain(file: &PngFile<'_>) -> Vec<u8> {
    let mut header = [file.part.width_px.to_be_bytes(), file.part.height_px.to_be_bytes()].concat();
    header.extend([file.depth, file.colour, 0, 0, u8::from(file.is_interlaced)]);
    let bytes: usize = file.data.iter().map(|data| data.len() + 12).sum();
    let mut plain = Vec::with_capacity(bytes + 1024);
    plain.extend(b"\x89PNG\r\n\x1a\n");
    add(&mut plain, *b"IHDR", &header);
    file.palette.iter().for_each(|palette| add(&mut plain, *b"PLTE", palette));
    file.data.iter().for_each(|data| add(&mut plain, *b"IDAT", data));
    add(&mut plain, *b"IEND", &[]);
    plain
}

fn add(plain: &mut Vec<u8>, kind: [u8; 4], data: &[u8]) {
    plain.extend((data.len() as u32).to_be_bytes());
    plain.extend(kind);
    plain.extend(data);
    plain.extend([0; 4]);
}

/// `samples`: `[height, width, channels]`, u16 with the high byte first where `is_wide`.
fn rgb(samples: Vec<u8>, colour: ColorType, is_wide: bool) -> Vec<u8> {
    match (colour, is_wide) {
        (ColorType::Rgb, false) => samples,
        (ColorType::Rgb, true) => high_bytes(&samples).collect(),
        (ColorType::Rgba, false) => without_alpha(&samples),
        (ColorType::Rgba, true) => without_alpha(&high_bytes(&samples).collect::<Vec<_>>()),
        (ColorType::GrayscaleAlpha, false) => grey(samples.iter().copied().step_by(2)),
        (ColorType::GrayscaleAlpha, true) => grey(high_bytes(&samples).step_by(2)),
        (_, false) => grey(samples.into_iter()),
        (_, true) => grey(samples.as_chunks::<2>().0.iter().map(clipped)),
    }
}

fn high_bytes(samples: &[u8]) -> impl Iterator<Item = u8> {
    samples.iter().copied().step_by(2)
}

fn clipped(&[high, low]: &[u8; 2]) -> u8 {
    if high == 0 { low } else { u8::MAX }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_bit_grey_is_clipped_and_not_scaled() {
        let samples = [0u16, 200, 40_000].map(u16::to_be_bytes).concat();
        assert_eq!(rgb(samples, ColorType::Grayscale, true), [0, 0, 0, 200, 200, 200, 255, 255, 255]);
    }

    #[test]
    fn sixteen_bit_colour_keeps_its_high_byte_and_loses_its_alpha() {
        let samples = [0x1234u16, 0xff00, 0x00ff, 0].map(u16::to_be_bytes).concat();
        assert_eq!(rgb(samples, ColorType::Rgba, true), [0x12, 0xff, 0]);
    }
}
