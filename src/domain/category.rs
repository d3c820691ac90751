//! Categories: the name of an object, and the classes that count as right for it in each class space.
//!
//! Does not read files; `config` does. Holds always (checked there): a category's id is unique in its set, and
//! ImageNet's class indices are below the number of its classes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Sha256;

/// One category of a benchmark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Category {
    /// Short name for files and tables, unique in its set: a WordNet id, or a word such as `mug`.
    pub id: String,
    /// The name that people read.
    pub name: String,
    /// The noun in prompts, without an article; `None`: the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub noun: Option<String>,
    /// Whether the noun takes no article.
    #[serde(default, skip_serializing_if = "is_false")]
    pub plural: bool,
    /// Other names, which count as right when somebody answers in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// A short explanation for people who do not know the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gloss: Option<String>,
    /// Accepted ImageNet-1k class indices; none if no scorer speaks over ImageNet-1k.
    #[serde(default)]
    pub imagenet_ids: Vec<u32>,
    /// Accepted classes of lists, by the list's name. Without an entry, the class with the category's id or name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub classes: BTreeMap<String, Vec<ClassRef>>,
}

/// How a file names a class of a list.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ClassRef {
    /// By its index, from 0.
    Index(u32),
    /// By its id or name.
    Name(String),
}

fn is_false(flag: &bool) -> bool {
    !flag
}

impl Category {
    /// A category whose name is its id.
    pub fn new(id: &str, imagenet_ids: &[u32]) -> Self {
        Self {
            id: id.to_owned(),
            name: id.to_owned(),
            noun: None,
            plural: false,
            aliases: Vec::new(),
            gloss: None,
            imagenet_ids: imagenet_ids.to_vec(),
            classes: BTreeMap::new(),
        }
    }

    /// The noun in prompts, without an article.
    pub fn noun(&self) -> &str {
        self.noun.as_deref().unwrap_or(&self.name)
    }
}

/// A set of categories, with the hash of the file it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CategorySet {
    /// The set's name, such as `imagenet-d`.
    pub name: String,
    /// Hash of the TOML that was read.
    pub sha256: Sha256,
    /// The categories, in the file's order.
    pub entries: Vec<Category>,
}

impl CategorySet {
    /// The category with this id.
    pub fn by_id(&self, id: &str) -> Option<&Category> {
        self.entries.iter().find(|category| category.id == id)
    }

    /// The categories that accept ImageNet class `class`: more than one where categories share a class.
    pub fn accepting(&self, class: u32) -> Vec<&Category> {
        self.entries.iter().filter(|category| category.imagenet_ids.contains(&class)).collect()
    }
}
