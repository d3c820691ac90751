//! Parquet with a column of images, as Hugging Face's `datasets` writes it: which files and columns, and the labels.
//!
//! Holds always: no image is copied out; an item's file and row stand for it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::error::BenchmarkError;
use super::names::{ImagenetNames, Names, NoCategory};
use super::opened::PoolOptions;
use super::tree::contents;
use super::trees::{Outside, no_label};
use crate::domain::{BenchmarkSource, Category, CategorySet, ItemId, ParquetColumns, Sha256};
use crate::source::folder::{lost, row};
use crate::source::listing::{Listing, Rows};
use crate::table::{ImageColumn, ImageColumnKind, ImageParquet, ImageParquetError, LabelCell, LabelColumns, LabelRow};

/// Columns that say what varies, where a file has them.
const NUISANCE: [&str; 2] = ["nuisance_kind", "nuisance"];
/// Names of columns that are tried where a file says nothing of its columns.
const IMAGE_NAMES: [&str; 4] = ["image", "img", "jpg", "png"];
const LABEL_NAMES: [&str; 4] = ["label", "labels", "class", "cls"];
/// Names of splits.
const SPLITS: [&str; 5] = ["train", "test", "validation", "val", "dev"];

/// The place of an image in the plan: `FILE#ROW`.
pub fn source_of(file: &str, row: u64) -> String {
    format!("{file}#{row}")
}

/// File and row of such a place.
pub fn place_of(source: &str) -> Option<(&str, u64)> {
    let (file, row) = source.rsplit_once('#')?;
    Some((file, row.parse().ok()?))
}

