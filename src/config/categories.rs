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

/// The built-in set `name`; `None` if there is none.
pub fn built_in_set(name: &str) -> Result<Option<CategorySet>, ConfigError> {
    let Some(found) = lookup::built_in("categories", name) else { return Ok(None) };
    let raw: RawSet = found.parse()?;
    Ok(Some(CategorySet { name: found.stem, sha256: Sha256::of(found.text.as_bytes()), entries: raw.categories }))
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
    use crate::config::wordnet_ids;

    #[test]
    fn imagenet_d_has_113_categories_125_ids_and_nine_with_several() {
        let set = load("imagenet-d", Path::new("."), "test").unwrap();
        assert_eq!(set.entries.len(), 113);
        assert_eq!(set.entries.iter().map(|c| c.imagenet_ids.len()).sum::<usize>(), 125);
        assert_eq!(set.entries.iter().filter(|c| c.imagenet_ids.len() > 1).count(), 9);
    }

    #[test]
    fn the_sets_of_published_benchmarks_have_their_classes() {
        let ids = |name: &str| {
            let set = load(name, Path::new("."), "test").unwrap();
            assert_eq!(built_in_set(name).unwrap().as_ref(), Some(&set));
            let ids: Vec<u32> = set.entries.iter().flat_map(|category| category.imagenet_ids.clone()).collect();
            let distinct: BTreeSet<u32> = ids.iter().copied().collect();
            assert_eq!(distinct.len(), ids.len(), "{name}: a class belongs to one category");
            (set, ids)
        };
        let words = wordnet_ids();
        for (name, first, has) in [("imagenet-a", 6, "n02007558"), ("imagenet-r", 1, "n01443537")] {
            let (set, found) = ids(name);
            assert_eq!((set.entries.len(), found.len(), found[0]), (200, 200, first));
            assert!(set.by_id(has).is_some() && set.by_id("n01440764").is_none(), "{name}");
            let named = |category: &Category| words.get(category.id.as_str()) == Some(&category.imagenet_ids[0]);
            assert!(set.entries.iter().all(named), "{name}: ids are those of the classes");
            assert!(found.is_sorted(), "{name}: in ImageNet's order");
        }
        let (set, found) = ids("objectnet");
        assert_eq!(set.entries.len(), 113);
        assert_eq!(set.by_id("alarm_clock").unwrap().imagenet_ids, [409, 530]);
        assert_eq!(set.by_id("drinking_cup").unwrap().imagenet_ids, [968]);
        let same = load("imagenet-d", Path::new("."), "test").unwrap();
        let of_d: BTreeSet<u32> = same.entries.iter().flat_map(|category| category.imagenet_ids.clone()).collect();
        assert_eq!(of_d, found.into_iter().collect(), "ImageNet-D has the classes of ObjectNet");
        assert_eq!(built_in_set("none-such").unwrap(), None);
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
