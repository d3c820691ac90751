//! How an image becomes the square input of a classifier: resize, filter and crop.
//!
//! Data only: the arithmetic is in `imaging::fit`, and sizes are checked there against a real image.
//! Holds always: two equal geometries give the same pixels for the same image.
//!
//! The words are those of torchvision's `Resize` and `CenterCrop`, which most published classifiers were
//! evaluated with: a model's preprocessing can be copied from its card.

use serde::{Deserialize, Serialize};

/// The filter that weighs source pixels, as Pillow does, or without antialias ([`Geometry::antialias`]) as OpenCV does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interpolation {
    /// Triangle filter, 2 source pixels wide when enlarging.
    Bilinear,
    /// Keys' cubic with a = -0.5, 4 pixels wide; without antialias with a = -0.75 (OpenCV, PyTorch tensors).
    Bicubic,
    /// Lanczos with 3 lobes, 6 pixels wide; only with antialias.
    Lanczos,
    /// The pixel under the centre; without antialias the one under the corner (OpenCV).
    Nearest,
}

/// The size an image is brought to before the crop. In TOML: `{ shorter = 256 }`, `{ squash = 160 }`, `"none"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resize {
    /// The shorter side becomes this many px, the longer one keeps the aspect, rounded down.
    Shorter(u32),
    /// Both sides become this many px; the aspect is lost.
    Squash(u32),
    /// The image is cropped without a resize.
    None,
}

/// Where the centre square begins when the spare pixels of a side are odd.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Crop {
    /// At half of them, rounded to the even number: torchvision and open_clip.
    #[default]
    Round,
    /// At half of them, rounded down: transformers.
    Floor,
}

impl Crop {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The whole way from a decoded image to a model's input of `crop_px` x `crop_px`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Geometry {
    /// The resize, which comes first.
    pub resize: Resize,
    /// The filter; unused if `resize` is `none` or changes nothing.
    pub interpolation: Interpolation,
    /// Whether an image that shrinks is filtered over all of its pixels, as Pillow does; OpenCV and TensorFlow do not.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub antialias: bool,
    /// Side of the centre square that is kept after the resize, in px.
    pub crop_px: u32,
    /// Where that square begins.
    #[serde(default, skip_serializing_if = "Crop::is_default")]
    pub crop: Crop,
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_yes(antialias: &bool) -> bool {
    *antialias
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The one place that parses: TOML in, the geometry or the parser's message out.
    fn check(toml: &str, expected: Result<Geometry, &str>) {
        match (toml::from_str::<Geometry>(toml), expected) {
            (Ok(parsed), Ok(geometry)) => assert_eq!(parsed, geometry),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (parsed, expected) => panic!("{parsed:?} is not {expected:?}"),
        }
    }

    fn geometry(resize: Resize, interpolation: Interpolation, crop_px: u32) -> Geometry {
        Geometry { resize, interpolation, antialias: true, crop_px, crop: Crop::Round }
    }

    #[test]
    fn the_three_resizes_are_read_as_the_recipes_write_them() {
        check(
            "resize = { shorter = 256 }\ninterpolation = \"bilinear\"\ncrop_px = 224",
            Ok(geometry(Resize::Shorter(256), Interpolation::Bilinear, 224)),
        );
        check(
            "resize = { squash = 160 }\ninterpolation = \"bicubic\"\ncrop_px = 160",
            Ok(geometry(Resize::Squash(160), Interpolation::Bicubic, 160)),
        );
        check(
            "resize = \"none\"\ninterpolation = \"lanczos\"\ncrop_px = 64",
            Ok(geometry(Resize::None, Interpolation::Lanczos, 64)),
        );
    }

    #[test]
    fn an_unknown_filter_is_named_with_the_choices() {
        check(
            "resize = \"none\"\ninterpolation = \"area\"\ncrop_px = 64",
            Err("expected one of `bilinear`, `bicubic`, `lanczos`, `nearest`"),
        );
    }
}
