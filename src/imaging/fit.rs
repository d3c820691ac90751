//! torchvision's `Resize` and `CenterCrop` on Pillow images, bit for bit: the pixels that a model gets.
//!
//! Does not pad: a crop that is larger than the resized image is an error, where torchvision would add black.
//! Holds always: only the pixels inside the crop are computed, so that a 1 x 60000 image, which resizes to millions of
//! pixels, costs no more memory than any other.
//!
//! Source: torchvision 0.2x, `transforms/functional.py`, `_compute_resized_output_size` and `center_crop`.

use super::pixels::{MAX_SIDE_PX, RgbImage};
use super::points::sample;
use super::resample::{Region, Target, resample};
use crate::domain::{Crop, Geometry, Interpolation, Resize};

/// Why an image cannot be resized and cropped as asked.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "the message of a variant is its documentation")]
pub enum FitError {
    #[error("a {what} of {px} px is not possible; write 1 to {MAX_SIDE_PX}")]
    Size { what: &'static str, px: u32 },
    #[error(
        "the crop of {crop_px} px is larger than the resized image of {width_px} x {height_px} px; resize to a larger \
         side or crop less"
    )]
    CropTooLarge { crop_px: u32, width_px: u64, height_px: u64 },
}

/// The model's input, `[crop_px, crop_px, 3]`: resized, then the centre cut out.
pub fn fit(image: &RgbImage, geometry: &Geometry) -> Result<RgbImage, FitError> {
    let crop_px = checked("crop", geometry.crop_px)?;
    let (width_px, height_px) = resized(image, geometry.resize)?;
    if u64::from(crop_px) > width_px.min(height_px) {
        return Err(FitError::CropTooLarge { crop_px, width_px, height_px });
    }
    let begin = |side_px: u64| match geometry.crop {
        Crop::Round => offset(side_px, crop_px),
        Crop::Floor => (side_px - u64::from(crop_px)) / 2,
    };
    let (left, top) = (begin(width_px), begin(height_px));
    let region = Region { left, top, width_px: crop_px, height_px: crop_px };
    let target = Target { width_px, height_px, region };
    let filter = geometry.interpolation;
    if filter == Interpolation::Nearest || !geometry.antialias {
        return Ok(sample(image, &target, filter, geometry.antialias));
    }
    Ok(resample(image, &target, filter))
}

/// As [`fit`], unless both sides of the image are `prepared_px`: then it is the picture that models are meant to see,
/// and is not resized to be cropped again. A model with the same crop takes it as it is; a smaller crop is its centre;
/// for a larger one it is resized to the crop.
///
/// Source: ImageNet-C's pictures have gone through resize and crop before they were corrupted (Hendrycks and
/// Dietterich, ICLR 2019); a second resize filters the corruption away.
pub fn fit_prepared(image: &RgbImage, geometry: &Geometry, prepared_px: Option<u32>) -> Result<RgbImage, FitError> {
    let sides = (image.width_px(), image.height_px());
    match prepared_px {
        Some(px) if sides == (px, px) => {
            let resize = if geometry.crop_px <= px { Resize::None } else { Resize::Squash(geometry.crop_px) };
            fit(image, &Geometry { resize, ..*geometry })
        }
        _ => fit(image, geometry),
    }
}

/// The image without `border_px` pixels at each side; `None` if nothing is left.
pub fn without_border(image: &RgbImage, border_px: u32) -> Option<RgbImage> {
    if border_px == 0 {
        return Some(image.clone());
    }
    let (width_px, height_px) = inside(image.width_px(), image.height_px(), border_px)?;
    let (row_bytes, skipped) = (width_px as usize * 3, border_px as usize * 3);
    let rows = image.pixels().chunks_exact(image.stride()).skip(border_px as usize).take(height_px as usize);
    let pixels = rows.flat_map(|row| row[skipped..skipped + row_bytes].iter().copied()).collect();
    RgbImage::new(width_px, height_px, pixels).ok()
}

/// Why an image that has less than two borders of `border_px` pixels cannot be used.
pub fn all_border(border_px: u32) -> String {
    format!("nothing of the image is left without its border of {border_px} px at each side")
}

