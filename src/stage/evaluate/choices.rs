//! Questions with two choices for chat models: `questions.csv`, and the answers that people bring, scored.
//!
//! questions of the pool (`questions/*.csv`, as releases and ImageNet-D have them) -> order of the choices, by hash ->
//! `questions.csv`; a file of answers -> `answers/<name>.csv`, of which the figures are made. Asks no model. Holds
//! always: a question without an answer counts as wrong; the order of the choices is recorded with each.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use super::error::EvaluateError;
use crate::answers::two_choice::{Choice, OfficialOutcome, fair_outcome, official_outcome, truth_is_first};
use crate::domain::{Category, CategorySet, ChoiceRow, EvaluationRecord, Sha256};
use crate::input::{self, Delimited, cell, comparable_path};
use crate::render::evaluation::{choices_csv, read_choices};
use crate::render::release::{QuestionRow, read_questions};
use crate::source::OpenedPool;
use crate::store::{EvaluationDir, StoreError, write_if_changed};

/// Names under which a column is known, in lower case.
const PATH: [&str; 5] = ["path", "image_dir", "image", "file", "file_name"];
const ANSWER: [&str; 4] = ["answer", "response", "output", "prediction"];
const TRUTH: [&str; 2] = ["truth", "gt_category"];
const OTHER: [&str; 4] = ["other", "pred_category", "top1_pred_cate", "top1_pred_category"];
const FIRST: [&str; 1] = ["first"];
const QUESTION: [&str; 1] = ["question"];

/// The questions about the images of a pool, by path; none if it has no folder `questions`.
pub fn questions(pool: &OpenedPool, seed: u64) -> Result<Vec<ChoiceRow>, EvaluateError> {
    let mut rows = BTreeMap::new();
    for file in files(&pool.source.root.join("questions"))? {
        let bytes = input::read(&file, input::TABLE_BYTES).map_err(StoreError::io("read", &file))?;
        let named = |problem: String| EvaluateError::Answers { file: file.display().to_string(), problem };
        for row in read_questions(&bytes).map_err(named)? {
            let first = truth_is_first(seed, item(&row.image_dir));
            let QuestionRow { image_dir, gt_category, top1_pred_cate, top2_pred_cate } = row;
            // A class may be called like the category; both choices would then be one.
            let is_other = |name: &String| !name.is_empty() && !name.eq_ignore_ascii_case(&gt_category);
            let Some(other) = [top1_pred_cate, top2_pred_cate].into_iter().find(is_other) else { continue };
            rows.insert(image_dir.clone(), asked(image_dir, gt_category, other, first));
        }
    }
    Ok(rows.into_values().collect())
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, EvaluateError> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries = std::fs::read_dir(folder).map_err(StoreError::io("read", folder))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "csv"));
    files.sort();
    Ok(files)
}

/// A number that depends on the image's path alone.
fn item(path: &str) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *Sha256::of(path.as_bytes()).bytes();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

fn asked(path: String, truth: String, other: String, truth_first: bool) -> ChoiceRow {
    ChoiceRow { path, truth, other, truth_first, answer: String::new(), fair: String::new(), official: String::new() }
}

/// Writes `questions.csv`, if the pool has questions.
pub fn write_questions(
    dir: &EvaluationDir,
    rows: &[ChoiceRow],
    record: &mut EvaluationRecord,
) -> Result<(), EvaluateError> {
    if rows.is_empty() {
        return Ok(());
    }
    let (path, bytes) = (dir.document("questions.csv"), choices_csv(rows));
    record.tables.insert(dir.name_of(&path), Sha256::of(&bytes));
    Ok(write_if_changed(&path, &bytes)?)
}

/// Scores the answers in `file` and keeps them as those of `name`; returns how many are of no question.
pub fn keep(
    dir: &EvaluationDir,
    name: &str,
    file: &Path,
    categories: &CategorySet,
    questions: &[ChoiceRow],
) -> Result<u64, EvaluateError> {
    let answers = Answers::read(file)?;
    let refuse = |problem: String| EvaluateError::Answers { file: file.display().to_string(), problem };
    let mut rows = questions.to_vec();
    let mut strangers = 0;
    if rows.is_empty() {
        rows = answers.questions().map_err(refuse)?;
    }
    let places: HashMap<String, usize> =
        rows.iter().enumerate().map(|(place, row)| (comparable_path(&row.path), place)).collect();
    for given in &answers.rows {
        match places.get(&comparable_path(&given.path)) {
            Some(&place) => {
                let row = &mut rows[place];
                row.answer.clone_from(&given.answer);
                row.truth_first = given.truth_first(row).unwrap_or(row.truth_first);
            }
            None => strangers += 1,
        }
    }
    if strangers == answers.rows.len() as u64 {
        return Err(refuse(
            "none of its paths is that of an image that a question is about; compare them with \
                           questions.csv of the evaluation"
                .to_owned(),
        ));
    }
    rows.iter_mut().for_each(|row| judge(row, categories));
    write_if_changed(&dir.answers(name), &choices_csv(&rows))?;
    Ok(strangers)
}

