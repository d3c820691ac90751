//! timm's `config.json`.
//!
//! Source: timm 1.0.31, `data/config.py` (`resolve_data_config`) and `data/transforms_factory.py`
//! (`transforms_imagenet_eval`).

use serde_json::Value;

use super::said::{IMAGENET_MEAN_STD, SaidPreprocess, filter_named, numbers_of, px};
use crate::domain::{ChannelOrder, Interpolation, Resize};

const CROP_SHARE: f64 = 0.875;

/// What the file says; `None` if it is not timm's.
pub(super) fn preprocess(config: &Value) -> Option<SaidPreprocess> {
    // Old files have the keys at the top.
    let own = config.get("pretrained_cfg").filter(|own| own.is_object()).unwrap_or(config);
    let sides = own.get("input_size")?.as_array()?;
    let mut said = SaidPreprocess { file: "config.json (timm)".to_owned(), ..Default::default() };
    let side = px(sides.get(1))?;
    if px(sides.get(2)) != Some(side) {
        said.doubts.push(format!("it takes {:?}, which is no square; hardset gives models squares", own["input_size"]));
    }
    let share = own.get("crop_pct").and_then(Value::as_f64).filter(|share| *share > 0.0).unwrap_or(CROP_SHARE);
    let resized = (f64::from(side) / share).floor() as u32;
    said.crop_px = Some(side);
    said.resize = Some(match own.get("crop_mode").and_then(Value::as_str) {
        Some("squash") => Resize::Squash(resized.max(side)),
        Some("border") => {
            said.doubts.push(
                "it brings the longer side to the size and pads with the mean (crop_mode border), which hardset cannot \
                 do; the shorter side is taken here"
                    .to_owned(),
            );
            Resize::Shorter(resized.max(side))
        }
        _ => Resize::Shorter(resized.max(side)),
    });
    if resized < side {
        said.doubts.push(format!("crop_pct {share} is above 1: it pads with black, which hardset cannot do"));
    }
    said.interpolation = match own.get("interpolation").and_then(Value::as_str).filter(|name| !name.is_empty()) {
        None => Some(Interpolation::Bicubic),
        Some(name) => filter_named(name),
    };
    if said.interpolation.is_none() {
        said.doubts.push(format!("its interpolation {} is not known here", own["interpolation"]));
    }
    said.numbers = Some(numbers_of(own, IMAGENET_MEAN_STD));
    said.channels = Some(ChannelOrder::Rgb);
    Some(said)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(config: &Value, resize: Resize, crop_px: u32, doubt: &str) {
        let said = preprocess(config).unwrap();
        assert_eq!((said.resize, said.crop_px, said.floor_crop), (Some(resize), Some(crop_px), false));
        assert!(said.doubts.join("; ").contains(doubt) && said.doubts.is_empty() == doubt.is_empty(), "{said:?}");
    }

    #[test]
    fn the_share_is_of_the_shorter_side_or_of_both() {
        let own = json!({"input_size": [3, 224, 224], "crop_pct": 0.95, "interpolation": "bilinear"});
        check(&json!({"architecture": "resnet50", "pretrained_cfg": own}), Resize::Shorter(235), 224, "");
        check(&json!({"input_size": [3, 224, 224]}), Resize::Shorter(256), 224, "");
        let squash = json!({"input_size": [3, 384, 384], "crop_pct": 1.0, "crop_mode": "squash"});
        check(&json!({"pretrained_cfg": squash}), Resize::Squash(384), 384, "");
        let border = json!({"input_size": [3, 448, 448], "crop_pct": 1.0, "crop_mode": "border"});
        check(&json!({"pretrained_cfg": border}), Resize::Shorter(448), 448, "border");
        check(&json!({"input_size": [3, 224, 192]}), Resize::Shorter(256), 224, "no square");
        assert_eq!(preprocess(&json!({"model_type": "vit"})), None);
    }
}
