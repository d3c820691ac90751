//! How large a picture file may be, and why a file is refused: what all decoders share.
//!
//! Does not read bytes. Holds always: a message says what to do with the file and leaves its name to the caller,
//! because a decoder knows bytes only.

use super::pixels::PixelsError;

/// Limits beyond which a file is refused before it is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeLimits {
    /// The largest file, in bytes.
    pub max_file_bytes: u64,
    /// The largest picture: width times height.
    pub max_pixels: u64,
}

impl Default for DecodeLimits {
    /// 256 MiB, and Pillow's `MAX_IMAGE_PIXELS` (where Pillow warns; it refuses at twice as many).
    fn default() -> Self {
        Self { max_file_bytes: 256 << 20, max_pixels: 89_478_485 }
    }
}

impl DecodeLimits {
    /// An error if an image of this size is over the limit.
    pub(super) fn admit(&self, width_px: u32, height_px: u32) -> Result<(), DecodeError> {
        if u64::from(width_px) * u64::from(height_px) > self.max_pixels {
            return Err(DecodeError::TooManyPixels { width_px, height_px, limit: self.max_pixels });
        }
        Ok(())
    }
}

/// Why a file could not be decoded. The caller adds the file's name.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "the message of a variant is its documentation")]
pub enum DecodeError {
    #[error("the file is empty; copy or download it again")]
    Empty,
    #[error("the file has {bytes} bytes, over the limit of {limit}; shrink it or raise the limit")]
    TooManyBytes { bytes: u64, limit: u64 },
    #[error("the content is not a picture of a known format; convert it to JPEG, PNG, WebP or BMP")]
    NotAnImage,
    #[error("{format} is not supported; convert it to JPEG, PNG, WebP or BMP")]
    UnsupportedFormat { format: &'static str },
    #[error(
        "the header says {width_px} x {height_px} px, over the limit of {limit} pixels; shrink it or raise the limit"
    )]
    TooManyPixels { width_px: u32, height_px: u32, limit: u64 },
    #[error("the {format} data ends before the picture does; copy or download the file again")]
    Truncated { format: &'static str },
    #[error("the {format} data is broken or of an unsupported kind ({reason}); save the picture again")]
    Corrupt { format: &'static str, reason: String },
    #[error("the picture does not fit the limits of an image: {0}")]
    Pixels(#[from] PixelsError),
}

impl DecodeError {
    /// Data of `format` that are broken, and how.
    pub(super) fn corrupt(format: &'static str, reason: impl ToString) -> Self {
        Self::Corrupt { format, reason: reason.to_string() }
    }
}
