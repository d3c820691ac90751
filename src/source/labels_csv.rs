//! The CSV of labels: which label it gives to a file, and what in it belongs to no file.
//!
//! Paths are compared as people mean them: `a\1.jpg`, `./a/1.jpg` and `a//1.jpg` are `a/1.jpg`, letters with accents
//! may be written in one or two parts (Unicode NFC), and blanks around cells do not count. Letters in capitals do.
//! Holds always: a row costs itself; a file to which two rows give different labels has none.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::error::SourceError;
use crate::input::{self, Delimited, cell, comparable_path};

/// Rows, or files, that are named in a note.
const NAMED: usize = 3;

/// The labels of a CSV.
pub(super) struct LabelsCsv {
    path: PathBuf,
    /// By path as it is compared.
    files: BTreeMap<String, Listed>,
    /// Rows without a path.
    pathless: Vec<u64>,
}

/// What the CSV says of one file.
struct Listed {
    /// As the first row writes it.
    written: String,
    /// Lines with their labels, each label once.
    labels: Vec<(u64, String)>,
}

impl LabelsCsv {
    /// Reads the CSV at `path`; paths in it may begin with `root`.
    pub(super) fn read(path: &Path, root: &Path) -> Result<Self, SourceError> {
        let bytes = input::read(path, input::TABLE_BYTES)
            .map_err(|source| SourceError::LabelsRead { path: path.to_owned(), source })?;
        Self::parse(path, root, &bytes)
    }

    fn parse(path: &Path, root: &Path, bytes: &[u8]) -> Result<Self, SourceError> {
        let refuse = |line: u64, problem: String| SourceError::LabelsCsv { path: path.to_owned(), line, problem };
        let table = Delimited::new(bytes).map_err(|e| refuse(e.line(), e.to_string()))?;
        let broken = |e: csv::Error| refuse(e.position().map_or(1, csv::Position::line), e.to_string());
        let mut rows = table.reader().into_records();
        let header = rows.next().transpose().map_err(broken)?.unwrap_or_default();
        let place = |name: &str| {
            let place = header.iter().position(|found| cell(found).eq_ignore_ascii_case(name));
            place.ok_or_else(|| refuse(1 + table.lines_before, wrong_header(name, &header, table.delimiter)))
        };
        let (path_at, label_at) = (place("path")?, place("label")?);
        let root = format!("{}/", comparable_path(&root.to_string_lossy()).trim_end_matches('/'));
        let mut found = Self { path: path.to_owned(), files: BTreeMap::new(), pathless: Vec::new() };
        for row in rows {
            let row = row.map_err(broken)?;
            let line = row.position().map_or(0, csv::Position::line) + table.lines_before;
            let [file, label] = [path_at, label_at].map(|at| cell(row.get(at).unwrap_or_default()));
            if file.contains('\n') || label.contains('\n') {
                return Err(refuse(
                    line,
                    "a quote is opened here and not closed before the end of the line".to_owned(),
                ));
            }
            found.add(line, file, label, &root);
        }
        Ok(found)
    }

    fn add(&mut self, line: u64, file: &str, label: &str, root: &str) {
        let compared = comparable_path(file);
        let compared = compared.strip_prefix(root).unwrap_or(&compared);
        if compared.is_empty() {
            self.pathless.push(line);
            return;
        }
        let listed = self.files.entry(compared.to_owned());
        let listed = listed.or_insert_with(|| Listed { written: file.to_owned(), labels: Vec::new() });
        if !listed.labels.iter().any(|(_, known)| known == label) {
            listed.labels.push((line, label.to_owned()));
        }
    }

    /// The label of the file at `path`, relative to the root, or why it has none.
    pub(super) fn label(&self, path: &str) -> Result<&str, String> {
        let Some(listed) = self.files.get(&comparable_path(path)) else {
            return Err("no label: the CSV does not list this file".to_owned());
        };
        match &listed.labels[..] {
            [(line, label)] if label.is_empty() => {
                Err(format!("no label: line {line} of the CSV has none for this file"))
            }
            [(_, label)] => Ok(label),
            several => {
                let labels: Vec<String> =
                    several.iter().map(|(line, label)| format!("`{label}` in line {line}")).collect();
                Err(format!("several labels: the CSV gives this file {}; keep one of them", labels.join(" and ")))
            }
        }
    }

