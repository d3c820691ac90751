//! open_clip's `open_clip_config.json`: its `preprocess_cfg`.
//!
//! Source: open_clip 3, `transform.py` (`PreprocessCfg`, `image_transform_v2`).

use serde_json::Value;

use super::said::{CLIP_MEAN_STD, SaidPreprocess, filter_named, numbers_of, px};
use crate::domain::{ChannelOrder, Interpolation, Resize};

/// What the file says; `None` without its `preprocess_cfg` and `model_cfg`.
pub(super) fn preprocess(file: &Value) -> Option<SaidPreprocess> {
    let empty = Value::Null;
    let own = file.get("preprocess_cfg").unwrap_or(&empty);
    let model = file.get("model_cfg").unwrap_or(file);
    let size = own.get("size").or_else(|| model.get("vision_cfg")?.get("image_size"))?;
    let side = px(Some(size)).or_else(|| px(size.get(0)))?;
    let mut said = SaidPreprocess { file: "open_clip_config.json".to_owned(), ..Default::default() };
    if size.is_array() && px(size.get(1)) != Some(side) {
        said.doubts.push(format!("it takes {size}, which is no square; hardset gives models squares"));
    }
    said.crop_px = Some(side);
    said.resize = Some(match own.get("resize_mode").and_then(Value::as_str) {
        Some("squash") => Resize::Squash(side),
        Some("longest") => {
            said.doubts.push(
                "it brings the longer side to the size and pads (resize_mode longest), which hardset cannot do; the \
                 shorter side is taken here"
                    .to_owned(),
            );
            Resize::Shorter(side)
        }
        _ => Resize::Shorter(side),
    });
    let filter = own.get("interpolation").and_then(Value::as_str).unwrap_or("bicubic");
    said.interpolation = filter_named(filter).or(Some(Interpolation::Bicubic));
    said.numbers = Some(numbers_of(own, CLIP_MEAN_STD));
    said.channels = Some(ChannelOrder::Rgb);
    Some(said)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_resize_has_three_modes() {
        let said = |mode: &str| {
            let own = json!({"size": 224, "resize_mode": mode, "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]});
            preprocess(&json!({"model_cfg": {}, "preprocess_cfg": own})).unwrap()
        };
        assert_eq!(said("shortest").resize, Some(Resize::Shorter(224)));
        assert_eq!(said("squash").resize, Some(Resize::Squash(224)));
        assert!(said("longest").doubts[0].contains("pads"));
        let old = preprocess(&json!({"embed_dim": 512, "vision_cfg": {"image_size": 240}})).unwrap();
        assert_eq!((old.crop_px, old.interpolation), (Some(240), Some(Interpolation::Bicubic)));
    }
}