/// The scored answers of `name`.
pub fn read(dir: &EvaluationDir, name: &str, record: &EvaluationRecord) -> Result<Vec<ChoiceRow>, EvaluateError> {
    let path = dir.checked(&dir.answers(name), record)?;
    let bytes = std::fs::read(&path).map_err(StoreError::io("read", &path))?;
    read_choices(&bytes).map_err(|problem| EvaluateError::Answers { file: path.display().to_string(), problem })
}

/// Fills in both outcomes.
fn judge(row: &mut ChoiceRow, categories: &CategorySet) {
    let aliases = |name: &str| {
        let is_it = |category: &&Category| category.name == name || category.id.replace('_', " ") == name;
        let found = categories.entries.iter().find(is_it);
        found.map_or(&[][..], |category| &category.aliases)
    };
    let truth = Choice { name: &row.truth, synonyms: aliases(&row.truth) };
    let other = Choice { name: &row.other, synonyms: aliases(&row.other) };
    row.fair = fair_outcome(truth, other, &row.answer).name().to_owned();
    let official = official_outcome(&row.truth, &row.other, &row.answer);
    row.official = official.map_or("", OfficialOutcome::name).to_owned();
}

/// A file of answers.
struct Answers {
    rows: Vec<Given>,
}

/// One answer as its file has it.
struct Given {
    line: u64,
    path: String,
    answer: String,
    truth: Option<String>,
    other: Option<String>,
    first: Option<String>,
    question: Option<String>,
}

impl Given {
    /// The order in which the choices were named, if the file says it.
    fn truth_first(&self, row: &ChoiceRow) -> Option<bool> {
        match self.first.as_deref() {
            Some("truth") => return Some(true),
            Some("other") => return Some(false),
            _ => {}
        }
        let question = self.question.as_deref()?.to_lowercase();
        let place = |name: &str| question.rfind(&name.to_lowercase());
        Some(place(&row.truth)? < place(&row.other)?)
    }
}

impl Answers {
    fn read(file: &Path) -> Result<Self, EvaluateError> {
        let refuse = |problem: String| EvaluateError::Answers { file: file.display().to_string(), problem };
        let bytes = input::read(file, input::TABLE_BYTES).map_err(StoreError::io("read", file))?;
        let table = Delimited::new(&bytes).map_err(|e| refuse(e.to_string()))?;
        let mut records = table.reader().into_records();
        let first = records.next().transpose().map_err(|e| refuse(e.to_string()))?.unwrap_or_default();
        let head: Vec<String> = first.iter().map(|name| cell(name).to_lowercase()).collect();
        let column = |names: &[&str]| head.iter().position(|name| names.contains(&name.as_str()));
        let (Some(path), Some(answer)) = (column(&PATH), column(&ANSWER)) else {
            let known = head.join(", ");
            return Err(refuse(format!("it needs the columns `path` and `answer`; it has {known}")));
        };
        let others = [column(&TRUTH), column(&OTHER), column(&FIRST), column(&QUESTION)];
        let (mut rows, mut seen) = (Vec::new(), HashMap::new());
        for record in records {
            let record = record.map_err(|e| refuse(e.to_string()))?;
            let line = record.position().map_or(0, csv::Position::line) + table.lines_before;
            let text =
                |place: usize| record.get(place).map(|text| cell(text).to_owned()).filter(|text| !text.is_empty());
            let Some(path) = text(path) else { continue };
            if let Some(before) = seen.insert(comparable_path(&path), line) {
                return Err(refuse(format!("line {line}: `{path}` is answered in line {before} already; keep one")));
            }
            let [truth, other, first, question] = others.map(|place| place.and_then(text));
            rows.push(Given { line, path, answer: text(answer).unwrap_or_default(), truth, other, first, question });
        }
        if rows.is_empty() { Err(refuse("it has no answer".to_owned())) } else { Ok(Self { rows }) }
    }

    /// The questions that the file itself names.
    fn questions(&self) -> Result<Vec<ChoiceRow>, String> {
        let mut rows = Vec::with_capacity(self.rows.len());
        for given in &self.rows {
            let (Some(truth), Some(other)) = (&given.truth, &given.other) else {
                return Err(format!(
                    "line {}: the pool has no questions, so the columns `truth` and `other` must name both choices",
                    given.line
                ));
            };
            rows.push(asked(given.path.clone(), truth.clone(), other.clone(), true));
        }
        Ok(rows)
    }
}
