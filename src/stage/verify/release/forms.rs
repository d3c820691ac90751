//! The other forms of a release, held against the rows of its data files while these are read.
//!
//! Each text of a form is made from the row again, by the functions that wrote it, and compared byte for byte; an image
//! is compared by its hash, which `SHA256SUMS` has and `sums` has checked. Holds always: a file is either expected or a
//! problem, because an image too many is as wrong as one too few.

use std::collections::{BTreeMap, BTreeSet};

use super::follow::{Followed, compare};
use super::known::{Findings, Known};
use super::row::Row;
use super::sums::always_there;
use crate::config::space_of;
use crate::domain::{ClassSpace, ColumnFacts, DataFileRecord, ReleaseForm};
use crate::render::release::{
    MetadataRow, QuestionRow, json_columns, labels_json, metadata_line, questions_csv, read_questions, sample_texts,
    stem,
};
use crate::stage::release::{Asked, push_sample, question};
use crate::store::TarFile;

/// The forms of a release, and what was expected of them so far.
pub struct Forms<'a> {
    known: &'a Known<'a>,
    columns: &'a [ColumnFacts],
    /// The class space of each surrogate.
    spaces: Vec<ClassSpace>,
    metadata: Option<Followed>,
    tar: Option<TarFile<Followed>>,
    labels: Vec<(String, usize)>,
    questions: BTreeMap<String, Vec<QuestionRow>>,
    /// All files that the release should have.
    expected: BTreeSet<String>,
    /// Forms with images of other bytes: the first one's name, and how many.
    changed: BTreeMap<&'static str, (String, u64)>,
}

impl<'a> Forms<'a> {
    /// Begins with no row.
    pub fn new(known: &'a Known, columns: &'a [ColumnFacts]) -> Self {
        let has = |form| known.record.also.contains(&form);
        let mut expected: BTreeSet<String> = always_there(known.record).collect();
        let metadata = "imagefolder/metadata.jsonl";
        expected.extend(has(ReleaseForm::ImageFolder).then(|| metadata.to_owned()));
        expected.extend(has(ReleaseForm::FiftyOne).then(|| "fiftyone/labels.json".to_owned()));
        Self {
            known,
            columns,
            spaces: (known.recipe.voters().iter()).filter_map(|voter| space_of(known.recipe, &voter.space)).collect(),
            metadata: has(ReleaseForm::ImageFolder).then(|| Followed::open(known, metadata)).flatten(),
            tar: None,
            labels: Vec::new(),
            questions: BTreeMap::new(),
            expected,
            changed: BTreeMap::new(),
        }
    }

    /// The rows of a data file follow.
    pub fn begin(&mut self, file: &DataFileRecord) {
        if self.has(ReleaseForm::WebDataset) {
            let data = file.path.rsplit('/').next().unwrap_or_default();
            let name = format!("webdataset/{}.tar", stem(data));
            self.tar = Followed::open(self.known, &name).map(TarFile::new);
            self.expected.insert(name);
        }
    }

    /// Holds each form against a row.
    pub fn row(&mut self, row: &Row) {
        let file = row.path.rsplit('/').next().unwrap_or_default();
        let label = usize::try_from(row.label).unwrap_or(usize::MAX);
        self.question(row, label);
        if self.has(ReleaseForm::ImageFolder) {
            self.image(ReleaseForm::ImageFolder, row.path, row.sha256);
        }
        if self.has(ReleaseForm::FiftyOne) {
            self.image(ReleaseForm::FiftyOne, &format!("data/{file}"), row.sha256);
            self.labels.push((stem(file).to_owned(), label));
        }
        if self.metadata.is_none() && self.tar.is_none() {
            return;
        }
        let columns = json_columns(self.columns.iter().zip(row.cells));
        let place = || format!("item {:08}", row.item);
        // Neither write fails: `Followed` keeps what differs and returns no error.
        if let Some(tar) = &mut self.tar {
            let _ = push_sample(tar, file, row.image, &sample_texts(file, label, &columns));
            tar.target().mark(place);
        }
        if let Some(lines) = &mut self.metadata {
            let line = metadata_line(&MetadataRow { file_name: row.path.to_owned(), columns });
            let _ = std::io::Write::write_all(lines, &line);
            lines.mark(place);
        }
    }

    /// The data file ends.
    pub fn end(&mut self, findings: &mut Findings) {
        if let Some(Ok(followed)) = self.tar.take().map(TarFile::end) {
            followed.end(findings);
        }
    }