/// Width and height without a border at each side; `None` if nothing is left.
pub fn inside(width_px: u32, height_px: u32, border_px: u32) -> Option<(u32, u32)> {
    let less = |side: u32| side.checked_sub(border_px.checked_mul(2)?).filter(|&side| side > 0);
    Some((less(width_px)?, less(height_px)?))
}

/// The whole image with its longer side at most `longest_px` (0 counts as 1), by Lanczos; never enlarged.
pub fn thumbnail(image: &RgbImage, longest_px: u32) -> RgbImage {
    let (width_px, height_px) = (image.width_px(), image.height_px());
    let (longer, wanted) = (width_px.max(height_px), longest_px.max(1));
    if longer <= wanted {
        return image.clone();
    }
    let (width_px, height_px) = (scaled(width_px, wanted, longer), scaled(height_px, wanted, longer));
    let region = Region { left: 0, top: 0, width_px, height_px };
    let target = Target { width_px: width_px.into(), height_px: height_px.into(), region };
    resample(image, &target, Interpolation::Lanczos)
}

/// `side * wanted / longer`, rounded to the nearest and at least 1; no more than `side`, so that it fits.
fn scaled(side: u32, wanted: u32, longer: u32) -> u32 {
    let (side, wanted, longer) = (u64::from(side), u64::from(wanted), u64::from(longer));
    ((side * wanted + longer / 2) / longer).max(1) as u32
}

/// (width_px, height_px) before the crop.
fn resized(image: &RgbImage, resize: Resize) -> Result<(u64, u64), FitError> {
    let (width_px, height_px) = (u64::from(image.width_px()), u64::from(image.height_px()));
    Ok(match resize {
        Resize::None => (width_px, height_px),
        Resize::Squash(px) => (checked("resize", px)?.into(), px.into()),
        Resize::Shorter(px) => {
            // Both products are exact in 64 bits, and equal Python's `int(px * long / short)`.
            let (shorter, px) = (width_px.min(height_px), u64::from(checked("resize", px)?));
            (px * width_px / shorter, px * height_px / shorter)
        }
    })
}

fn checked(what: &'static str, px: u32) -> Result<u32, FitError> {
    if (1..=MAX_SIDE_PX).contains(&px) { Ok(px) } else { Err(FitError::Size { what, px }) }
}