/// The Parquet files below `root`, relative to it, sorted; hidden ones are left out.
pub fn files(root: &Path) -> Result<Vec<String>, BenchmarkError> {
    let mut files = Vec::new();
    let is_shown = |name: &std::ffi::OsStr| !name.to_string_lossy().starts_with('.');
    let walk = WalkDir::new(root).follow_links(true).into_iter();
    for entry in walk.filter_entry(|entry| entry.depth() == 0 || is_shown(entry.file_name())) {
        // What cannot be read is no file of the pool; the root itself is read before.
        let Ok(entry) = entry else { continue };
        if entry.file_type().is_file()
            && entry.path().extension().is_some_and(|ext| ext.eq_ignore_ascii_case("parquet"))
        {
            let below = entry.path().strip_prefix(root).unwrap_or(entry.path());
            files.push(below.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/"));
        }
    }
    files.sort();
    Ok(files)
}

/// The files of a pool: the one, or those of the split.
pub fn files_of(root: &Path, columns: &ParquetColumns) -> Result<Vec<String>, BenchmarkError> {
    let all = match &columns.file {
        Some(file) => vec![file.clone()],
        None => files(root)?,
    };
    Ok(match &columns.split {
        Some(split) => all.into_iter().filter(|file| split_of(file).as_deref() == Some(split)).collect(),
        None => all,
    })
}

/// The split of a file by its name (`data/test-00000-of-00001.parquet`, `test/0000.parquet`, `test.parquet`).
fn split_of(file: &str) -> Option<String> {
    let mut parts: Vec<&str> = file.split('/').collect();
    let stem = parts.pop()?.split('.').next().unwrap_or_default();
    let head = match stem.rsplit_once("-of-") {
        Some((head, _)) => head.rsplit_once('-').map_or(head, |(head, _)| head),
        None => stem,
    };
    let candidates = std::iter::once(head).chain(parts.into_iter().rev());
    candidates
        .into_iter()
        .find(|name| SPLITS.contains(name))
        .or_else(|| stem.contains("-of-").then_some(head))
        .map(str::to_owned)
}

/// What is known of a pool of Parquet files before its rows are read.
pub struct Found {
    /// Its files and columns.
    pub columns: ParquetColumns,
    /// Hash of the files' names and sizes.
    pub contents: Sha256,
    /// Names of the labels that are used or declared; empty where labels are numbers without names.
    pub labels: BTreeSet<String>,
}

/// Finds files, split and columns below `root`; `file`: the only file.
pub fn find(root: &Path, file: Option<String>, options: &PoolOptions) -> Result<Found, BenchmarkError> {
    let mut columns = ParquetColumns { image: String::new(), label: String::new(), file, split: options.split.clone() };
    let files = files_of(root, &columns)?;
    if columns.split.is_none() {
        check_splits(root, &files)?;
    }
    let Some(first) = files.first() else { return Err(no_files(root, &columns)) };
    let opened = open(root, first)?;
    let there = opened.columns();
    columns.image = image_column(&root.join(first), &there, options.image_column.as_deref())?;
    columns.label = label_column(&root.join(first), &there, options.label_column.as_deref())?;
    let declared = there.iter().find(|column| column.name == columns.label).map(|column| column.names.clone());
    let mut labels: BTreeSet<String> = declared.unwrap_or_default().into_iter().collect();
    if labels.is_empty() && there.iter().any(|one| one.name == columns.label && one.kind == ImageColumnKind::Text) {
        for file in &files {
            for row in rows(root, file, &columns)? {
                if let LabelCell::Text(text) = row.label {
                    labels.insert(text);
                }
            }
        }
    }
    Ok(Found { contents: contents(root, files.iter().map(String::as_str).collect()), columns, labels })
}

fn check_splits(root: &Path, files: &[String]) -> Result<(), BenchmarkError> {
    let splits: BTreeSet<String> = files.iter().filter_map(|file| split_of(file)).collect();
    if splits.len() < 2 {
        return Ok(());
    }
    let named: Vec<&str> = splits.iter().map(String::as_str).collect();
    Err(BenchmarkError::Layout {
        path: root.to_owned(),
        found: format!("its files are of several splits: {}", named.join(", ")),
        remedy: "give --split with one of them".to_owned(),
    })
}

fn no_files(root: &Path, columns: &ParquetColumns) -> BenchmarkError {
    let (found, remedy) = match &columns.split {
        Some(split) => (format!("there is no Parquet file of the split `{split}`"), "give another --split"),
        None => ("there is no Parquet file below it".to_owned(), "give another folder"),
    };
    BenchmarkError::Layout { path: root.to_owned(), found, remedy: remedy.to_owned() }
}

/// Opens a file, or says which one cannot be read.
pub fn open(root: &Path, file: &str) -> Result<ImageParquet, BenchmarkError> {
    let path = root.join(file);
    ImageParquet::open(&path).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: PathBuf, error: &ImageParquetError) -> BenchmarkError {
    let remedy = match error {
        ImageParquetError::Column { .. } => "all files of a pool have the same columns; leave the others out",
        ImageParquetError::Open(_) | ImageParquetError::Unreadable(_) => "download it again, or leave it out",
    };
    BenchmarkError::Parquet { path, problem: error.to_string(), remedy: remedy.to_owned() }
}

fn rows(root: &Path, file: &str, columns: &ParquetColumns) -> Result<Vec<LabelRow>, BenchmarkError> {
    let columns = LabelColumns { image: &columns.image, label: &columns.label, texts: &NUISANCE };
    open(root, file)?.labels(columns).map_err(|error| unreadable(root.join(file), &error))
}

/// What a column is for.
struct Wanted<'a> {
    /// The column that people name.
    given: Option<&'a str>,
    /// Usual names, the most usual first.
    usual: &'a [&'a str],
    /// For messages.
    what: &'a str,
    /// The option that names it.
    option: &'a str,
}

fn image_column(path: &Path, columns: &[ImageColumn], given: Option<&str>) -> Result<String, BenchmarkError> {
    let images: Vec<&ImageColumn> = columns.iter().filter(|column| column.kind == ImageColumnKind::Image).collect();
    choose(path, &images, &Wanted { given, usual: &IMAGE_NAMES, what: "images", option: "--image-column" })
}

