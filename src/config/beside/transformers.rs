//! transformers' `preprocessor_config.json`.
//!
//! Source: `image_processing_*.py` of transformers 5.24 (class defaults, which files may leave out) and 4.x (a `size`
//! that is a number: a square if the class says `default_to_square`, else the shorter side).

use serde_json::Value;

use super::said::{CLIP_MEAN_STD, HALF_MEAN_STD, IMAGENET_MEAN_STD, SaidPreprocess, px, three};
use crate::domain::{ChannelOrder, Interpolation, Resize};

/// What a class does where its file says nothing.
struct Class {
    /// The name without `ImageProcessor` or `FeatureExtractor`, in lower case.
    name: &'static str,
    /// Whether a size that is a number is a square.
    square: bool,
    size: u32,
    crop: Option<u32>,
    filter: Interpolation,
    mean_std: [[f64; 3]; 2],
}

const fn class(
    name: &'static str,
    sizes: (bool, u32, Option<u32>),
    filter: Interpolation,
    mean_std: [[f64; 3]; 2],
) -> Class {
    Class { name, square: sizes.0, size: sizes.1, crop: sizes.2, filter, mean_std }
}

use Interpolation::{Bicubic, Bilinear};

const CLASSES: [Class; 15] = [
    class("clip", (false, 224, Some(224)), Bicubic, CLIP_MEAN_STD),
    class("chineseclip", (false, 224, Some(224)), Bicubic, CLIP_MEAN_STD),
    class("bit", (false, 224, Some(224)), Bicubic, CLIP_MEAN_STD),
    class("siglip", (false, 224, None), Bicubic, HALF_MEAN_STD),
    class("vit", (true, 224, None), Bilinear, HALF_MEAN_STD),
    class("deit", (true, 256, Some(224)), Bicubic, HALF_MEAN_STD),
    class("beit", (true, 224, None), Bicubic, HALF_MEAN_STD),
    class("convnext", (false, 384, None), Bicubic, HALF_MEAN_STD),
    class("efficientnet", (true, 346, None), Bicubic, HALF_MEAN_STD),
    class("levit", (false, 224, Some(224)), Bicubic, IMAGENET_MEAN_STD),
    class("mobilenetv1", (false, 256, Some(224)), Bilinear, HALF_MEAN_STD),
    class("mobilenetv2", (false, 256, Some(224)), Bilinear, HALF_MEAN_STD),
    class("mobilevit", (false, 224, Some(256)), Bicubic, HALF_MEAN_STD),
    class("poolformer", (false, 224, Some(224)), Bicubic, IMAGENET_MEAN_STD),
    class("pvt", (true, 224, None), Bicubic, IMAGENET_MEAN_STD),
];

/// What the file says; `None` if it is not about pictures.
pub(super) fn preprocess(file: &Value) -> Option<SaidPreprocess> {
    if file.get("pretrained_cfg").is_some() {
        return None;
    }
    let full = ["image_processor_type", "feature_extractor_type"].iter().find_map(|key| file.get(*key)?.as_str());
    if full.is_none() && !["size", "image_mean", "resample"].iter().any(|key| file.get(*key).is_some()) {
        return None;
    }
    let stem = full.unwrap_or_default();
    let stem = stem.split("ImageProcessor").next().and_then(|stem| stem.split("FeatureExtractor").next());
    let stem = stem.unwrap_or_default().to_lowercase();
    let class = CLASSES.iter().find(|class| class.name == stem);
    let mut said =
        SaidPreprocess { file: "preprocessor_config.json".to_owned(), floor_crop: true, ..Default::default() };
    if class.is_none() {
        let named = full.map_or("no class is named".to_owned(), |full| format!("the class {full} is not known here"));
        said.doubts.push(format!("{named}: is the resize what its transformers class does?"));
    }
    said.interpolation = filter(file, class, &mut said.doubts);
    geometry(file, class, &stem, &mut said);
    said.numbers = Some(numbers(file, class, &stem));
    let is_flipped = flag(file, "do_flip_channel_order").unwrap_or(stem == "mobilevit");
    said.channels = Some(if is_flipped { ChannelOrder::Bgr } else { ChannelOrder::Rgb });
    Some(said)
}

fn flag(file: &Value, key: &str) -> Option<bool> {
    file.get(key).and_then(Value::as_bool)
}

fn filter(file: &Value, class: Option<&Class>, doubts: &mut Vec<String>) -> Option<Interpolation> {
    match file.get("resample").filter(|value| !value.is_null()) {
        None => class.map(|class| class.filter),
        Some(value) => match value.as_u64() {
            Some(0) => Some(Interpolation::Nearest),
            Some(1) => Some(Interpolation::Lanczos),
            Some(2) => Some(Bilinear),
            Some(3) => Some(Bicubic),
            _ => {
                doubts.push(format!("resample {value} is a filter that hardset does not have; which is near enough?"));
                None
            }
        },
    }
}

