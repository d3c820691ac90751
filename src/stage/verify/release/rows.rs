//! The rows of the data files: each once, with its image, held against `release.json`, the recipe and the other forms.
//!
//! Holds always: some rows at a time are in memory; of the others a number, a hash and a label stay.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use super::forms::Forms;
use super::known::{Findings, Known};
use super::row::Row;
use crate::domain::{ColumnFacts, DataFileRecord, Sha256, Verdict};
use crate::imaging;
use crate::render::release::safe_names;
use crate::stage::release::{NO_KIND, release_columns};
use crate::stage::verify::VerifyError;
use crate::table::ReleaseFile;
use crate::work::Context;

/// What was found in all rows.
#[derive(Default)]
pub struct Found {
    /// Numbers of the items.
    pub items: BTreeSet<u32>,
    /// Labels by the images' hashes.
    pub labels: HashMap<String, i64>,
    /// Kinds of nuisance, with their images.
    pub kinds: BTreeMap<String, u64>,
    /// Images on which each surrogate is right.
    pub right: Vec<u64>,
    /// Images of each label.
    counts: BTreeMap<i64, u64>,
    /// Folders of each kind in the images' paths, each with the first item there.
    folders: BTreeMap<String, BTreeMap<String, u32>>,
    /// Folders of the categories in the images' paths.
    categories: BTreeMap<String, String>,
}

/// Reads all rows; `None` if they cannot be read, which is then a problem. `data`: the data files, whose hashes are
/// right.
pub fn read(
    ctx: &Context,
    known: &Known,
    data: &BTreeMap<String, PathBuf>,
    findings: &mut Findings,
) -> Result<Option<Found>, VerifyError> {
    let columns = release_columns(known.recipe, known.record.verified);
    let categories = safe_names(known.recipe.categories.entries.iter().map(|entry| entry.id.as_str()));
    let mut found = Found {
        right: vec![0; known.recipe.mine.select.surrogates.len()],
        categories: categories.into_iter().map(|(id, folder)| (id.to_owned(), folder)).collect(),
        ..Found::default()
    };
    let mut forms = Forms::new(known, &columns);
    let mut are_read = true;
    ctx.progress.start("verify", known.record.images);
    for file in &known.record.files {
        ctx.check_stop()?;
        let mut reader = Reader { known, columns: &columns, found: &mut found, forms: &mut forms };
        are_read &= match data.get(&file.path) {
            Some(path) => reader.file(file, path, findings),
            None => false,
        };
        ctx.progress.advance(file.images);
    }
    ctx.progress.finish();
    if !are_read {
        return Ok(None);
    }
    found.check_totals(known, findings);
    forms.finish(findings);
    Ok(Some(found))
}

/// Reads one data file after the other.
struct Reader<'a, 'b> {
    known: &'a Known<'a>,
    columns: &'a [ColumnFacts],
    found: &'a mut Found,
    forms: &'a mut Forms<'b>,
}

impl Reader<'_, '_> {
    /// Reads a data file; whether its rows could be read.
    fn file(&mut self, file: &DataFileRecord, path: &Path, findings: &mut Findings) -> bool {
        let open = match ReleaseFile::open(path) {
            Ok(open) => open,
            Err(error) => {
                findings.wrong(&file.path, &error.to_string());
                return false;
            }
        };
        let classes: Vec<String> = self.known.record.categories.iter().map(|category| category.class.clone()).collect();
        if let Some(difference) = open.differs(self.columns, &classes) {
            findings.wrong(&file.path, &difference);
        }
        self.forms.begin(file);
        let mut rows = 0;
        let mut problems: BTreeMap<&str, (u32, u64)> = BTreeMap::new();
        let read = open.cells(self.columns, |cells| {
            rows += 1;
            let row = Row::read(&self.known.recipe.mine.select.surrogates, self.columns, &cells);
            let item = row.as_ref().map_or(0, |row| row.item);
            let problem = match &row {
                Some(row) => self.found.problem(self.known, row),
                None => Some("it lacks a value that every row has"),
            };
            if let Some(problem) = problem {
                problems.entry(problem).or_insert((item, 0)).1 += 1;
            }
            row.iter().for_each(|row| self.forms.row(row));
        });
        self.forms.end(findings);
        for (problem, (item, number)) in problems {
            findings.wrong(&file.path, &format!("{number} row(s), the first of item {item:08}: {problem}"));
        }
        if let Err(error) = read {
            findings.wrong(&file.path, &error.to_string());
            return false;
        }
        if rows != file.images {
            findings.wrong(&file.path, &format!("it has {rows} rows, but release.json says {}", file.images));
        }
        true
    }
}

impl Found {
    /// Counts a row, and says what is wrong with it.
    fn problem(&mut self, known: &Known, row: &Row) -> Option<&'static str> {
        let ascends = self.items.last().is_none_or(|last| *last < row.item);
        self.items.insert(row.item);
        let is_new = self.labels.insert(row.sha256.to_owned(), row.label).is_none();
        *self.counts.entry(row.label).or_default() += 1;
        row.kind.iter().for_each(|kind| *self.kinds.entry((*kind).to_owned()).or_default() += 1);
        self.right.iter_mut().zip(&row.right).for_each(|(count, right)| *count += u64::from(*right));
        let category = usize::try_from(row.label).ok().and_then(|label| known.record.categories.get(label));
        match () {
            () if Sha256::of(row.image).to_string() != row.sha256 => Some("the image is not the one of its SHA-256"),
            () if !is_new => Some("the same image is there twice"),
            () if !ascends => Some("items do not ascend"),
            () if category.is_none_or(|category| category.id != row.category) => {
                Some("the label is not that of its category")
            }
            () if known.record.verified && row.verdict != Some(Verdict::Accept.name()) => {
                Some("people have not accepted it")
            }
            () if !self.has_its_path(row) => Some("the image's path is not that of its category and item"),
            () => None,
        }
    }

    /// Whether the image's path ends as its category and item say; notes the folder of its kind.
    fn has_its_path(&mut self, row: &Row) -> bool {
        let kind = self.folders.entry(row.kind.unwrap_or(NO_KIND).to_owned()).or_default();
        let (folder, rest) = row.path.split_once('/').unwrap_or_default();
        kind.entry(folder.to_owned()).or_insert(row.item);
        let name = self.categories.get(row.category).map(String::as_str).unwrap_or_default();
        rest == format!("{name}/{:08}.{}", row.item, imaging::extension(row.image))
    }

    fn check_totals(&self, known: &Known, findings: &mut Findings) {
        const RECORD: &str = "release.json";
        let rows: u64 = self.counts.values().sum();
        if rows != known.record.images {
            findings.wrong(RECORD, &format!("it says {} images, but there are {rows}", known.record.images));
        }
        for (label, category) in known.record.categories.iter().enumerate() {
            let images = self.counts.get(&(label as i64)).copied().unwrap_or(0);
            if images != category.images {
                let problem = format!("it says {} images of {}, not {images}", category.images, category.id);
                findings.wrong(RECORD, &problem);
            }
        }
        let names = safe_names(self.folders.keys().map(String::as_str));
        for (kind, folders) in &self.folders {
            for (folder, item) in folders.iter().filter(|(folder, _)| **folder != names[kind.as_str()]) {
                let problem =
                    format!("item {item:08}: its image's path begins with {folder:?}, not with the folder of its kind");
                findings.wrong("data", &problem);
            }
        }
    }
}
