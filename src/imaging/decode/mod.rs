//! Bytes of a picture file -> RGB pixels, equal to Pillow's `Image.open(f).convert("RGB")`.
//!
//! Tells the format by content, never by a name; applies no colour profile and no EXIF rotation, and drops alpha
//! without compositing, all as Pillow does and as ImageNet is evaluated.
//! Holds always: this folder is the one place where bytes of pictures meet decoders, and [`guarded`] its one door:
//! the decoders are private to it, so that nothing can go round the guard, and a picture that makes a decoder panic
//! costs itself alone. A file over [`DecodeLimits`] is refused from its header, before memory is taken for its pixels;
//! of an animation the first frame is read; a file that ends too early is an error, not a picture with a grey bottom.

mod chunks;
mod frames;

mod jpeg;
mod png;
mod raster;
mod scans;
mod webp;

use super::limits::{DecodeError, DecodeLimits};
use super::pixels::RgbImage;

/// The pixels of the first picture in `bytes`, exactly Pillow's `convert("RGB")`.
///
/// JPEG (grey, YCbCr, RGB, CMYK, YCCK; baseline and progressive), PNG (all kinds), WebP and BMP. 16-bit channels keep
/// their high byte, but 16-bit grey without alpha is clipped at 255, as Pillow's `I;16` is.
pub fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<RgbImage, DecodeError> {
    guarded(bytes, limits, |format| match format {
        Format::Jpeg => jpeg::decode(bytes, limits),
        Format::Png => png::decode(bytes, limits),
        Format::WebP => webp::decode(bytes, limits),
        Format::Bmp => raster::decode(raster::bmp(bytes)?, limits, "BMP"),
    })
}

/// (width_px, height_px) from the header alone, checked against the same limits; the pixels may still be broken.
pub fn dimensions(bytes: &[u8], limits: &DecodeLimits) -> Result<(u32, u32), DecodeError> {
    guarded(bytes, limits, |format| match format {
        Format::Jpeg => jpeg::dimensions(bytes, limits),
        Format::Png => png::dimensions(bytes, limits),
        Format::WebP => webp::dimensions(bytes, limits),
        Format::Bmp => raster::dimensions(&raster::bmp(bytes)?, limits),
    })
}

/// Has `decoder` work on `bytes`; a panic of it becomes a reason like any other.
fn guarded<T>(
    bytes: &[u8],
    limits: &DecodeLimits,
    decoder: impl FnOnce(Format) -> Result<T, DecodeError>,
) -> Result<T, DecodeError> {
    let format = identify(bytes, limits)?;
    let panicked = |said: String| DecodeError::corrupt(format.name(), format!("its decoder broke down: {said}"));
    crate::input::caught(|| decoder(format)).unwrap_or_else(|said| Err(panicked(said)))
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Format {
    Jpeg,
    Png,
    WebP,
    Bmp,
}

impl Format {
    fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::WebP => "WebP",
            Self::Bmp => "BMP",
        }
    }
}

/// The extension for a file with these bytes: `jpg`, `png`, `webp` or `bmp`; `img` for bytes that are not a picture.
pub fn extension(bytes: &[u8]) -> &'static str {
    match identify(bytes, &DecodeLimits { max_file_bytes: u64::MAX, max_pixels: u64::MAX }) {
        Ok(Format::Jpeg) => "jpg",
        Ok(Format::Png) => "png",
        Ok(Format::WebP) => "webp",
        Ok(Format::Bmp) => "bmp",
        Err(_) => "img",
    }
}