    /// What in the CSV belongs to no file, and which files it does not list; `files`: all paths, relative to the root.
    pub(super) fn notes<'a>(&self, files: impl Iterator<Item = &'a str>) -> Vec<String> {
        let files: BTreeMap<String, &str> = files.map(|file| (comparable_path(file), file)).collect();
        let strays: Vec<&Listed> =
            self.files.iter().filter(|(path, _)| !files.contains_key(*path)).map(|(_, listed)| listed).collect();
        let unlisted: BTreeSet<&str> =
            files.iter().filter(|(path, _)| !self.files.contains_key(*path)).map(|(_, &file)| file).collect();
        let name = self.path.file_name().unwrap_or_default().display();
        let mut notes = Vec::new();
        if !strays.is_empty() {
            let (count, all) = (strays.len(), self.files.len());
            let first =
                first(strays.iter().map(|listed| format!("`{}` (line {})", listed.written, listed.labels[0].0)));
            let example =
                files.values().next().map_or_else(String::new, |file| format!("; a path that would do: `{file}`"));
            notes.push(format!("{name}: {count} of the {all} paths that it lists are of no image: {first}{example}"));
        }
        if !unlisted.is_empty() {
            let (count, all) = (unlisted.len(), files.len());
            let first = first(unlisted.iter().map(|file| format!("`{file}`")));
            notes.push(format!("{name}: {count} of the {all} images are not in it: {first}"));
        }
        if !self.pathless.is_empty() {
            let (count, first) = (self.pathless.len(), first(self.pathless.iter().map(|line| format!("line {line}"))));
            notes.push(format!("{name}: {count} row(s) have no path: {first}"));
        }
        notes
    }
}

/// The first few, and a mark that there are more.
fn first(all: impl ExactSizeIterator<Item = String>) -> String {
    let more = if all.len() > NAMED { ", …" } else { "" };
    format!("{}{more}", all.take(NAMED).collect::<Vec<_>>().join(", "))
}

fn wrong_header(missing: &str, header: &csv::StringRecord, delimiter: u8) -> String {
    let found: Vec<&str> = header.iter().collect();
    let found: String = found.join(&char::from(delimiter).to_string()).chars().take(200).collect();
    format!(
        "column `{missing}` is missing; the first line must be path,label (or with semicolons or tabs), and is \
         {found:?}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: impl AsRef<[u8]>) -> Result<LabelsCsv, SourceError> {
        LabelsCsv::parse(Path::new("x/labels.csv"), Path::new("/data/photos"), text.as_ref())
    }

    /// The label that a CSV with this row, or rows, gives to `b/é.jpg`, or a part of the reason why it gives none.
    fn check(rows: &str, expected: Result<&str, &str>) {
        let csv = read(format!("path,label\n{rows}\n")).unwrap();
        match (csv.label("b/\u{e9}.jpg"), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{rows}"),
            (Err(found), Err(part)) => assert!(found.contains(part), "{rows}: {found}"),
            (found, expected) => panic!("{rows}: {found:?} instead of {expected:?}"),
        }
    }

    #[test]
    fn paths_are_compared_as_people_mean_them() {
        for path in ["b/é.jpg", "b/e\u{301}.jpg", "b\\é.jpg", "./b/é.jpg", ".\\b\\é.jpg", "b//./é.jpg", " b/é.jpg "]
        {
            check(&format!("{path},mug"), Ok("mug"));
            check(&format!("\"{path}\", \"mug\" "), Ok("mug"));
        }
        check("/data/photos/b/é.jpg,mug", Ok("mug"));
        check("B/é.jpg,mug", Err("does not list"));
        check("/b/é.jpg,mug", Err("does not list"));
    }

    #[test]
    fn rows_that_agree_are_one_and_rows_that_do_not_are_the_files_error() {
        check("b/é.jpg,mug\n./b/é.jpg,mug", Ok("mug"));
        check("b/é.jpg,mug\nb\\é.jpg,cup", Err("`mug` in line 2 and `cup` in line 3"));
        check("b/é.jpg,\n", Err("line 2 of the CSV has none"));
        check("b/é.jpg\n", Err("line 2 of the CSV has none"));
        check("b/é.jpg,mug,more,cells\n", Ok("mug"));
    }

    #[test]
    fn what_belongs_to_nothing_is_named() {
        let csv = read("path;label\na.jpg;x\nb.jpg;x\nc.jpg;x\nd.jpg;x\ne\\.\\f.jpg;x\n;x\n").unwrap();
        let notes = csv.notes(["a.jpg", "e/f.jpg", "new.jpg"].into_iter());
        let strays = "labels.csv: 3 of the 5 paths that it lists are of no image: `b.jpg` (line 3), `c.jpg` (line 4), \
                      `d.jpg` (line 5); a path that would do: `a.jpg`";
        let expected = [
            strays,
            "labels.csv: 1 of the 3 images are not in it: `new.jpg`",
            "labels.csv: 1 row(s) have no path: line 7",
        ];
        assert_eq!(notes, expected);
        assert!(read("path,label\na.jpg,x\n").unwrap().notes(["a.jpg"].into_iter()).is_empty());
    }

    #[test]
    fn wrong_csvs_are_refused_with_their_line() {
        let refused = |text: &str| read(text).map(|_| ()).unwrap_err().to_string();
        assert!(refused("file;label\n").contains("line 1: column `path` is missing"));
        assert!(refused("sep=;\nfile;label\n").contains("line 2: column `path` is missing"));
        assert!(refused("file;label\n").contains("and is \"file;label\""));
        assert!(refused("path,label\na,\"b\nc,d\n").contains("line 2: a quote is opened here"));
        assert!(refused("").contains("line 1: column `path`"));
        let latin = read(b"path,label\n\xe9.jpg,x\n").map(|_| ()).unwrap_err().to_string();
        assert!(latin.contains("line 2") && latin.contains("UTF-8"), "{latin}");
    }
}
