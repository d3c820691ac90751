//! The category of a photograph, from its file's name, its folder or a CSV.
//!
//! Holds always: a file gets exactly one category or a reason, because a guessed label is a wrong benchmark; a number
//! is a class only where the recipe says so, because lists of classes are sorted in several ways.

use std::collections::BTreeMap;

use super::error::SourceError;
use super::labels_csv::LabelsCsv;
use crate::config::wordnet_ids;
use crate::domain::{Category, CategorySet, FolderSource, LabelSource};

/// Letters of a WordNet id: `n` and eight digits.
const ID_LENGTH: usize = 9;

/// The categories of files.
pub(super) struct Labels<'a> {
    source: LabelSource,
    categories: &'a CategorySet,
    classes: BTreeMap<&'static str, u32>,
    csv: Option<LabelsCsv>,
}

impl<'a> Labels<'a> {
    pub(super) fn new(source: &FolderSource, categories: &'a CategorySet) -> Result<Self, SourceError> {
        let csv = source.labels_csv.as_ref().map(|csv| LabelsCsv::read(&csv.path, &source.root)).transpose()?;
        Ok(Self { source: source.labels, categories, classes: wordnet_ids(), csv })
    }

    /// The category of the file at `path`, relative to the root, or why it has none.
    pub(super) fn of(&self, path: &str) -> Result<&'a Category, String> {
        match self.source {
            LabelSource::WordnetId => self.category(self.id_in(path.rsplit('/').next().unwrap_or(path))?),
            LabelSource::ParentFolder => self.category(parent(path)?).map_err(|reason| with_hint(reason, path)),
            LabelSource::ClassIndex => self.of_class(self.index(parent(path)?)?, parent(path)?),
            LabelSource::Csv => self.category(
                self.csv.as_ref().map_or(Err("no label: there is no CSV".to_owned()), |csv| csv.label(path))?,
            ),
        }
    }

    /// An error if the folders as a whole are not what the recipe says; `paths`: those of all files.
    pub(super) fn check<'p>(&self, mut paths: impl Iterator<Item = &'p str>) -> Result<(), SourceError> {
        if self.source != LabelSource::ClassIndex {
            return Ok(());
        }
        // One folder too many at the end: all others are shifted by one as well.
        let beyond = paths.find(|path| parent(path).ok().and_then(number) == Some(self.classes.len() as u64));
        match beyond {
            Some(path) => Err(SourceError::CountsFromOne { path: path.to_owned(), classes: self.classes.len() }),
            None => Ok(()),
        }
    }

    /// What people should know about the labels of all files at `paths`.
    pub(super) fn notes<'p>(&self, paths: impl Iterator<Item = &'p str>) -> Vec<String> {
        self.csv.as_ref().map_or_else(Vec::new, |csv| csv.notes(paths))
    }

    /// The one WordNet id in a file's name.
    fn id_in<'n>(&self, name: &'n str) -> Result<&'n str, String> {
        let ids = wordnet_ids_in(name);
        let mut known: Vec<&str> = ids.iter().copied().filter(|id| self.is_known(id)).collect();
        known.sort_unstable();
        known.dedup();
        match (&known[..], &ids[..]) {
            ([id], _) | ([], [id, ..]) => Ok(id),
            ([], []) => Err("no label: the file's name has no WordNet id such as n01440764".to_owned()),
            (several, _) => {
                let several = several.join(" and ");
                Err(format!(
                    "several labels: the file's name has the WordNet ids {several}; name it in a CSV (labels = \"csv\")"
                ))
            }
        }
    }

    fn is_known(&self, id: &str) -> bool {
        self.classes.contains_key(id) || self.categories.by_id(id).is_some()
    }

    /// The class that a folder's name is the index of.
    fn index(&self, folder: &str) -> Result<u32, String> {
        let all = self.classes.len();
        let index = number(folder).filter(|&index| index < all as u64);
        let index =
            index.ok_or_else(|| format!("no label: the folder `{folder}` is no class index, 0 to {}", all - 1))?;
        Ok(index as u32)
    }

    /// `label`: a WordNet id or a category's id.
    fn category(&self, label: &str) -> Result<&'a Category, String> {
        let set = &self.categories.name;
        if let Some(category) = self.categories.by_id(label) {
            return Ok(category);
        }
        let Some(&class) = self.classes.get(label) else {
            return Err(format!("label `{label}` is neither a WordNet id of ImageNet-1k nor a category of {set}"));
        };
        self.of_class(class, label)
    }

    fn of_class(&self, class: u32, label: &str) -> Result<&'a Category, String> {
        let set = &self.categories.name;
        match self.categories.accepting(class)[..] {
            [category] => Ok(category),
            [] => Err(format!("class {class} ({label}) belongs to no category of {set}")),
            _ => Err(format!("class {class} ({label}) belongs to several categories of {set}")),
        }
    }
}