/// First bytes of common picture formats that are not supported.
const UNSUPPORTED: [(&[u8], &str); 8] = [
    (b"GIF8", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"\0\0\x01\0", "ICO"),
    (b"8BPS", "Photoshop"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x0a", "JPEG XL"),
    (b"<svg", "SVG"),
];

fn identify(bytes: &[u8], limits: &DecodeLimits) -> Result<Format, DecodeError> {
    if bytes.is_empty() {
        return Err(DecodeError::Empty);
    }
    if bytes.len() as u64 > limits.max_file_bytes {
        return Err(DecodeError::TooManyBytes { bytes: bytes.len() as u64, limit: limits.max_file_bytes });
    }
    match bytes {
        [0xff, 0xd8, 0xff, ..] => Ok(Format::Jpeg),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Ok(Format::Png),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Ok(Format::WebP),
        [b'B', b'M', ..] => Ok(Format::Bmp),
        _ => Err(refusal(bytes)),
    }
}

/// Names the format of a picture that is not supported, so that nobody looks for damage in an intact file.
fn refusal(bytes: &[u8]) -> DecodeError {
    if bytes.get(4..8) == Some(b"ftyp") {
        return DecodeError::UnsupportedFormat { format: "HEIC or AVIF" };
    }
    let known = UNSUPPORTED.iter().find(|(magic, _)| bytes.starts_with(magic));
    known.map_or(DecodeError::NotAnImage, |&(_, format)| DecodeError::UnsupportedFormat { format })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imaging::{encode_jpeg, encode_png};

    /// Decodes under `limits` and compares the error's text with how it must begin.
    fn check(bytes: &[u8], limits: &DecodeLimits, expected: &str) {
        let from_pixels = decode(bytes, limits).unwrap_err().to_string();
        assert!(from_pixels.starts_with(expected), "{from_pixels}");
    }

    fn gradient(width_px: u32, height_px: u32) -> RgbImage {
        let pixels = (0..width_px * height_px * 3).map(|i| (i * 5 % 256) as u8).collect();
        RgbImage::new(width_px, height_px, pixels).unwrap()
    }

    #[test]
    fn what_is_no_picture_says_what_it_is() {
        let limits = DecodeLimits::default();
        check(b"", &limits, "the file is empty");
        check(b"hello", &limits, "the content is not a picture");
        check(b"GIF89a....", &limits, "GIF is not supported");
        check(b"II*\0....", &limits, "TIFF is not supported");
        check(b"\0\0\0\x20ftypavif", &limits, "HEIC or AVIF is not supported");
    }

    #[test]
    fn limits_hold_for_files_and_for_pixels() {
        let png = encode_png(&gradient(20, 10), &[]).unwrap();
        let few_bytes = DecodeLimits { max_file_bytes: 9, ..DecodeLimits::default() };
        check(&png, &few_bytes, "the file has");
        let few_pixels = DecodeLimits { max_pixels: 199, ..DecodeLimits::default() };
        check(&png, &few_pixels, "the header says 20 x 10 px, over the limit of 199");
        let jpeg = encode_jpeg(&gradient(20, 10), 90).unwrap();
        check(&jpeg, &few_pixels, "the header says 20 x 10 px, over the limit of 199");
        assert!(dimensions(&png, &few_pixels).is_err() && dimensions(&jpeg, &few_pixels).is_err());
    }

    #[test]
    fn dimensions_come_from_the_header_of_a_cut_file() {
        let image = gradient(20, 10);
        let limits = DecodeLimits::default();
        for bytes in [encode_png(&image, &[]).unwrap(), encode_jpeg(&image, 90).unwrap()] {
            let cut = &bytes[..bytes.len() - 40];
            assert_eq!(dimensions(cut, &limits).unwrap(), (20, 10));
            assert!(matches!(decode(cut, &limits), Err(DecodeError::Truncated { .. })));
        }
    }

    #[test]
    fn bytes_after_a_signature_that_make_no_sense_are_an_error_and_no_panic() {
        let limits = DecodeLimits::default();
        for magic in [&b"\xff\xd8\xff"[..], b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP", b"BM"] {
            for filler in [0u8, 0x41, 0xff] {
                let bytes = [magic, &[filler; 64]].concat();
                assert!(decode(&bytes, &limits).is_err() && dimensions(&bytes, &limits).is_err());
                assert!(decode(magic, &limits).is_err());
            }
        }
    }
}
