//! The plausible readings of a classifier: how a picture may become its input, and which number is which class.

use crate::config::beside::{CLIP_MEAN_STD, HALF_MEAN_STD, IMAGENET_MEAN_STD};
use crate::domain::{ChannelOrder, Crop, Dtype, Geometry, InputSpec, Interpolation, Resize};
use crate::render::draft::{channels, filter};

/// What Caffe's models take off 0 to 255, for blue, green and red.
const CAFFE_BGR: [f64; 3] = [104.0, 117.0, 123.0];
const BYTE: f64 = 1.0 / 255.0;

/// One way to read a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Resize and crop.
    pub geometry: Geometry,
    /// Pixels to numbers.
    pub input: InputSpec,
    /// Extra classes in front of ImageNet's.
    pub offset: u32,
}

impl Reading {
    /// In one line: `(x / 255 - 0.5) / 0.5, rgb; shorter 256, bilinear; offset 1`.
    pub fn words(&self) -> String {
        let offset = if self.offset == 0 { String::new() } else { format!("; offset {}", self.offset) };
        format!("{}; {}{offset}", input_words(&self.input), geometry_words(&self.geometry))
    }
}

/// `(x / 255 - 0.5) / 0.5, rgb`.
pub fn input_words(input: &InputSpec) -> String {
    let order = channels(input.channels);
    if input.dtype == Dtype::U8 {
        return format!("bytes, {order}");
    }
    let short = |x: f64| (x * 1000.0).round() / 1000.0;
    let values = |all: &[f64; 3]| match all {
        [a, b, c] if a == b && b == c => a.to_string(),
        all => format!("{:?}", all.map(short)),
    };
    let scaled = match input.scale {
        1.0 => "x".to_owned(),
        scale if (1.0 / scale - (1.0 / scale).round()).abs() < 1e-6 => format!("x / {}", (1.0 / scale).round()),
        scale => format!("x * {scale}"),
    };
    let (mean, std) = (values(&input.mean), values(&input.std));
    match (mean.as_str(), std.as_str()) {
        ("0", "1") => format!("{scaled}, {order}"),
        ("0", std) => format!("{scaled} / {std}, {order}"),
        (mean, "1") => format!("{scaled} - {mean}, {order}"),
        (mean, std) => format!("({scaled} - {mean}) / {std}, {order}"),
    }
}

/// `shorter 256, bilinear`.
pub fn geometry_words(geometry: &Geometry) -> String {
    let resize = match geometry.resize {
        Resize::Shorter(px) => format!("shorter {px}"),
        Resize::Squash(px) => format!("squash {px}"),
        Resize::None => "no resize".to_owned(),
    };
    let antialias = if geometry.antialias { "" } else { " without antialias" };
    format!("{resize}, {}{antialias}", filter(geometry.interpolation))
}

/// Ways from pixels to numbers: `first` in both orders of channels, then the usual ones.
pub(super) fn inputs(first: &InputSpec) -> Vec<InputSpec> {
    let [b, g, r] = CAFFE_BGR;
    let orders = [ChannelOrder::Rgb, ChannelOrder::Bgr];
    let mut found = vec![first.clone()];
    let mut add = |channels, scale, [mean, std]: [[f64; 3]; 2]| {
        let input = InputSpec { channels, scale, mean, std, ..first.clone() };
        if !found.contains(&input) {
            found.push(input);
        }
    };
    orders.into_iter().for_each(|order| add(order, first.scale, [first.mean, first.std]));
    if first.dtype == Dtype::U8 {
        return found;
    }
    let usual = [IMAGENET_MEAN_STD, HALF_MEAN_STD, [[0.0; 3], [1.0; 3]], CLIP_MEAN_STD];
    for [mean, std] in usual {
        // The tensor's first channel keeps red's mean only if it is red.
        let flipped = |[r, g, b]: [f64; 3]| [b, g, r];
        add(ChannelOrder::Rgb, BYTE, [mean, std]);
        add(ChannelOrder::Bgr, BYTE, [flipped(mean), flipped(std)]);
    }
    orders.into_iter().for_each(|order| add(order, 1.0, [[0.0; 3], [1.0; 3]]));
    add(ChannelOrder::Bgr, 1.0, [[b, g, r], [1.0; 3]]);
    add(ChannelOrder::Rgb, 1.0, [[r, g, b], [1.0; 3]]);
    found
}

/// The usual resize of a model: the crop is 7/8 of the shorter side.
pub(super) fn usual_geometry(crop_px: u32) -> Geometry {
    let shorter = share(crop_px, 0.875);
    let (resize, interpolation) = (Resize::Shorter(shorter), Interpolation::Bilinear);
    Geometry { resize, interpolation, antialias: true, crop_px, crop: Crop::Round }
}

fn share(crop_px: u32, share: f64) -> u32 {
    (f64::from(crop_px) / share).round() as u32
}

/// Other resizes with the filter of `first`, the usual ones first.
pub(super) fn geometries(first: &Geometry) -> Vec<Geometry> {
    let crop_px = first.crop_px;
    let shorter = [0.875, 0.9, 0.95, 1.0].map(|part| Resize::Shorter(share(crop_px, part)));
    let all = shorter.into_iter().chain([Resize::Squash(crop_px), Resize::Squash(share(crop_px, 0.875))]);
    all.map(|resize| Geometry { resize, ..*first }).filter(|geometry| geometry != first).collect()
}

/// The same resize with other filters.
pub(super) fn filters(first: &Geometry) -> Vec<Geometry> {
    let ways = [
        (Interpolation::Bilinear, true),
        (Interpolation::Bicubic, true),
        (Interpolation::Bilinear, false),
        (Interpolation::Bicubic, false),
    ];
    let all = ways.map(|(interpolation, antialias)| Geometry { interpolation, antialias, ..*first });
    all.into_iter().filter(|geometry| geometry != first).collect()
}

/// Extra classes that a model of `classes` may have in front of ImageNet's `known`.
pub(super) fn offsets(classes: u32, known: u32) -> Vec<u32> {
    match classes.checked_sub(known) {
        Some(0) => vec![0],
        Some(more) => vec![more, 0],
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Layout;

    #[test]
    fn readings_are_said_in_one_line_each_once() {
        let [mean, std] = HALF_MEAN_STD;
        let input = InputSpec {
            layout: Layout::Nchw,
            dtype: Dtype::F32,
            channels: ChannelOrder::Rgb,
            scale: BYTE,
            mean,
            std,
            batch: None,
        };
        let reading = Reading { geometry: usual_geometry(224), input: input.clone(), offset: 1 };
        assert_eq!(reading.words(), "(x / 255 - 0.5) / 0.5, rgb; shorter 256, bilinear; offset 1");
        let words: Vec<String> = inputs(&input).iter().map(input_words).collect();
        let mut once = words.clone();
        once.sort();
        once.dedup();
        assert_eq!((words.len(), once.len()), (12, 12), "{words:?}");
        assert!(words.contains(&"x - [104.0, 117.0, 123.0], bgr".to_owned()), "{words:?}");
        assert_eq!(inputs(&InputSpec { dtype: Dtype::U8, ..input }).len(), 2);
        assert_eq!(
            (usual_geometry(128).resize, usual_geometry(160).resize),
            (Resize::Shorter(146), Resize::Shorter(183))
        );
    }

    #[test]
    fn an_offset_is_what_is_more_than_imagenet() {
        assert_eq!([offsets(1000, 1000), offsets(1001, 1000), offsets(12, 1000)], [vec![0], vec![1, 0], vec![]]);
    }
}