/// The size as the file or the class gives it: a square, or the shorter side.
fn size(file: &Value, class: Option<&Class>, said: &mut SaidPreprocess) -> Option<Resize> {
    let Some(value) = file.get("size").filter(|value| !value.is_null()) else {
        return class.map(|class| if class.square { Resize::Squash(class.size) } else { Resize::Shorter(class.size) });
    };
    if value.is_number() {
        let has_centre = flag(file, "do_center_crop").unwrap_or(false);
        let square = class.map_or(!has_centre, |class| class.square);
        return px(Some(value)).map(|px| if square { Resize::Squash(px) } else { Resize::Shorter(px) });
    }
    if let Some(px) = px(value.get("shortest_edge")) {
        return Some(Resize::Shorter(px));
    }
    let (height, width) = (px(value.get("height")), px(value.get("width")));
    if height != width {
        said.doubts.push(format!("it resizes to {value}, which is no square; hardset gives models squares"));
    }
    if height.is_none() {
        said.doubts.push(format!("it resizes to {value}, which hardset cannot do"));
    }
    height.map(Resize::Squash)
}

fn geometry(file: &Value, class: Option<&Class>, stem: &str, said: &mut SaidPreprocess) {
    let resized = size(file, class, said);
    let side = |resize| match resize {
        Resize::Shorter(px) | Resize::Squash(px) => Some(px),
        Resize::None => None,
    };
    let own_crop = || {
        let value = file.get("crop_size");
        px(value).or_else(|| px(value?.get("height"))).or_else(|| px(value?.get("shortest_edge")))
    };
    let crops = flag(file, "do_center_crop").unwrap_or_else(|| class.is_some_and(|class| class.crop.is_some()));
    let crop = crops.then(|| own_crop().or_else(|| class.and_then(|class| class.crop))).flatten();
    let factor = file.get("crop_pct").and_then(Value::as_f64).filter(|share| *share > 0.0);
    (said.resize, said.crop_px) = match (stem, resized) {
        // Smaller ones are resized by the share and cut; larger ones are squashed.
        ("convnext", Some(Resize::Shorter(px))) if px < 384 => {
            (Some(Resize::Shorter((f64::from(px) / factor.unwrap_or(224.0 / 256.0)) as u32)), Some(px))
        }
        ("convnext", Some(Resize::Shorter(px))) => (Some(Resize::Squash(px)), Some(px)),
        ("poolformer", Some(size)) => {
            let px = side(size).map(|px| (f64::from(px) / factor.unwrap_or(0.9)) as u32);
            (px.map(Resize::Shorter), crop.or(side(size)))
        }
        ("levit", Some(Resize::Shorter(px))) => {
            (Some(Resize::Shorter((256.0 / 224.0 * f64::from(px)) as u32)), crop.or(Some(px)))
        }
        (_, size) => (size, crop.or(size.and_then(side))),
    };
    if flag(file, "do_resize") == Some(false) {
        said.resize = Some(Resize::None);
        said.doubts.push("it does not resize (do_resize is false); is the picture's own size meant?".to_owned());
    }
    if let (Some(Resize::Shorter(px)), None, false) = (said.resize, crop, ["convnext", "poolformer"].contains(&stem)) {
        said.doubts.push(format!("it resizes the shorter side to {px} px and cuts nothing; hardset cuts the centre"));
    }
    if let (Some(px), Some(crop_px)) = (said.resize.and_then(side), said.crop_px)
        && crop_px > px
    {
        said.doubts.push(format!(
            "it cuts {crop_px} px out of {px} px and fills the rest with black, which hardset cannot do; {crop_px} px \
             are resized to here"
        ));
        said.resize = said.resize.map(|resize| match resize {
            Resize::Squash(_) => Resize::Squash(crop_px),
            _ => Resize::Shorter(crop_px),
        });
    }
}

