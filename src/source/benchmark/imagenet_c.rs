//! ImageNet-C's tree: `<corruption>/<severity>/<WordNet id>/<file>`, also below the groups in which it is given out
//! (`noise/gaussian_noise/…`).
//!
//! Source: Hendrycks and Dietterich, ICLR 2019; its pictures are ready for models, 224 pixels on both sides.

use super::tree::{Label, Labelled, Tree, parts};

/// Pixels on both sides of its pictures.
pub const PREPARED_PX: u32 = 224;
/// Its severities.
const SEVERITIES: [&str; 5] = ["1", "2", "3", "4", "5"];

/// What the path of an image says; an error for an image that lies elsewhere.
pub fn labelled(path: &str) -> Result<Labelled<'_>, String> {
    match parts(path)[..] {
        [.., corruption, severity, class, _] if SEVERITIES.contains(&severity) => {
            Ok(Labelled { label: Label::Name(class), kind: Some(corruption), nuisance: Some(severity) })
        }
        [.., severity, _, _] if severity.bytes().all(|byte| byte.is_ascii_digit()) => {
            Err(format!("no corruption: `{severity}` is no severity from 1 to 5 below the folder of a corruption"))
        }
        _ => Err("no label: ImageNet-C's images lie in <corruption>/<severity>/<WordNet id>/".to_owned()),
    }
}

/// Whether the tree is ImageNet-C's beyond doubt: all of its images lie where they should.
pub fn is_one(tree: &Tree) -> bool {
    !tree.images.is_empty() && tree.images.iter().all(|image| labelled(&image.path).is_ok())
}

/// Whether the tree is one corruption of ImageNet-C: `<severity>/<WordNet id>/<file>`.
pub fn is_one_corruption(tree: &Tree) -> bool {
    let is_inside = |path: &str| matches!(parts(path)[..], [severity, _, _] if SEVERITIES.contains(&severity));
    !tree.images.is_empty() && tree.images.iter().all(|image| is_inside(&image.path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_says_corruption_and_severity() {
        let fog = Labelled { label: Label::Name("n01440764"), kind: Some("fog"), nuisance: Some("3") };
        assert_eq!(labelled("fog/3/n01440764/a.JPEG"), Ok(fog));
        assert_eq!(labelled("weather/fog/3/n01440764/a.JPEG"), Ok(fog));
        for path in ["fog/6/n01440764/a.JPEG", "3/n01440764/a.JPEG", "n01440764/a.JPEG"] {
            assert!(labelled(path).is_err(), "{path}");
        }
    }
}
