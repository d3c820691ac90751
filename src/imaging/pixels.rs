//! The one image type of the crate: 8-bit RGB, rows from the top, no padding.
//!
//! Has no colour space, metadata or file: only pixels.
//! Holds always: both sides are in 1..=[`MAX_SIDE_PX`], because Pillow's resize is exact up to there; there are exactly
//! `height * width * 3` bytes.

use std::fmt;

/// The longest side of an image, in px: 2^24. Pillow's resize keeps its box in f32 and is exact up to there.
pub const MAX_SIDE_PX: u32 = 1 << 24;

/// Why bytes are not an image.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "the message of a variant is its documentation")]
pub enum PixelsError {
    #[error("an image cannot have {width_px} x {height_px} px; each side must be in 1..={MAX_SIDE_PX}")]
    Size { width_px: u32, height_px: u32 },
    #[error("{width_px} x {height_px} px need {expected} bytes of RGB, not {found}; pass height * width * 3")]
    Length { width_px: u32, height_px: u32, expected: u64, found: usize },
}

/// An RGB image in memory.
#[derive(Clone, PartialEq, Eq)]
pub struct RgbImage {
    width_px: u32,
    height_px: u32,
    pixels: Vec<u8>,
}

impl RgbImage {
    /// Takes `pixels` as `[height, width, 3]` u8, red first; refuses an empty or over-long side and a wrong length.
    pub fn new(width_px: u32, height_px: u32, pixels: Vec<u8>) -> Result<Self, PixelsError> {
        let sides = 1..=MAX_SIDE_PX;
        if !sides.contains(&width_px) || !sides.contains(&height_px) {
            return Err(PixelsError::Size { width_px, height_px });
        }
        let expected = u64::from(width_px) * u64::from(height_px) * 3;
        if expected != pixels.len() as u64 {
            return Err(PixelsError::Length { width_px, height_px, expected, found: pixels.len() });
        }
        Ok(Self { width_px, height_px, pixels })
    }

    /// 1..=[`MAX_SIDE_PX`].
    pub fn width_px(&self) -> u32 {
        self.width_px
    }

    /// 1..=[`MAX_SIDE_PX`].
    pub fn height_px(&self) -> u32 {
        self.height_px
    }

    /// `[height, width, 3]` u8, red first, rows from the top.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// A black canvas for the resampler, whose regions never have an empty side.
    pub(super) fn black(width_px: u32, height_px: u32) -> Self {
        let pixels = vec![0; width_px as usize * height_px as usize * 3];
        Self { width_px, height_px, pixels }
    }

    pub(super) fn pixels_mut(&mut self) -> &mut [u8] {
        &mut self.pixels
    }

    /// Bytes from one row to the next.
    pub(super) fn stride(&self) -> usize {
        self.width_px as usize * 3
    }
}

impl fmt::Debug for RgbImage {
    /// The size alone: a failed assertion should not print a megabyte.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "RgbImage({} x {} px)", self.width_px, self.height_px)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `Ok` prints as the image's size, an error as its text.
    fn check(width_px: u32, height_px: u32, bytes: usize, expected: &str) {
        let made = RgbImage::new(width_px, height_px, vec![7; bytes]);
        let text = made.map_or_else(|error| error.to_string(), |image| format!("{image:?}"));
        assert!(text.starts_with(expected), "{text}");
    }

    #[test]
    fn an_image_has_three_bytes_for_each_pixel() {
        check(2, 3, 18, "RgbImage(2 x 3 px)");
        check(2, 3, 17, "2 x 3 px need 18 bytes of RGB, not 17");
    }

    #[test]
    fn a_side_is_neither_empty_nor_beyond_what_pillow_resizes_exactly() {
        check(0, 3, 0, "an image cannot have 0 x 3 px");
        check(1, MAX_SIDE_PX + 1, 0, "an image cannot have 1 x 16777217 px");
    }
}
