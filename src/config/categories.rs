//! Category sets.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Deserialize;

use super::{ConfigError, class_spaces::class_names, lookup};
use crate::domain::{Category, CategorySet, Sha256};

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
        let mut ids = category.imagenet_ids.clone();
        ids.sort_unstable();
        ids.dedup();
        if ids.len() != category.imagenet_ids.len() {
            return refuse("lists a class twice".to_owned());
        }
        let classes = class_names().len();
        if let Some(id) = category.imagenet_ids.iter().find(|&&id| id as usize >= classes) {
            return refuse(format!("accepts class {id}, but ImageNet-1k has 0 to {}", classes - 1));
        }
        if category.classes.values().any(Vec::is_empty) {
            return refuse("has an empty list in `classes`; name a class, or leave the list out".to_owned());
        }
    }
    if categories.is_empty() {
        return Err(ConfigError::value(file, "categories", "is empty; give at least one category"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(refused(&[set("mug", &[1]), set("mug", &[2])]).contains("twice"));
        assert!(refused(&[]).contains("is empty"));
    }
}
