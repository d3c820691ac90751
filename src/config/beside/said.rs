//! What a file says of how pictures become numbers, and the numbers that files name most.

use serde_json::Value;

use crate::domain::{ChannelOrder, Interpolation, Resize};

/// Mean and standard deviation of ImageNet's pixels, 0 to 1.
pub const IMAGENET_MEAN_STD: [[f64; 3]; 2] = [[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]];
/// Those of OpenAI's CLIP.
pub const CLIP_MEAN_STD: [[f64; 3]; 2] = [[0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]];
/// What brings pixels from 0 to 1 to -1 to 1.
pub const HALF_MEAN_STD: [[f64; 3]; 2] = [[0.5; 3], [0.5; 3]];

/// How pictures become numbers, as a file says it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SaidPreprocess {
    /// The file's name.
    pub file: String,
    /// The resize.
    pub resize: Option<Resize>,
    /// The filter.
    pub interpolation: Option<Interpolation>,
    /// Side of the centre that is kept.
    pub crop_px: Option<u32>,
    /// Whether the centre is cut at half of the spare pixels rounded down.
    pub floor_crop: bool,
    /// The order of the channels.
    pub channels: Option<ChannelOrder>,
    /// Factor, mean and standard deviation: `(pixel * scale - mean) / std`.
    pub numbers: Option<(f64, [f64; 3], [f64; 3])>,
    /// What is not known or cannot be described, in words.
    pub doubts: Vec<String>,
}

/// A whole number of px that a picture can have.
pub(super) fn px(value: Option<&Value>) -> Option<u32> {
    value?.as_f64().filter(|px| (1.0..=8192.0).contains(px)).map(|px| px as u32)
}

/// Scale, mean and std of a file with `mean` and `std` for pixels of 0 to 1; `usual`: those that stand for what is left
/// out.
pub(super) fn numbers_of(own: &Value, usual: [[f64; 3]; 2]) -> (f64, [f64; 3], [f64; 3]) {
    let [mean, std] = usual;
    (1.0 / 255.0, three(own.get("mean")).unwrap_or(mean), three(own.get("std")).unwrap_or(std))
}

/// Three numbers; one number or a list of one stands for all.
pub(super) fn three(value: Option<&Value>) -> Option<[f64; 3]> {
    match value? {
        Value::Array(all) => match &all.iter().map(Value::as_f64).collect::<Option<Vec<f64>>>()?[..] {
            [r, g, b] => Some([*r, *g, *b]),
            [one] => Some([*one; 3]),
            _ => None,
        },
        one => one.as_f64().map(|one| [one; 3]),
    }
}

/// The filter of this name.
pub(super) fn filter_named(name: &str) -> Option<Interpolation> {
    match name {
        "bilinear" => Some(Interpolation::Bilinear),
        "bicubic" => Some(Interpolation::Bicubic),
        "lanczos" => Some(Interpolation::Lanczos),
        "nearest" => Some(Interpolation::Nearest),
        _ => None,
    }
}
