//! RGB pixels <-> bytes, resize and crop: everything that touches a pixel before a model sees it.
//!
//! Does not read files, does not scale to floats (that is the surrogate's preprocessing) and draws nothing.
//! Holds always: what [`decode`] and [`fit`] return equals Pillow and torchvision bit for bit for the formats and
//! sizes named there, because published accuracies were measured with them; bytes that are not a picture give an error,
//! never a panic, because pools contain broken files; the size of an image is checked from its header before memory is
//! taken for its pixels, because a small file can claim to be huge. The only module that knows the crates image, png
//! and mozjpeg.
//!
//! In reading order: `pixels` (the type), `limits` (and errors), `decode` (the formats, behind one guard), `weights`,
//! `passes` and `resample` (Pillow's filter), `points` (OpenCV's, without antialias), `fit` (torchvision's geometry),
//! `encode`, `phash` (which pictures look alike).

mod decode;
mod encode;
mod fit;
mod limits;
mod passes;
mod phash;
mod pixels;
mod points;
mod resample;
mod sheet;
mod weights;

pub use decode::{decode, dimensions, extension};
pub use encode::{EncodeError, encode_jpeg, encode_png};
pub use fit::{FitError, all_border, fit, fit_prepared, inside, thumbnail, without_border};
pub use limits::{DecodeError, DecodeLimits};
pub use phash::perceptual_hash;
pub use pixels::{MAX_SIDE_PX, PixelsError, RgbImage};
pub use sheet::{sheet_bytes, sheet_jpeg};
