//! The category of a photograph, from its file's name, its folder or a CSV.
//!
//! Holds always: a file gets exactly one category or a reason, because a guessed label is a wrong benchmark.

use std::collections::BTreeMap;
use std::path::Path;

use super::error::SourceError;
use crate::config::wordnet_ids;
use crate::domain::{Category, CategorySet, FolderSource, LabelSource};

/// The categories of files.
pub(super) struct Labels<'a> {
    source: LabelSource,
    categories: &'a CategorySet,
    classes: BTreeMap<&'static str, u32>,
    csv: BTreeMap<String, String>,
}

impl<'a> Labels<'a> {
    pub(super) fn new(source: &FolderSource, categories: &'a CategorySet) -> Result<Self, SourceError> {
        let csv = match &source.labels_csv {
            Some(csv) => read_csv(&csv.path)?,
            None => BTreeMap::new(),
        };
        Ok(Self { source: source.labels, categories, classes: wordnet_ids(), csv })
    }

    /// The category of the file at `path`, relative to the root, or why it has none.
    pub(super) fn of(&self, path: &str) -> Result<&'a Category, String> {
        let label = match self.source {
            LabelSource::WordnetId => {
                let name = path.rsplit('/').next().unwrap_or(path);
                let longer = name.as_bytes().get(9).is_some_and(u8::is_ascii_digit);
                let id = name
                    .get(..9)
                    .filter(|id| id.starts_with('n') && id[1..].bytes().all(|b| b.is_ascii_digit()) && !longer);
                id.ok_or("no label: the file's name does not begin with a WordNet id such as n01440764")?
            }
            LabelSource::ParentFolder => {
                let folder = path.rsplit('/').nth(1);
                folder.ok_or("no label: the file is in the root itself, not in a folder that names its class")?
            }
            LabelSource::Csv => self.csv.get(path).ok_or("no label: the CSV does not list this file")?,
        };
        self.category(label)
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
        match self.categories.accepting(class)[..] {
            [category] => Ok(category),
            [] => Err(format!("class {class} ({label}) belongs to no category of {set}")),
            _ => Err(format!("class {class} ({label}) belongs to several categories of {set}")),
        }
    }
}

fn read_csv(path: &Path) -> Result<BTreeMap<String, String>, SourceError> {
    let refuse = |line: u64, problem: String| SourceError::LabelsCsv { path: path.to_owned(), line, problem };
    let broken = |e: csv::Error| refuse(e.position().map_or(1, csv::Position::line), e.to_string());
    let mut reader = csv::Reader::from_path(path).map_err(broken)?;
    let headers = reader.headers().map_err(broken)?.clone();
    let place = |name: &str| {
        let place = headers.iter().position(|header| header == name);
        place.ok_or_else(|| refuse(1, format!("column `{name}` is missing; the first line must be path,label")))
    };
    let (file, label) = (place("path")?, place("label")?);
    let mut labels = BTreeMap::new();
    for record in reader.records() {
        let record = record.map_err(broken)?;
        let line = record.position().map_or(0, csv::Position::line);
        let (file, label) = (record[file].to_owned(), record[label].to_owned());
        if labels.insert(file.clone(), label).is_some() {
            return Err(refuse(line, format!("`{file}` is listed twice")));
        }
    }
    Ok(labels)
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
    fn check(source: LabelSource, csv: &str, path: &str, expected: Result<&str, &str>) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), csv).unwrap();
        let categories = categories();
        let csv = if csv.is_empty() { BTreeMap::new() } else { read_csv(file.path()).unwrap() };
        let labels = Labels { source, categories: &categories, classes: wordnet_ids(), csv };
        match (labels.of(path), expected) {
            (Ok(category), Ok(id)) => assert_eq!(category.id, id),
            (Err(reason), Err(part)) => assert!(reason.contains(part), "{reason}"),
            (found, expected) => panic!("{path}: {found:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn from_the_name() {
        check(LabelSource::WordnetId, "", "x/n03063599_coffee_mug.JPEG", Ok("mug"));
        check(LabelSource::WordnetId, "", "nolabel.jpg", Err("does not begin with a WordNet id"));
        check(LabelSource::WordnetId, "", "n0ä063599.jpg", Err("does not begin"));
        check(LabelSource::WordnetId, "", "n99999999_x.jpg", Err("neither a WordNet id"));
        check(LabelSource::WordnetId, "", "n01440764_tench.jpg", Err("belongs to no category of three"));
        check(LabelSource::WordnetId, "", "n01484850_shark.jpg", Err("several categories"));
    }

    #[test]
    fn from_the_folder() {
        check(LabelSource::ParentFolder, "", "a/b/mug/1.jpg", Ok("mug"));
        check(LabelSource::ParentFolder, "", "n03063599/1.jpg", Ok("mug"));
        check(LabelSource::ParentFolder, "", "1.jpg", Err("in the root itself"));
    }

    #[test]
    fn from_a_csv() {
        let csv = "path,label\n\"a,1.jpg\",mug\nb.jpg,n01443537\n";
        check(LabelSource::Csv, csv, "a,1.jpg", Ok("mug"));
        check(LabelSource::Csv, csv, "b.jpg", Ok("a"));
        check(LabelSource::Csv, csv, "c.jpg", Err("does not list"));
    }

    #[test]
    fn wrong_csvs_are_refused_with_their_line() {
        let refused = |text: &str| {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), text).unwrap();
            read_csv(file.path()).unwrap_err().to_string()
        };
        assert!(refused("file,label\n").contains("line 1: column `path` is missing"));
        assert!(refused("path,label\na,b\na,c\n").contains("line 3: `a` is listed twice"));
        assert!(refused("path,label\na\n").contains("line 2"));
    }
}