fn parent(path: &str) -> Result<&str, String> {
    let folder = path.rsplit('/').nth(1);
    folder.ok_or_else(|| "no label: the file is in the root itself, not in a folder that names its class".to_owned())
}

/// Digits alone, with or without zeros before them.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// The reason, and what to write where a folder is named by a number.
fn with_hint(reason: String, path: &str) -> String {
    if parent(path).ok().and_then(number).is_none() {
        return reason;
    }
    format!(
        "{reason}; if the folders are named by the class index of ImageNet-1k, 0 to {}, write \
         labels = \"class-index\" (an index of another list, or one that is sorted as text, is another class)",
        wordnet_ids().len() - 1
    )
}

/// All that look like WordNet ids in a name, in its order: `n` and eight digits, not inside a longer word or number.
pub(super) fn wordnet_ids_in(name: &str) -> Vec<&str> {
    let bytes = name.as_bytes();
    let is_id = |&at: &usize| {
        let is_start = at == 0 || !bytes[at - 1].is_ascii_alphanumeric();
        let digits = bytes.get(at + 1..at + ID_LENGTH);
        let is_end = !bytes.get(at + ID_LENGTH).is_some_and(u8::is_ascii_digit);
        bytes[at] == b'n' && is_start && is_end && digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_digit))
    };
    (0..bytes.len()).filter(is_id).map(|at| &name[at..at + ID_LENGTH]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Sha256;

    fn categories() -> CategorySet {
        let category = |id: &str, ids: &[u32]| Category::new(id, ids);
        let entries = vec![category("mug", &[504]), category("a", &[1, 2]), category("b", &[2])];
        CategorySet { name: "three".into(), sha256: Sha256::of(b""), entries }
    }

    /// The category of `path`, or a part of the reason why it has none.
    fn check(source: LabelSource, path: &str, expected: Result<&str, &str>) {
        let categories = categories();
        let labels = Labels { source, categories: &categories, classes: wordnet_ids(), csv: None };
        match (labels.of(path), expected) {
            (Ok(category), Ok(id)) => assert_eq!(category.id, id),
            (Err(reason), Err(part)) => assert!(reason.contains(part), "{reason}"),
            (found, expected) => panic!("{path}: {found:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn from_an_id_anywhere_in_the_name() {
        let from_name = |path, expected| check(LabelSource::WordnetId, path, expected);
        from_name("x/n03063599_coffee_mug.JPEG", Ok("mug"));
        from_name("ILSVRC2012_val_00000001_n03063599.JPEG", Ok("mug"));
        from_name("n03063599-n03063599.jpg", Ok("mug"));
        from_name("n03063599_n99999999.jpg", Ok("mug"));
        from_name("x/mug (n03063599).png", Ok("mug"));
        from_name("n03063599/nolabel.jpg", Err("has no WordNet id"));
        for name in ["n030635991.jpg", "in03063599.jpg", "n0306359.jpg", "n0\u{e4}063599.jpg", "N03063599.jpg"] {
            from_name(name, Err("has no WordNet id"));
        }
        from_name("n99999999_x.jpg", Err("neither a WordNet id"));
        from_name("n01440764_tench.jpg", Err("belongs to no category of three"));
        from_name("n01484850_shark.jpg", Err("several categories"));
        from_name("n01484850_n03063599.jpg", Err("WordNet ids n01484850 and n03063599"));
    }

    #[test]
    fn from_the_folder() {
        check(LabelSource::ParentFolder, "a/b/mug/1.jpg", Ok("mug"));
        check(LabelSource::ParentFolder, "n03063599/1.jpg", Ok("mug"));
        check(LabelSource::ParentFolder, "1.jpg", Err("in the root itself"));
        check(LabelSource::ParentFolder, "504/1.jpg", Err("labels = \"class-index\""));
    }

    #[test]
    fn from_a_class_index() {
        let from_index = |path, expected| check(LabelSource::ClassIndex, path, expected);
        from_index("504/1.jpg", Ok("mug"));
        from_index("x/0504/1.jpg", Ok("mug"));
        from_index("0001/1.jpg", Ok("a"));
        from_index("0/1.jpg", Err("class 0 (0) belongs to no category"));
        from_index("1001/1.jpg", Err("`1001` is no class index, 0 to 999"));
        from_index("+504/1.jpg", Err("`+504` is no class index"));
        from_index("mug/1.jpg", Err("`mug` is no class index"));
        from_index("1.jpg", Err("in the root itself"));
    }

    #[test]
    fn folders_that_count_from_one_are_refused_as_a_whole() {
        let categories = categories();
        let check = |source, path| {
            Labels { source, categories: &categories, classes: wordnet_ids(), csv: None }.check([path].into_iter())
        };
        assert!(check(LabelSource::ClassIndex, "1000/1.jpg").is_err());
        assert!(check(LabelSource::ClassIndex, "999/1.jpg").is_ok());
        assert!(check(LabelSource::ParentFolder, "1000/1.jpg").is_ok());
    }
}
