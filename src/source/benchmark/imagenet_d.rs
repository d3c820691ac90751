//! ImageNet-D's tree: `<kind>/<category>/<file>`; our own release as `imagefolder` has the same.
//!
//! Source: the loader of ImageNet-D's evaluation (CVPR 2024), which reads these three kinds.

use super::tree::{Label, Labelled, Tree, parts};

/// The kinds of ImageNet-D.
const KINDS: [&str; 3] = ["background", "material", "texture"];

/// What the path of an image says; an error for an image that lies elsewhere.
pub fn labelled(path: &str) -> Result<Labelled<'_>, String> {
    match parts(path)[..] {
        [kind, category, _] => Ok(Labelled { label: Label::Name(category), kind: Some(kind), nuisance: None }),
        _ => Err("no label: ImageNet-D's images lie in <kind>/<category>/".to_owned()),
    }
}

/// Whether the tree is ImageNet-D's beyond doubt: all folders at its root are kinds.
pub fn is_one(tree: &Tree) -> bool {
    let folders = tree.folders();
    !folders.is_empty()
        && folders.iter().all(|folder| KINDS.contains(folder))
        && tree.images.iter().any(|image| parts(&image.path).len() == 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_says_kind_and_category() {
        let expected = Labelled { label: Label::Name("mug"), kind: Some("texture"), nuisance: None };
        assert_eq!(labelled("texture/mug/1.png"), Ok(expected));
        assert!(labelled("texture/1.png").is_err() && labelled("texture/mug/x/1.png").is_err());
    }
}