fn label_column(path: &Path, columns: &[ImageColumn], given: Option<&str>) -> Result<String, BenchmarkError> {
    let is_label = |kind| matches!(kind, ImageColumnKind::Number | ImageColumnKind::Text);
    // Among columns that say nothing of themselves, only a usual name makes one a label.
    let is_likely = |column: &ImageColumn| column.is_declared || LABEL_NAMES.contains(&column.name.as_str());
    let labels = columns.iter().filter(|column| is_label(column.kind) && (given.is_some() || is_likely(column)));
    let labels: Vec<&ImageColumn> = labels.collect();
    choose(path, &labels, &Wanted { given, usual: &LABEL_NAMES, what: "labels", option: "--label-column" })
}

/// The column that people name; else the only one, the only declared one, or the one with the most usual name.
fn choose(path: &Path, columns: &[&ImageColumn], wanted: &Wanted) -> Result<String, BenchmarkError> {
    let Wanted { given, usual, what, option } = *wanted;
    let error = |problem: String, remedy: String| BenchmarkError::Parquet { path: path.to_owned(), problem, remedy };
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    if let Some(given) = given {
        if names.contains(&given) {
            return Ok(given.to_owned());
        }
        let others =
            if names.is_empty() { "another column".to_owned() } else { format!("one of {}", names.join(", ")) };
        return Err(error(format!("it has no column `{given}` of {what}"), format!("give {option} with {others}")));
    }
    let declared: Vec<&str> =
        columns.iter().filter(|column| column.is_declared).map(|column| column.name.as_str()).collect();
    let among = if declared.is_empty() { &names } else { &declared };
    let named = usual.iter().find(|usual| among.contains(usual));
    match (&among[..], named) {
        ([], _) => Err(error(format!("it has no column of {what}"), format!("give {option}, or another file"))),
        ([name], _) | (_, Some(name)) => Ok((*name).to_owned()),
        (several, None) => {
            Err(error(format!("its columns {} may all be {what}", several.join(", ")), format!("give {option}")))
        }
    }
}

/// The labels of one file, as categories.
struct Labels<'a> {
    names: &'a Names<'a>,
    imagenet: &'a ImagenetNames,
    set: &'a CategorySet,
    /// Categories of numbers, from 0; empty where numbers have no names.
    declared: Vec<Result<&'a Category, NoCategory>>,
}

impl<'a> Labels<'a> {
    fn new(names: &'a Names<'a>, imagenet: &'a ImagenetNames, set: &'a CategorySet, declared: &[String]) -> Self {
        // A list of all of ImageNet in its order: `crane` is the class at its place.
        let is_imagenet = declared.len() == imagenet.len()
            && declared.iter().zip(0..).all(|(name, class)| imagenet.classes(name).contains(&class));
        let mut categories = Vec::with_capacity(declared.len());
        for (name, class) in declared.iter().zip(0..) {
            categories.push(if is_imagenet { names.of_class(class, name) } else { names.category(name) });
        }
        Self { names, imagenet, set, declared: categories }
    }

