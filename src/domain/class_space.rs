//! Class spaces: the classes over which a scorer speaks, and which of them count as right for each category of a run.
//!
//! Does not read files; `config` does. Holds always (checked there): a space has two classes or more, and accepted
//! classes are indices into `classes`.
//!
//! Scorers of one run may have unlike spaces. Whether a scorer is right is decided in its own space; classes of two
//! spaces are compared by the category that accepts them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{CategorySet, Key, Sha256};

/// The name of ImageNet-1k's space (ILSVRC 2012), which a scorer has unless its TOML names another.
pub const IMAGENET_1K: &str = "imagenet-1k";
/// The name of the space whose classes are the categories of the recipe, in their order.
pub const CATEGORIES: &str = "categories";

/// The classes over which a scorer speaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassSpace {
    /// `imagenet-1k`, `categories`, or the name of a list.
    pub name: String,
    /// Hash of the file of a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Sha256>,
    /// Readable names, by index.
    pub classes: Vec<String>,
    /// Ids, by index, such as WordNet's; none for a list of names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<String>,
    /// For each category, by id: the classes that count as right, ascending.
    pub accepts: BTreeMap<String, Vec<u32>>,
}

impl ClassSpace {
    /// The space of the categories themselves.
    pub fn of_categories(set: &CategorySet) -> Self {
        let mut accepts = BTreeMap::new();
        for (place, category) in set.entries.iter().enumerate() {
            accepts.insert(category.id.clone(), vec![place as u32]);
        }
        let classes = set.entries.iter().map(|category| category.name.clone()).collect();
        let ids = set.entries.iter().map(|category| category.id.clone()).collect();
        Self { name: CATEGORIES.to_owned(), sha256: None, classes, ids, accepts }
    }

    /// ImageNet-1k's space; `classes`: its names; `ids`: its WordNet ids.
    pub fn imagenet(classes: Vec<String>, ids: Vec<String>, set: &CategorySet) -> Self {
        let mut accepts = BTreeMap::new();
        for category in &set.entries {
            accepts.insert(category.id.clone(), category.imagenet_ids.clone());
        }
        Self { name: IMAGENET_1K.to_owned(), sha256: None, classes, ids, accepts }
    }

    /// How many classes there are.
    pub fn len(&self) -> usize {
        self.classes.len()
    }

    /// Whether there is none, which `config` refuses.
    pub fn is_empty(&self) -> bool {
        self.classes.is_empty()
    }

    /// The classes that count as right for the category with this id.
    pub fn accepted(&self, category: &str) -> &[u32] {
        self.accepts.get(category).map_or(&[], Vec::as_slice)
    }

    /// All accepted classes, ascending, each once: the classes of the `masked` label space.
    pub fn all_accepted(&self) -> Vec<u32> {
        let mut classes: Vec<u32> = self.accepts.values().flatten().copied().collect();
        classes.sort_unstable();
        classes.dedup();
        classes
    }

    /// The readable name of a class; `none` for no class of the space.
    pub fn class_name(&self, class: i32) -> &str {
        usize::try_from(class).ok().and_then(|class| self.classes.get(class)).map_or("none", String::as_str)
    }

    /// For each class the places in `set` of the categories that accept it, ascending.
    pub fn places(&self, set: &CategorySet) -> Vec<Vec<usize>> {
        let mut places = vec![Vec::new(); self.len()];
        for (place, category) in set.entries.iter().enumerate() {
            for &class in self.accepted(&category.id) {
                if let Some(of_class) = places.get_mut(class as usize) {
                    of_class.push(place);
                }
            }
        }
        places
    }

    /// Hash of everything that predictions depend on: the list, and which of its classes are accepted. Names of
    /// categories are part of the identity of their set.
    pub fn identity(&self) -> Sha256 {
        let Self { name: _, sha256, classes, ids: _, accepts } = self;
        let mut accepted = Vec::with_capacity(accepts.len());
        for (category, classes) in accepts {
            accepted.push(
                Key::new("accepted", 1).field("category", category).field("classes", classes.as_slice()).finish(),
            );
        }
        Key::new("class space", 1)
            .field("file", *sha256)
            .field("classes", classes.len() as u64)
            .list("accepts", accepted)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Category;

    fn set() -> CategorySet {
        let entries = vec![Category::new("mug", &[3]), Category::new("cup", &[1, 3])];
        CategorySet { name: "two".into(), sha256: Sha256::of(b""), entries }
    }

    #[test]
    fn classes_map_to_the_categories_that_accept_them() {
        let space = ClassSpace::imagenet(["a", "b", "c", "d"].map(str::to_owned).to_vec(), Vec::new(), &set());
        assert_eq!(space.all_accepted(), [1, 3]);
        assert_eq!(space.places(&set()), [vec![], vec![1], vec![], vec![0, 1]]);
        assert_eq!((space.accepted("cup"), space.accepted("no")), (&[1, 3][..], &[][..]));
        assert_eq!([space.class_name(3), space.class_name(4), space.class_name(-1)], ["d", "none", "none"]);
    }

    #[test]
    fn the_categories_are_a_space_of_their_own() {
        let space = ClassSpace::of_categories(&set());
        assert_eq!((space.len(), space.accepted("cup")), (2, &[1][..]));
        assert_ne!(space.identity(), ClassSpace { accepts: BTreeMap::new(), ..space.clone() }.identity());
    }
}