/// Python's `int(round((side - crop) / 2.0))`, which rounds halves to the even number.
fn offset(side_px: u64, crop_px: u32) -> u64 {
    let spare = side_px - u64::from(crop_px);
    let half = spare / 2;
    if spare % 2 == 1 { half + half % 2 } else { half }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(width_px: u32, height_px: u32) -> RgbImage {
        RgbImage::new(width_px, height_px, vec![90; (width_px * height_px * 3) as usize]).unwrap()
    }

    /// Fits a plain image and compares the size of the result, or the start of the error's text.
    fn check(image: (u32, u32), resize: Resize, crop_px: u32, expected: &str) {
        let interpolation = Interpolation::Bilinear;
        let geometry = Geometry { resize, interpolation, antialias: true, crop_px, crop: Crop::Round };
        let fitted = fit(&plain(image.0, image.1), &geometry);
        let text = fitted.map_or_else(|error| error.to_string(), |image| format!("{image:?}"));
        assert!(text.starts_with(expected), "{text}");
    }

    #[test]
    fn the_result_is_the_square_that_was_asked_for() {
        check((50, 37), Resize::Shorter(25), 22, "RgbImage(22 x 22 px)");
        check((50, 37), Resize::Squash(16), 16, "RgbImage(16 x 16 px)");
        check((50, 37), Resize::None, 37, "RgbImage(37 x 37 px)");
    }

    #[test]
    fn a_crop_beyond_the_image_is_an_error_that_says_both_sizes() {
        check((50, 37), Resize::Shorter(25), 26, "the crop of 26 px is larger than the resized image of 33 x 25 px");
        check((50, 37), Resize::None, 38, "the crop of 38 px is larger than the resized image of 50 x 37 px");
    }

    #[test]
    fn sizes_of_nothing_and_beyond_reason_are_errors() {
        check((50, 37), Resize::Shorter(25), 0, "a crop of 0 px is not possible");
        check((50, 37), Resize::Shorter(0), 1, "a resize of 0 px is not possible");
        check((50, 37), Resize::Squash(u32::MAX), 1, "a resize of 4294967295 px is not possible");
    }

    #[test]
    fn a_needle_costs_only_its_crop() {
        check((1, 60_000), Resize::Shorter(256), 224, "RgbImage(224 x 224 px)");
        check((60_000, 1), Resize::Shorter(256), 224, "RgbImage(224 x 224 px)");
        check((1, 60_000), Resize::Squash(64), 64, "RgbImage(64 x 64 px)");
    }

    #[test]
    fn offsets_round_halves_to_the_even_number() {
        let offsets = [224, 225, 226, 227, 228, 229, 231].map(|side| offset(side, 224));
        assert_eq!(offsets, [0, 0, 1, 2, 2, 2, 4]);
    }

    #[test]
    fn a_crop_begins_where_the_recipe_says() {
        // A column of each level, so that a pixel says where it stood.
        let image = RgbImage::new(67, 64, (0..64).flat_map(|_| (0..67).flat_map(|x| [x; 3])).collect()).unwrap();
        let first = |crop: Crop, crop_px: u32| {
            let (resize, interpolation) = (Resize::None, Interpolation::Bilinear);
            let geometry = Geometry { resize, interpolation, antialias: true, crop_px, crop };
            fit(&image, &geometry).unwrap().pixels()[0]
        };
        assert_eq!([64, 63, 62, 60].map(|px| first(Crop::Round, px)), [2, 2, 2, 4]);
        assert_eq!([64, 63, 62, 60].map(|px| first(Crop::Floor, px)), [1, 2, 2, 3]);
    }

    /// A picture whose pixels differ, `[side, side, 3]`.
    fn pattern(side: u32) -> RgbImage {
        RgbImage::new(side, side, (0..side * side * 3).map(|at| (at * 37 % 251) as u8).collect()).unwrap()
    }

    #[test]
    fn a_prepared_picture_is_not_resized_and_cropped_again() {
        let of = |image: &RgbImage, resize: Resize, crop_px: u32, prepared_px: Option<u32>| {
            let geometry = Geometry {
                resize,
                interpolation: Interpolation::Bilinear,
                antialias: true,
                crop_px,
                crop: Crop::Round,
            };
            fit_prepared(image, &geometry, prepared_px).unwrap()
        };
        let (image, usual) = (pattern(32), Resize::Shorter(36));
        assert!(of(&image, usual, 32, Some(32)) == image, "a crop of the same size takes it as it is");
        assert!(
            of(&image, usual, 24, Some(32)) == of(&image, Resize::None, 24, None),
            "a smaller one takes its centre"
        );
        assert!(of(&image, Resize::Shorter(50), 40, Some(32)) == of(&image, Resize::Squash(40), 40, None));
        let ordinary = of(&image, usual, 32, None);
        assert!(ordinary != image && of(&image, usual, 32, Some(30)) == ordinary, "only pictures of that size");
        let wide = RgbImage::new(32, 48, vec![7; 32 * 48 * 3]).unwrap();
        assert!(of(&wide, usual, 32, Some(32)) == of(&wide, usual, 32, None));
    }

    #[test]
    fn a_border_is_cut_off_at_each_side() {
        let image = pattern(9);
        let cut = without_border(&image, 2).unwrap();
        assert_eq!((cut.width_px(), cut.height_px()), (5, 5));
        let at = |image: &RgbImage, x: usize, y: usize| image.pixels()[(y * image.width_px() as usize + x) * 3];
        for (x, y) in [(0, 0), (4, 0), (2, 3), (4, 4)] {
            assert_eq!(at(&cut, x, y), at(&image, x + 2, y + 2));
        }
        assert_eq!(without_border(&image, 0), Some(image.clone()));
        assert_eq!((without_border(&image, 5), without_border(&image, u32::MAX)), (None, None));
        assert_eq!((inside(9, 5, 2), inside(9, 4, 2)), (Some((5, 1)), None));
    }

    #[test]
    fn a_thumbnail_keeps_the_aspect_and_never_grows() {
        let sizes = [(500, 375, 100), (375, 500, 100), (80, 60, 100), (300, 1, 100), (9, 9, 0)];
        let made = sizes.map(|(width, height, longest)| format!("{:?}", thumbnail(&plain(width, height), longest)));
        assert_eq!(made, ["100 x 75", "75 x 100", "80 x 60", "100 x 1", "1 x 1"].map(|s| format!("RgbImage({s} px)")));
    }
}
