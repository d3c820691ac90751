//! JPEG bytes -> RGB pixels through mozjpeg, equal to Pillow's libjpeg-turbo byte for byte.
//!
//! Does not rotate by EXIF, apply profiles or look beyond the first picture (MPO).
//! Holds always: no libjpeg error leaves this file as a panic; data that ends before the last row is an error,
//! although libjpeg would fill the rest with grey; its other warnings are ignored, as Pillow ignores them.
//!
//! Sources: Pillow 13, `JpegDecode.c` (suspends at the end of data, which `ImageFile.load` reports as truncation),
//! `JpegImagePlugin.py` (four channels are read as `CMYK;I`, inverted) and `Convert.c` (`cmyk2rgb`).

use std::cell::Cell;
use std::io::{self, BufRead, Read};

use mozjpeg::{ColorSpace, Decompress};

use super::scans::{MOST_SCANS, scans};
use crate::imaging::limits::{DecodeError, DecodeLimits};
use crate::imaging::pixels::RgbImage;
use crate::input::caught;

/// See [`super::decode()`].
pub(super) fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<RgbImage, DecodeError> {
    if scans(bytes) > MOST_SCANS {
        return Err(corrupt(format!("more than {MOST_SCANS} scans")));
    }
    let at_end = Cell::new(false);
    guarded(&at_end, || read_pixels(open(bytes, &at_end)?, limits, &at_end))
}

/// See [`super::dimensions`].
pub(super) fn dimensions(bytes: &[u8], limits: &DecodeLimits) -> Result<(u32, u32), DecodeError> {
    let at_end = Cell::new(false);
    guarded(&at_end, || admitted_size(&open(bytes, &at_end)?, limits))
}

/// Runs libjpeg; its fatal errors unwind and become values here.
fn guarded<T>(at_end: &Cell<bool>, work: impl FnOnce() -> Result<T, DecodeError>) -> Result<T, DecodeError> {
    // Nothing that `work` can leave half-changed is used after an unwind: the decompressor is dropped with it.
    let outcome = caught(work).unwrap_or_else(|said| Err(corrupt(without_name(&said))));
    match outcome {
        Err(DecodeError::Corrupt { .. }) if at_end.get() => Err(DecodeError::Truncated { format: "JPEG" }),
        other => other,
    }
}

fn without_name(said: &str) -> &str {
    said.trim_start_matches("libjpeg fatal error: ")
}

fn corrupt(reason: impl ToString) -> DecodeError {
    DecodeError::corrupt("JPEG", reason)
}

type Source<'a> = Decompress<WatchedBytes<'a>>;

fn open<'a>(bytes: &'a [u8], at_end: &'a Cell<bool>) -> Result<Source<'a>, DecodeError> {
    Decompress::new_reader(WatchedBytes { left: bytes, at_end }).map_err(corrupt)
}

fn admitted_size(source: &Source<'_>, limits: &DecodeLimits) -> Result<(u32, u32), DecodeError> {
    // libjpeg's sides are 16 bits in the file.
    let (width_px, height_px) = (source.width() as u32, source.height() as u32);
    limits.admit(width_px, height_px)?;
    Ok((width_px, height_px))
}

fn read_pixels(source: Source<'_>, limits: &DecodeLimits, at_end: &Cell<bool>) -> Result<RgbImage, DecodeError> {
    let (width_px, height_px) = admitted_size(&source, limits)?;
    let pixels = match source.components().len() {
        1 | 3 => read_rows(source, ColorSpace::JCS_RGB, at_end)?,
        4 => rgb_of_inverted_cmyk(&read_rows(source, ColorSpace::JCS_CMYK, at_end)?),
        channels => return Err(corrupt(format!("{channels} channels"))),
    };
    Ok(RgbImage::new(width_px, height_px, pixels)?)
}

/// `[height, width, channels]` u8.
///
/// As Pillow, reads on to the end of the picture: that the data end before it is no error, another scan is.
fn read_rows(source: Source<'_>, space: ColorSpace, at_end: &Cell<bool>) -> Result<Vec<u8>, DecodeError> {
    let mut rows = source.to_colorspace(space).map_err(corrupt)?;
    let mut pixels = vec![0; rows.width() * rows.height() * space_channels(space)];
    rows.read_scanlines_into::<u8>(&mut pixels).map_err(corrupt)?;
    if at_end.get() {
        return Err(DecodeError::Truncated { format: "JPEG" });
    }
    match caught(|| rows.finish()) {
        Err(said) if !at_end.get() => Err(corrupt(without_name(&said))),
        _ => Ok(pixels),
    }
}

fn space_channels(space: ColorSpace) -> usize {
    if space == ColorSpace::JCS_CMYK { 4 } else { 3 }
}

/// Pillow's `cmyk2rgb` on bytes that are stored inverted, as Adobe writes them and Pillow assumes always.
fn rgb_of_inverted_cmyk(inverted: &[u8]) -> Vec<u8> {
    let pixel = |cmyk: &[u8; 4]| {
        let white = u32::from(cmyk[3]);
        [cmyk[0], cmyk[1], cmyk[2]].map(|ink| rgb_channel(255 - u32::from(ink), white))
    };
    inverted.as_chunks::<4>().0.iter().flat_map(pixel).collect()
}

/// `white - ink * white / 255`, rounded as the macro MULDIV255 of Pillow's `ImagingUtils.h` does.
fn rgb_channel(ink: u32, white: u32) -> u8 {
    let product = ink * white + 128;
    (white - (((product >> 8) + product) >> 8)) as u8
}

/// Hands all bytes to libjpeg at once and notes when it asks for more than there are.
///
/// Pillow fails exactly then: it suspends libjpeg at the end of the data, and no more comes.
struct WatchedBytes<'a> {
    left: &'a [u8],
    at_end: &'a Cell<bool>,
}

impl BufRead for WatchedBytes<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.at_end.set(self.left.is_empty());
        Ok(self.left)
    }

    fn consume(&mut self, bytes: usize) {
        self.left = &self.left[bytes.min(self.left.len())..];
    }
}

impl Read for WatchedBytes<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.left.read(into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cmyk_becomes_rgb_as_in_pillow() {
        // Image.merge("CMYK", …).convert("RGB") of Pillow 13, for the values that a file holds inverted.
        let inverted = [255, 255, 255, 255, 0, 128, 255, 255, 10, 100, 200, 77, 0, 0, 0, 0];
        let expected = [255, 255, 255, 0, 128, 255, 3, 30, 60, 0, 0, 0];
        assert_eq!(rgb_of_inverted_cmyk(&inverted), expected);
    }

    #[test]
    fn ink_never_takes_more_than_white() {
        for ink in 0..=255 {
            for white in 0..=255 {
                let exact = f64::from(white) * (1.0 - f64::from(ink) / 255.0);
                assert!((f64::from(rgb_channel(ink, white)) - exact).abs() <= 0.5, "{ink} {white}");
            }
        }
    }
}
