//! From what a pool calls a class to a category: the category's id or name, a WordNet id, or an ImageNet class's name.
//!
//! Holds always: a label gets one category or a reason; a class of ImageNet that the set does not have is outside the
//! set, not unknown, because a pool may be evaluated on some of its classes alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::config::{ConfigError, built_in_names, built_in_set, wordnet_ids};
use crate::domain::{Category, CategorySet};

/// The built-in set of all of ImageNet's classes.
pub const ALL_OF_IMAGENET: &str = "imagenet-1k";

/// Why a label has no category.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoCategory {
    /// It is a class of ImageNet that no category of the set accepts.
    Outside,
    /// Nobody knows it, or it may be several.
    Unknown(String),
}

/// What is called what, in one set of categories.
pub struct Names<'a> {
    set: &'a CategorySet,
    /// Places of categories, by id and by name.
    categories: HashMap<String, Vec<usize>>,
    imagenet: &'a ImagenetNames,
}

/// The names of ImageNet's classes.
pub struct ImagenetNames {
    ids: BTreeMap<&'static str, u32>,
    names: HashMap<String, Vec<u32>>,
}

impl ImagenetNames {
    /// Those of the built-in set.
    pub fn load() -> Result<Self, ConfigError> {
        let mut names: HashMap<String, Vec<u32>> = HashMap::new();
        for category in built_in_set(ALL_OF_IMAGENET)?.iter().flat_map(|set| &set.entries) {
            // `tench`, and as most lists have it `tench, Tinca tinca`.
            let whole = category.gloss.as_ref().map(|gloss| format!("{}, {gloss}", category.name));
            for name in [Some(category.name.clone()), whole].into_iter().flatten() {
                let classes = names.entry(plain(&name)).or_default();
                classes.extend(
                    category.imagenet_ids.iter().filter(|class| !classes.contains(class)).copied().collect::<Vec<_>>(),
                );
            }
        }
        Ok(Self { ids: wordnet_ids(), names })
    }

    /// How many classes there are.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// The classes that are called `label`; several share a name.
    pub fn classes(&self, label: &str) -> Vec<u32> {
        match self.ids.get(label) {
            Some(&class) => vec![class],
            None => self.names.get(&plain(label)).cloned().unwrap_or_default(),
        }
    }
}

/// A name as it is compared: `Alarm_Clock ` is `alarm clock`.
fn plain(name: &str) -> String {
    name.trim().replace('_', " ").to_lowercase()
}

impl<'a> Names<'a> {
    /// What is called what in `set`.
    pub fn new(set: &'a CategorySet, imagenet: &'a ImagenetNames) -> Self {
        let mut categories: HashMap<String, Vec<usize>> = HashMap::new();
        for (place, category) in set.entries.iter().enumerate() {
            for name in [plain(&category.id), plain(&category.name)] {
                let places = categories.entry(name).or_default();
                if !places.contains(&place) {
                    places.push(place);
                }
            }
        }
        Self { set, categories, imagenet }
    }

    /// The category that a pool calls `label`.
    pub fn category(&self, label: &str) -> Result<&'a Category, NoCategory> {
        if let Some(category) = self.set.by_id(label) {
            return Ok(category);
        }
        // A WordNet id is a class whatever categories are called.
        if let Some(&class) = self.imagenet.ids.get(label) {
            return self.of_class(class, label);
        }
        match self.categories.get(&plain(label)).map(Vec::as_slice) {
            Some([place]) => return Ok(&self.set.entries[*place]),
            Some([_, _, ..]) => return Err(self.several(label)),
            _ => {}
        }
        match self.imagenet.classes(label)[..] {
            [class] => self.of_class(class, label),
            [] => Err(NoCategory::Unknown(format!(
                "label `{label}` is neither a category of {} nor a WordNet id or name of a class of ImageNet-1k",
                self.set.name
            ))),
            _ => Err(NoCategory::Unknown(format!("label `{label}` is the name of several classes of ImageNet-1k"))),
        }
    }

    /// Any category, for images of none.
    pub fn any(&self) -> Result<&'a Category, NoCategory> {
        self.set.entries.first().ok_or_else(|| NoCategory::Unknown("there is no category".to_owned()))
    }

    /// The category that accepts class `class` of ImageNet-1k, which the pool calls `label`.
    pub fn of_class(&self, class: u32, label: &str) -> Result<&'a Category, NoCategory> {
        match self.set.accepting(class)[..] {
            [category] => Ok(category),
            [] => Err(NoCategory::Outside),
            _ => Err(self.several(label)),
        }
    }

    fn several(&self, label: &str) -> NoCategory {
        NoCategory::Unknown(format!("label `{label}` belongs to several categories of {}", self.set.name))
    }
}

/// What `labels` are, if nobody says which categories they are: the built-in set that has exactly these, else all of
/// ImageNet. `Err`: why no set fits.
pub fn set_of(labels: &BTreeSet<&str>, imagenet: &ImagenetNames) -> Result<Result<CategorySet, String>, ConfigError> {
    let mut fitting = Vec::new();
    for name in built_in_names("categories") {
        let Some(set) = built_in_set(&name)? else { continue };
        if set.entries.len() == labels.len() && has_exactly(&set, labels, imagenet) {
            fitting.push(set);
        }
    }
    match &fitting[..] {
        [_] => return Ok(Ok(fitting.remove(0))),
        [] => {}
        several => {
            let names: Vec<&str> = several.iter().map(|set| set.name.as_str()).collect();
            return Ok(Err(format!("its classes are those of {}", names.join(" and of "))));
        }
    }
    let unknown: Vec<&str> = labels.iter().copied().filter(|label| imagenet.classes(label).is_empty()).collect();
    if 2 * unknown.len() > labels.len() {
        let named: Vec<&str> = unknown.iter().copied().take(3).collect();
        let rest = if unknown.len() > named.len() { ", …" } else { "" };
        return Ok(Err(format!(
            "{} of its {} classes (`{}`{rest}) are no classes of ImageNet-1k and of no built-in category set",
            unknown.len(),
            labels.len(),
            named.join("`, `")
        )));
    }
    match built_in_set(ALL_OF_IMAGENET)? {
        Some(set) => Ok(Ok(set)),
        None => Ok(Err(format!("there is no set {ALL_OF_IMAGENET}"))),
    }
}

fn has_exactly(set: &CategorySet, labels: &BTreeSet<&str>, imagenet: &ImagenetNames) -> bool {
    let names = Names::new(set, imagenet);
    let found: Option<BTreeSet<&str>> =
        labels.iter().map(|label| names.category(label).ok().map(|category| category.id.as_str())).collect();
    found.is_some_and(|found| found.len() == set.entries.len())
}
