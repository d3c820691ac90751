//! RGB pixels -> PNG (the images themselves, lossless) and JPEG (thumbnails) bytes.
//!
//! Writes no metadata of its own: no time, no profile; a PNG carries the texts that it is given.
//! Holds always: the same pixels give the same bytes for one version of the encoders; a PNG decodes to its pixels.

use std::panic::{AssertUnwindSafe, catch_unwind};

use mozjpeg::{ColorSpace, Compress};

use super::pixels::RgbImage;

/// The longest side that a JPEG can state, in px.
const MAX_JPEG_SIDE_PX: u32 = 65_500;

/// Why an image could not be written.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "the message of a variant is its documentation")]
pub enum EncodeError {
    #[error(
        "cannot write a JPEG of {width_px} x {height_px} px: a side has at most {MAX_JPEG_SIDE_PX} px; make it \
         smaller or write a PNG"
    )]
    TooLarge { width_px: u32, height_px: u32 },
    #[error(
        "the {format} encoder failed on {width_px} x {height_px} px: {reason}; free some memory, or report this as a \
         bug"
    )]
    Failed { format: &'static str, width_px: u32, height_px: u32, reason: String },
}

/// A PNG of the same pixels, 8-bit RGB, with `texts` (keyword of 1 to 79 Latin letters, any text) in iTXt chunks.
pub fn encode_png(image: &RgbImage, texts: &[(&str, String)]) -> Result<Vec<u8>, EncodeError> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, image.width_px(), image.height_px());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Balanced);
    encoder.set_filter(png::Filter::Adaptive);
    let written = (texts.iter())
        .try_for_each(|(keyword, text)| encoder.add_itxt_chunk((*keyword).to_owned(), text.clone()))
        .and_then(|()| encoder.write_header())
        .and_then(|mut writer| writer.write_image_data(image.pixels()).and_then(|()| writer.finish()));
    written.map_err(|error| failed("PNG", image, error))?;
    Ok(bytes)
}

/// A JPEG for people to look at; `quality` in 1..=100 as in libjpeg, values outside count as the nearest.
pub fn encode_jpeg(image: &RgbImage, quality: u8) -> Result<Vec<u8>, EncodeError> {
    let (width_px, height_px) = (image.width_px(), image.height_px());
    if width_px.max(height_px) > MAX_JPEG_SIDE_PX {
        return Err(EncodeError::TooLarge { width_px, height_px });
    }
    // libjpeg's fatal errors unwind; the compressor is dropped with them.
    let written = catch_unwind(AssertUnwindSafe(|| compress(image, quality)));
    let written = written.unwrap_or_else(|_| Err(std::io::Error::other("libjpeg gave up")));
    written.map_err(|error| failed("JPEG", image, error))
}

fn compress(image: &RgbImage, quality: u8) -> std::io::Result<Vec<u8>> {
    let mut settings = Compress::new(ColorSpace::JCS_RGB);
    // Trellis and progressive scans, the encoder's defaults, take ten times as long for a sixth fewer bytes.
    settings.set_fastest_defaults();
    settings.set_size(image.width_px() as usize, image.height_px() as usize);
    settings.set_quality(f32::from(quality.clamp(1, 100)));
    let mut started = settings.start_compress(Vec::new())?;
    started.write_scanlines(image.pixels())?;
    started.finish()
}

fn failed(format: &'static str, image: &RgbImage, reason: impl ToString) -> EncodeError {
    let (width_px, height_px) = (image.width_px(), image.height_px());
    EncodeError::Failed { format, width_px, height_px, reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imaging::{DecodeLimits, decode};

    fn gradient() -> RgbImage {
        let pixels = (0..48 * 31 * 3).map(|i| (i / 7 % 256) as u8).collect();
        RgbImage::new(48, 31, pixels).unwrap()
    }

    #[test]
    fn a_png_brings_back_its_pixels_and_is_the_same_each_time() {
        let image = gradient();
        let bytes = encode_png(&image, &[]).unwrap();
        assert_eq!(decode(&bytes, &DecodeLimits::default()).unwrap(), image);
        assert_eq!(bytes, encode_png(&image, &[]).unwrap());
    }

    #[test]
    fn a_png_carries_its_texts() {
        let texts = [("prompt", "a mug in the caf\u{e9} \u{2116} 5".to_owned()), ("seed", "7".to_owned())];
        let bytes = encode_png(&gradient(), &texts).unwrap();
        assert_eq!(decode(&bytes, &DecodeLimits::default()).unwrap(), gradient());
        let reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
        let chunks = reader.info().utf8_text.iter();
        let read: Vec<_> = chunks.map(|chunk| (chunk.keyword.clone(), chunk.get_text().unwrap())).collect();
        assert_eq!(read, texts.map(|(keyword, text)| (keyword.to_owned(), text)));
    }

    #[test]
    fn a_jpeg_comes_close_to_its_pixels() {
        let image = gradient();
        let back = decode(&encode_jpeg(&image, 95).unwrap(), &DecodeLimits::default()).unwrap();
        let off = image.pixels().iter().zip(back.pixels()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum::<u64>();
        assert!(off / (image.pixels().len() as u64) < 8, "mean error of {off} levels in all");
    }

    #[test]
    fn a_side_beyond_jpeg_is_refused_with_a_way_out() {
        let long = RgbImage::new(70_000, 1, vec![0; 210_000]).unwrap();
        let text = encode_jpeg(&long, 80).unwrap_err().to_string();
        assert!(text.contains("70000 x 1 px") && text.contains("write a PNG"), "{text}");
    }
}
