//! Category sets, and the names and WordNet ids of the ImageNet classes (themselves a category set).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::LazyLock;

use serde::Deserialize;

use super::{ConfigError, lookup};
use crate::domain::{Category, CategorySet, IMAGENET_CLASSES, Sha256};

/// The set whose ids are WordNet ids, in the order of ImageNet's class indices.
const IMAGENET: &str = "imagenet-1k";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSet {
    categories: Vec<Category>,
}

/// Reads and checks the category set `name`, which the file `file` in folder `from` names.
pub fn load(name: &str, from: &Path, file: &str) -> Result<CategorySet, ConfigError> {
    let found = lookup::find("categories", name, from, file)?;
    let raw: RawSet = found.parse()?;
    check(&raw.categories, &found.file)?;
    Ok(CategorySet { name: found.stem, sha256: Sha256::of(found.text.as_bytes()), entries: raw.categories })
}

fn check(categories: &[Category], file: &str) -> Result<(), ConfigError> {
    let mut seen = BTreeSet::new();
    for category in categories {
        let refuse = |problem: String| Err(ConfigError::value(file, &format!("categories.{}", category.id), problem));
        if category.id.is_empty() || !seen.insert(&category.id) {
            return refuse("is empty or listed twice; every id must be unique".to_owned());
        }
        if category.noun().trim().is_empty() || category.noun().contains(['{', '}']) {
            return refuse("has a name (or `noun`) that is empty or has braces".to_owned());
        }
        if category.imagenet_ids.is_empty() {
            return refuse("accepts no class; give at least one of `imagenet_ids`".to_owned());
        }
        let mut ids = category.imagenet_ids.clone();
        ids.sort_unstable();
        ids.dedup();
        if ids.len() != category.imagenet_ids.len() {
            return refuse("lists a class twice".to_owned());
        }
        if let Some(id) = category.imagenet_ids.iter().find(|&&id| id as usize >= IMAGENET_CLASSES) {
            return refuse(format!("accepts class {id}, but ImageNet-1k has 0 to 999"));
        }
    }
    if categories.is_empty() {
        return Err(ConfigError::value(file, "categories", "is empty; give at least one category"));
    }
    Ok(())
}

static CLASSES: LazyLock<Vec<Category>> = LazyLock::new(|| {
    let found = lookup::find("categories", IMAGENET, Path::new("/"), "hardset").ok();
    found.and_then(|found| found.parse::<RawSet>().ok()).map_or_else(Vec::new, |set| set.categories)
});

/// Readable names of the 1000 classes, by index.
pub fn class_names() -> Vec<&'static str> {
    CLASSES.iter().map(|class| class.name.as_str()).collect()
}

/// Index of each class by its WordNet id (`n01440764` -> 0).
pub fn wordnet_ids() -> BTreeMap<&'static str, u32> {
    CLASSES.iter().map(|class| (class.id.as_str(), class.imagenet_ids[0])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_classes_of_imagenet_stand_at_their_indices() {
        assert_eq!(class_names().len(), IMAGENET_CLASSES);
        assert_eq!(class_names()[1], "goldfish");
        assert_eq!(wordnet_ids()["n01443537"], 1);
        assert!(CLASSES.iter().zip(0..).all(|(class, index)| class.imagenet_ids == [index]));
    }

    #[test]
    fn imagenet_d_has_113_categories_125_ids_and_nine_with_several() {
        let set = load("imagenet-d", Path::new("."), "test").unwrap();
        assert_eq!(set.entries.len(), 113);
        assert_eq!(set.entries.iter().map(|c| c.imagenet_ids.len()).sum::<usize>(), 125);
        assert_eq!(set.entries.iter().filter(|c| c.imagenet_ids.len() > 1).count(), 9);
    }

    #[test]
    fn wrong_sets_are_refused_by_name() {
        let set = |id: &str, ids: &[u32]| Category::new(id, ids);
        let refused = |sets: &[Category]| check(sets, "x.toml").unwrap_err().to_string();
        assert!(refused(&[set("mug", &[1000])]).contains("x.toml: `categories.mug` accepts class 1000"));
        assert!(refused(&[set("mug", &[])]).contains("accepts no class"));
        assert!(refused(&[set("mug", &[1]), set("mug", &[2])]).contains("twice"));
        assert!(refused(&[]).contains("is empty"));
    }
}
