//! The decoder's numbers -> pixels, as diffusers makes them.

use crate::domain::Outcome;
use crate::generator::Picture;
use crate::imaging::RgbImage;

/// `[3, height, width]`, clipped to -1 to 1: `[height, width, 3]` u8, rounded half to even (diffusers'
/// `numpy_to_pil`).
pub(super) fn levels(planes: &[f32], width: usize) -> Vec<u8> {
    let size = planes.len() / 3;
    debug_assert_eq!(size % width, 0);
    let level = |x: f32| ((x / 2.0 + 0.5).clamp(0.0, 1.0) * 255.0).round_ties_even() as u8;
    (0..size).flat_map(|at| [0, 1, 2].map(|channel| level(planes[channel * size + at]))).collect()
}

/// The picture, unless it shows nothing: a number that is not finite, or one colour all over (safety checkers leave
/// black). `size_px`: width and height.
pub(super) fn picture(planes: &[f32], size_px: (u32, u32), warning: Option<String>) -> Outcome<Picture> {
    let (width, height) = size_px;
    if planes.iter().any(|x| !x.is_finite()) {
        return Outcome::Failed(
            "the model gave numbers that are not finite; try precision = \"f32\" or another seed".to_owned(),
        );
    }
    let levels = levels(planes, width as usize);
    if levels.chunks_exact(3).all(|pixel| pixel == &levels[..3]) {
        return Outcome::Failed(format!("the image has one colour all over, {:?}", &levels[..3]));
    }
    match RgbImage::new(width, height, levels) {
        Ok(image) => Outcome::Kept(Picture::Made { image, warning }),
        Err(error) => Outcome::Failed(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_clipped_and_rounded_half_to_even() {
        let half = |level: f32| (level / 255.0 - 0.5) * 2.0;
        let planes = [-3.0, 5.0, half(10.0), half(10.4), 0.0, half(254.9)];
        assert_eq!(levels(&planes, 2), [0, 10, 128, 255, 10, 255]);
    }

    #[test]
    fn pictures_without_content_fail() {
        let reason = |planes: &[f32]| picture(planes, (2, 1), None).reason().map(str::to_owned);
        assert!(reason(&[0.0, f32::NAN, 0.0, 0.0, 0.0, 0.0]).is_some_and(|reason| reason.contains("finite")));
        assert!(reason(&[-1.0; 6]).is_some_and(|reason| reason.contains("one colour")));
        assert_eq!(reason(&[-1.0, 1.0, 0.0, 0.0, 0.0, 0.0]), None);
    }
}