fn numbers(file: &Value, class: Option<&Class>, stem: &str) -> (f64, [f64; 3], [f64; 3]) {
    let scale = if flag(file, "do_rescale") == Some(false) {
        1.0
    } else {
        file.get("rescale_factor").and_then(Value::as_f64).unwrap_or(1.0 / 255.0)
    };
    let [mean, std] = class.map_or(IMAGENET_MEAN_STD, |class| class.mean_std);
    let normalizes = match file.get("do_normalize") {
        Some(value) => value.as_bool().unwrap_or(false),
        None => stem != "mobilevit",
    };
    let (mut mean, mut std) = if normalizes {
        (three(file.get("image_mean")).unwrap_or(mean), three(file.get("image_std")).unwrap_or(std))
    } else {
        ([0.0; 3], [1.0; 3])
    };
    if stem == "efficientnet" {
        if flag(file, "rescale_offset") == Some(true) {
            mean = mean.map(|mean| mean + 1.0);
        }
        // Divided by the deviation once more.
        if normalizes && flag(file, "include_top") != Some(false) {
            std = std.map(|std| std * std);
        }
    }
    (scale, mean, std)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The one place that reads: JSON in; resize, filter and crop out.
    #[track_caller]
    fn check(file: &str, resize: Resize, filter: Interpolation, crop_px: u32) -> SaidPreprocess {
        let said = preprocess(&serde_json::from_str(file).unwrap()).unwrap();
        let found = (said.resize, said.interpolation, said.crop_px);
        assert_eq!(found, (Some(resize), Some(filter), Some(crop_px)), "{said:?}");
        said
    }

    #[test]
    fn sizes_are_numbers_edges_or_sides() {
        let clip = r#"{"feature_extractor_type": "CLIPFeatureExtractor", "size": 224, "crop_size": 224, "resample": 3,
            "do_center_crop": true, "image_mean": [0.48, 0.45, 0.40], "image_std": [0.26, 0.26, 0.27]}"#;
        let said = check(clip, Resize::Shorter(224), Bicubic, 224);
        assert_eq!(said.numbers, Some((1.0 / 255.0, [0.48, 0.45, 0.40], [0.26, 0.26, 0.27])));
        assert!(said.doubts.is_empty() && said.floor_crop);
        let vit = r#"{"feature_extractor_type": "ViTFeatureExtractor", "size": 224, "resample": 2}"#;
        check(vit, Resize::Squash(224), Bilinear, 224);
        let siglip = r#"{"image_processor_type": "SiglipImageProcessor", "size": {"height": 384, "width": 384}}"#;
        check(siglip, Resize::Squash(384), Bicubic, 384);
        let deit = r#"{"image_processor_type": "DeiTImageProcessorFast", "size": {"height": 256, "width": 256}}"#;
        check(deit, Resize::Squash(256), Bicubic, 224);
    }

    #[test]
    fn classes_that_resize_in_their_own_way() {
        let convnext = |size: &str| format!(r#"{{"image_processor_type": "ConvNextImageProcessor", "size": {size}}}"#);
        check(&convnext(r#"{"shortest_edge": 224}"#), Resize::Shorter(256), Bicubic, 224);
        check(&convnext(r#"{"shortest_edge": 384}"#), Resize::Squash(384), Bicubic, 384);
        let resnet = r#"{"feature_extractor_type": "ConvNextFeatureExtractor", "size": 224, "crop_pct": 0.875}"#;
        check(resnet, Resize::Shorter(256), Bicubic, 224);
        let pool = r#"{"image_processor_type": "PoolFormerImageProcessor", "size": {"shortest_edge": 224},
            "crop_pct": 0.95, "crop_size": {"height": 224, "width": 224}}"#;
        check(pool, Resize::Shorter(235), Bicubic, 224);
        let levit = r#"{"feature_extractor_type": "LevitFeatureExtractor", "size": 224}"#;
        check(levit, Resize::Shorter(256), Bicubic, 224);
        let mobilevit = r#"{"image_processor_type": "MobileViTImageProcessor", "size": {"shortest_edge": 288},
            "crop_size": {"height": 256, "width": 256}, "resample": 2}"#;
        let said = check(mobilevit, Resize::Shorter(288), Bilinear, 256);
        assert_eq!((said.channels, said.numbers), (Some(ChannelOrder::Bgr), Some((1.0 / 255.0, [0.0; 3], [1.0; 3]))));
        let efficient = r#"{"image_processor_type": "EfficientNetImageProcessor", "size": {"height": 300, "width": 300},
            "rescale_factor": 0.00784313725490196, "rescale_offset": true, "image_mean": [0, 0, 0],
            "image_std": [0.5, 0.5, 0.5], "resample": 0}"#;
        let said = check(efficient, Resize::Squash(300), Interpolation::Nearest, 300);
        assert_eq!(said.numbers, Some((0.00784313725490196, [1.0; 3], [0.25; 3])));
    }

    #[test]
    fn what_cannot_be_described_is_a_doubt() {
        let doubts = |file: &str| preprocess(&serde_json::from_str(file).unwrap()).unwrap().doubts.join("; ");
        assert!(doubts(r#"{"image_processor_type": "FooImageProcessor", "size": 9}"#).contains("FooImageProcessor"));
        let clip = |rest: &str| doubts(&format!(r#"{{"image_processor_type": "CLIPImageProcessor", {rest}}}"#));
        assert!(clip(r#""size": {"height": 9, "width": 7}"#).contains("no square"));
        assert!(clip(r#""do_center_crop": false"#).contains("cuts nothing"));
        assert!(clip(r#""crop_size": 300"#).contains("black"));
        assert!(clip(r#""resample": 5"#).contains("does not have"));
        assert!(clip(r#""size": {"longest_edge": 9}"#).contains("cannot do"));
        assert_eq!(preprocess(&serde_json::json!({"sampling_rate": 16000})), None);
        // timm's own file under transformers' name.
        assert_eq!(preprocess(&serde_json::json!({"image_processor_type": "x", "pretrained_cfg": {}})), None);
    }
}