    /// Ends the comparison: says which images differ, compares what is made from all rows, and names the files that are
    /// missing or too many.
    pub fn finish(mut self, findings: &mut Findings) {
        if let Some(lines) = self.metadata.take() {
            lines.end(findings);
        }
        for (first, number) in self.changed.values() {
            let others = if *number > 1 { format!(", nor those of {} more", number - 1) } else { String::new() };
            findings.wrong(first, &format!("its bytes are not those of the image in the data files{others}"));
        }
        if self.has(ReleaseForm::FiftyOne) {
            let classes: Vec<String> =
                self.known.record.categories.iter().map(|category| category.class.clone()).collect();
            let labels = labels_json(&classes, &self.labels);
            compare(self.known, "fiftyone/labels.json", &labels, findings);
        }
        for (kind, rows) in &self.questions {
            let name = format!("questions/{kind}.csv");
            compare_questions(self.known, &name, rows, findings);
            self.expected.insert(name);
        }
        self.strangers(findings);
    }

    fn has(&self, form: ReleaseForm) -> bool {
        self.known.record.also.contains(&form)
    }

    fn image(&mut self, form: ReleaseForm, path: &str, sha256: &str) {
        let name = format!("{}/{path}", form.folder());
        if self.known.names.get(&name).is_some_and(|hash| hash != sha256) {
            self.changed.entry(form.folder()).or_insert_with(|| (name.clone(), 0)).1 += 1;
        }
        self.expected.insert(name);
    }

    fn question(&mut self, row: &Row, label: usize) {
        let Some(category) = self.known.recipe.categories.entries.get(label) else { return };
        let asked = Asked { path: row.path, category, top5: row.top5.clone() };
        let question = question(&asked, &self.known.recipe.categories, &self.spaces.iter().collect::<Vec<_>>());
        let kind = row.path.split('/').next().unwrap_or_default();
        self.questions.entry(kind.to_owned()).or_default().push(question);
    }

    /// Files that are missing or too many, one line for each folder.
    fn strangers(&self, findings: &mut Findings) {
        let names = self.known.names;
        let missing = self.expected.iter().filter(|name| !names.contains_key(*name));
        for (first, number) in by_folder(missing) {
            let more =
                if number > 1 { format!(", nor {} more files of its folder", number - 1) } else { String::new() };
            findings.wrong(first, &format!("it is one of the release's files, but SHA256SUMS does not have it{more}"));
        }
        // A newer version may write files that this one does not know, but not into the folders of the forms.
        let is_known =
            |name: &&String| self.known.is_ours() || ["data", "questions"].contains(&folder(name)) || is_form(name);
        let extra = names.keys().filter(|name| !self.expected.contains(*name)).filter(is_known);
        for (first, number) in by_folder(extra) {
            let more =
                if number > 1 { format!(", nor are {} more files of its folder", number - 1) } else { String::new() };
            findings.wrong(first, &format!("it is not one of the release's files{more}"));
        }
    }
}

fn folder(name: &str) -> &str {
    name.split_once('/').map_or("", |(folder, _)| folder)
}

fn is_form(name: &str) -> bool {
    let forms = [ReleaseForm::ImageFolder, ReleaseForm::WebDataset, ReleaseForm::FiftyOne];
    forms.iter().any(|form| form.folder() == folder(name))
}

/// The first name of each folder, and how many there are.
fn by_folder<'a>(names: impl Iterator<Item = &'a String>) -> Vec<(&'a str, u64)> {
    let mut folders: BTreeMap<&str, (&str, u64)> = BTreeMap::new();
    for name in names {
        // Files outside all folders have nothing in common.
        let key = if folder(name).is_empty() { name } else { folder(name) };
        folders.entry(key).or_insert((name, 0)).1 += 1;
    }
    folders.into_values().collect()
}

/// Compares the questions of one kind. Of a release that another version made, what the classes are called may differ.
fn compare_questions(known: &Known, name: &str, rows: &[QuestionRow], findings: &mut Findings) {
    if known.is_ours() {
        return compare(known, name, &questions_csv(rows), findings);
    }
    if !known.names.contains_key(name) {
        return;
    }
    let read = std::fs::read(known.folder.join(name)).map_err(|error| format!("it cannot be read: {error}"));
    match read.and_then(|bytes| read_questions(&bytes)) {
        Ok(found) => {
            let facts = |rows: &[QuestionRow]| -> Vec<[String; 2]> {
                rows.iter().map(|row| [row.image_dir.clone(), row.gt_category.clone()]).collect()
            };
            if facts(&found) != facts(rows) {
                findings.wrong(name, "its images or categories are not those of the data files");
            }
        }
        Err(problem) => findings.wrong(name, &problem),
    }
}
