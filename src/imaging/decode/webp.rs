//! WebP bytes -> RGB pixels through the `image` crate, equal to Pillow's libwebp; of an animation its first frame.
//!
//! `image` would blend a first frame with a background; libwebp's `WebPAnimDecoder`, which Pillow uses, writes it as it
//! is into a canvas of nothing. So the frame is taken out and decoded as a file of its own, and alpha is dropped.
//! Holds always: a file that is shorter than it says is an error, also where its first frame is whole.
//!
//! Source: libwebp 1.6, `anim_decode.c` (`WebPAnimDecoderGetNext`).

use std::io::Cursor;

use image::codecs::webp::WebPDecoder;

use super::frames::{self, Frame};
use super::raster::{self, named, on_black};
use crate::imaging::limits::{DecodeError, DecodeLimits};
use crate::imaging::pixels::RgbImage;

/// The flag of alpha in a header.
const WITH_ALPHA: u8 = 16;

/// See [`super::dimensions`]: of an animation the canvas.
pub(super) fn dimensions(bytes: &[u8], limits: &DecodeLimits) -> Result<(u32, u32), DecodeError> {
    match frames::canvas(bytes) {
        Some((width_px, height_px)) => limits.admit(width_px, height_px).map(|()| (width_px, height_px)),
        None => raster::dimensions(&open(bytes)?, limits),
    }
}

/// See [`super::decode()`].
pub(super) fn decode(bytes: &[u8], limits: &DecodeLimits) -> Result<RgbImage, DecodeError> {
    let canvas = frames::canvas(bytes);
    canvas.iter().try_for_each(|&(width_px, height_px)| limits.admit(width_px, height_px))?;
    let whole = whole(bytes)?;
    let Some(canvas) = canvas else {
        return raster::decode(open(whole)?, limits, "WebP");
    };
    let frame = frames::first(whole, canvas)?;
    let picture = raster::decode(open(&file(&frame))?, limits, "WebP")?;
    on_black(&picture, frame.place, canvas)
}

fn open(bytes: &[u8]) -> Result<WebPDecoder<Cursor<&[u8]>>, DecodeError> {
    named(WebPDecoder::new(Cursor::new(bytes)), "WebP")
}

/// The bytes up to the end that the first of them state.
fn whole(bytes: &[u8]) -> Result<&[u8], DecodeError> {
    let stated = bytes.get(4..8).and_then(|size| size.first_chunk::<4>()).map_or(0, |size| u32::from_le_bytes(*size));
    bytes.get(..8 + stated as usize).ok_or(DecodeError::Truncated { format: "WebP" })
}

/// A file of one frame.
fn file(frame: &Frame<'_>) -> Vec<u8> {
    let mut file = b"RIFF\0\0\0\0WEBP".to_vec();
    if let Some(alpha) = frame.alpha {
        let mut header = vec![WITH_ALPHA, 0, 0, 0];
        header.extend(&(frame.size_px.0 - 1).to_le_bytes()[..3]);
        header.extend(&(frame.size_px.1 - 1).to_le_bytes()[..3]);
        add(&mut file, b"VP8X", &header);
        add(&mut file, b"ALPH", alpha);
    }
    add(&mut file, if frame.is_lossless { b"VP8L" } else { b"VP8 " }, frame.picture);
    let size = (file.len() - 8) as u32;
    file[4..8].copy_from_slice(&size.to_le_bytes());
    file
}

fn add(file: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    file.extend(kind);
    file.extend((data.len() as u32).to_le_bytes());
    file.extend(data);
    file.extend(&[0][..data.len() % 2]);
}
