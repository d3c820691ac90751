//! ObjectNet's folders: one for each of its 313 classes, of which 113 are classes of ImageNet-1k. Images of the others
//! are outside the set, as in its authors' evaluation.
//!
//! Source: Barbu et al., NeurIPS 2019; imagenet-testbed, `eval_settings/objectnet.py`, which cuts two pixels off at
//! each side, because each image has a red border.

use super::tree::{Label, Labelled, Tree, parts};
use crate::domain::CategorySet;

/// Pixels of its border that are cut off at each side.
pub const BORDER_PX: u32 = 2;
/// Its built-in category set.
pub const SET: &str = "objectnet";

/// What the path of an image says; an error for an image that lies elsewhere.
pub fn labelled(path: &str) -> Result<Labelled<'_>, String> {
    match parts(path)[..] {
        [folder, _] => Ok(Labelled { label: Label::Name(folder), kind: None, nuisance: None }),
        _ => Err("no label: ObjectNet's images lie in <class>/".to_owned()),
    }
}

/// Whether the tree is ObjectNet's beyond doubt: it has the folders of all classes of `set`, ObjectNet's.
pub fn is_one(tree: &Tree, set: &CategorySet) -> bool {
    let folders = tree.folders();
    set.entries.iter().all(|category| folders.binary_search(&category.id.as_str()).is_ok())
}