    fn category(&self, label: &LabelCell) -> Result<&'a Category, NoCategory> {
        let unknown = |reason: String| Err(NoCategory::Unknown(reason));
        match label {
            LabelCell::Text(text) => self.names.category(text),
            LabelCell::Null | LabelCell::Number(-1) => unknown("no label: the row has none".to_owned()),
            LabelCell::Number(number) => {
                let place = usize::try_from(*number).ok();
                let found = match (place, self.declared.is_empty()) {
                    (None, _) => None,
                    (Some(place), true) => self.set.entries.get(place).map(Ok),
                    (Some(place), false) => self.declared.get(place).cloned(),
                };
                let classes = if self.declared.is_empty() { self.set.entries.len() } else { self.declared.len() };
                found.unwrap_or_else(|| unknown(format!("label {number} is none of its {classes} classes")))
            }
        }
    }

    /// An error if numbers without names cannot be places in the set: then all labels are of another list.
    fn check(&self, path: &Path, rows: &[LabelRow]) -> Result<(), BenchmarkError> {
        let places = self.set.entries.len();
        let largest = rows.iter().filter_map(|row| match row.label {
            LabelCell::Number(number) => Some(number),
            LabelCell::Text(_) | LabelCell::Null => None,
        });
        match largest.max() {
            Some(largest) if self.declared.is_empty() && largest >= places as i64 => Err(BenchmarkError::Labels {
                path: path.to_owned(),
                problem: format!(
                    "its labels go up to {largest}, but {} has {places} categories: it is a list of another length",
                    self.set.name
                ),
                remedy: if largest < self.imagenet.len() as i64 {
                    "labels without names are places in the set: give --categories imagenet-1k if they are ImageNet's \
                     class indices"
                        .to_owned()
                } else {
                    "give --categories with the list that the labels count".to_owned()
                },
            }),
            _ => Ok(()),
        }
    }
}

/// All rows, file by file.
pub fn list(source: &BenchmarkSource, categories: &CategorySet, seed: u64) -> Result<Listing, BenchmarkError> {
    let root = source.root.as_path();
    let Some(columns) = &source.columns else { return Ok(Listing::of(Rows::Listed(Vec::new()))) };
    let imagenet = ImagenetNames::load()?;
    let names = Names::new(categories, &imagenet);
    let (mut planned, mut all_lost, mut outside) = (Vec::new(), Vec::new(), Outside::default());
    let mut item = 0_u32;
    for file in files_of(root, columns)? {
        let there = open(root, &file)?.columns();
        let declared = there.into_iter().find(|column| column.name == columns.label).map(|column| column.names);
        let labels = Labels::new(&names, &imagenet, categories, &declared.unwrap_or_default());
        let rows = rows(root, &file, columns)?;
        labels.check(&root.join(&file), &rows)?;
        for (found, at) in rows.into_iter().zip(0..) {
            let (item_id, place) = (ItemId(item), source_of(&file, at));
            item = item.checked_add(1).ok_or_else(|| BenchmarkError::TooMany { path: root.to_owned() })?;
            match labels.category(&found.label) {
                Ok(category) => {
                    let mut row = row(item_id, place, category, seed);
                    [row.nuisance_kind, row.nuisance] = nuisance(found.texts);
                    planned.push(row);
                }
                Err(NoCategory::Outside) => outside.images += 1,
                Err(NoCategory::Unknown(reason)) => all_lost.push(lost(item_id, place, reason)),
            }
        }
    }
    if planned.is_empty() {
        return Err(no_label(root, all_lost.first().map(|lost| lost.reason.as_str()), categories));
    }
    let notes = outside.notes(categories);
    Ok(Listing { rows: Rows::Listed(planned), lost: all_lost, passed_over: Default::default(), notes })
}

fn nuisance(texts: Vec<Option<String>>) -> [Option<String>; 2] {
    let mut texts = texts.into_iter();
    [texts.next().flatten(), texts.next().flatten()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_name_says_its_split() {
        let splits = [
            ("data/test-00000-of-00002.parquet", Some("test")),
            ("default/validation/0000.parquet", Some("validation")),
            ("train.parquet", Some("train")),
            ("data/hard-00000-of-00001.parquet", Some("hard")),
            ("data/part.parquet", None),
        ];
        for (file, split) in splits {
            assert_eq!(split_of(file).as_deref(), split, "{file}");
        }
    }

    #[test]
    fn a_place_is_read_back_also_where_names_have_odd_signs() {
        let source = source_of("a#b/c.parquet", 7);
        assert_eq!(place_of(&source), Some(("a#b/c.parquet", 7)));
        assert_eq!((place_of("a.parquet"), place_of("a#x")), (None, None));
    }
}
