//! Answers in tables: ours, Label Studio's, Prolific's and, for old data, Mechanical Turk's.
//!
//! Columns are recognised by their names, in any case. Long tables have `question` and `answer`; wide ones a column for
//! each question: its id, a text with the id in brackets (Prolific), or `Answer.<id>` (Mechanical Turk, which may
//! number several tasks in a row: `Input.task_2`, `Answer.<id>_2`, and may have a column for each choice:
//! `Answer.<id>.yes`).

use csv::StringRecord;

use super::error::AnswersError;
use super::records;
use super::row::{SEVERAL, checked};
use crate::domain::{RawAnswer, parse_time};
use crate::input::{Delimited, cell};

const TASK: [&str; 3] = ["task", "meta_task", "input.task"];
const PERSON: [&str; 8] =
    ["person", "participant_id", "participant", "prolific_pid", "worker_id", "worker", "annotator", "completed_by"];
const AT: [&str; 7] = ["at", "answered_at", "submit_time", "completed_at", "submitted_at", "updated_at", "created_at"];
const QUESTION: [&str; 3] = ["question", "question_id", "instruction"];
const ANSWER: [&str; 3] = ["answer", "response", "value"];

/// Names of columns about a submission, and the beginnings of what says in them that it must not count (Prolific,
/// Mechanical Turk), without anything but letters.
const STATUS: [&str; 4] = ["status", "assignment_status", "submission_status", "approval_status"];
const WITHDRAWN: [&str; 13] = [
    "returned",
    "timedout",
    "timeout",
    "rejected",
    "screenedout",
    "expired",
    "abandoned",
    "active",
    "reserved",
    "cancel",
    "withdrawn",
    "declined",
    "revoked",
];

/// How the reason begins that such a row has.
const WITHDRAWN_BY: &str = "the submission has the status";

/// Characters of the header that an error shows.
const SHOWN: usize = 120;

/// `is_known`: whether the person need not be in the table.
pub(super) fn read(text: &str, questions: &[String], is_known: bool) -> Result<Vec<RawAnswer>, AnswersError> {
    let table = Delimited::new(text.as_bytes()).map_err(|e| AnswersError::Table(e.to_string()))?;
    let (header, records) = records::read(&table);
    let columns = Columns::find(&header, questions, is_known)?;
    let mut rows = Vec::new();
    for (number, record) in records {
        match record {
            Ok(record) => columns.rows(number, &record, &mut rows),
            Err(problem) => rows.push(RawAnswer::bad(problem)),
        }
    }
    let is_withdrawn = |row: &RawAnswer| row.problem.as_deref().is_some_and(|text| text.starts_with(WITHDRAWN_BY));
    if !rows.is_empty() && rows.iter().all(is_withdrawn) {
        // Another tool may say in such a column that a person is active.
        rows.push(RawAnswer::bad(
            "every row has a status that withdraws it; rename the column if it says other things",
        ));
    }
    Ok(rows)
}

/// The places of the columns in a row.
struct Columns {
    /// How many there are.
    count: usize,
    person: Option<usize>,
    at: Option<usize>,
    statuses: Vec<usize>,
    annotation: Option<usize>,
    tasks: Vec<TaskColumns>,
    /// Columns with answers of which no task is known.
    strays: Vec<(usize, String)>,
}

/// The columns of one task in a row.
struct TaskColumns {
    task: usize,
    /// The name of its column.
    name: String,
    answers: Answers,
}

enum Answers {
    /// The columns of the question and of its answer.
    Long(usize, usize),
    /// The columns of each question.
    Wide(Vec<(String, Vec<Cell>)>),
}

enum Cell {
    /// It holds the answer.
    Answer(usize),
    /// It holds `true` if this choice is the answer.
    Choice(usize, String),
}

impl Columns {
    fn find(header: &StringRecord, questions: &[String], is_known: bool) -> Result<Self, AnswersError> {
        let names: Vec<String> = header.iter().map(|name| cell(name).to_lowercase()).collect();
        let is = |name: &str, known: &str| same_name(name) == same_name(known);
        let first = |known: &[&str]| known.iter().find_map(|known| names.iter().position(|name| is(name, known)));
        let missing = |missing, known: String| Err(AnswersError::Columns { missing, known, header: shown(header) });
        // The column of each task, with the suffix in the names of its answer columns.
        let mut task_columns: Vec<(usize, &str)> = first(&TASK).map(|at| (at, "")).into_iter().collect();
        for (at, name) in names.iter().enumerate() {
            let suffix = name.strip_prefix("input.task").filter(|suffix| !suffix.is_empty());
            task_columns.extend(suffix.map(|suffix| (at, suffix)));
        }
        if task_columns.is_empty() {
            return missing("the task", TASK.join(", "));
        }
        let person = first(&PERSON);
        if person.is_none() && !is_known {
            return missing("the person", PERSON.join(", "));
        }
        let long = first(&QUESTION).zip(first(&ANSWER));
        let mut tasks = Vec::new();
        for (task, suffix) in task_columns {
            let answers = match long {
                Some((question, answer)) => Answers::Long(question, answer),
                None => Answers::Wide(questions.iter().map(|id| (id.clone(), cells(&names, id, suffix))).collect()),
            };
            tasks.push(TaskColumns { task, name: names[task].clone(), answers });
        }
        if !tasks.iter().any(TaskColumns::have_answers) {
            return missing("the answers", questions.join(", "));
        }
        let strays = strays(&names, questions, &tasks);
        let is_status = |name: &String| STATUS.iter().any(|known| is(name, known));
        let statuses = names.iter().enumerate().filter(|(_, name)| is_status(name)).map(|(at, _)| at).collect();
        let (at, annotation) = (first(&AT), first(&["annotation_id"]));
        Ok(Self { count: header.len(), person, at, statuses, annotation, tasks, strays })
    }

    /// The rows of a record, which begins in line `number`.
    fn rows(&self, number: u64, record: &StringRecord, rows: &mut Vec<RawAnswer>) {
        let text = |at: usize| cell(record.get(at).unwrap_or_default()).to_owned();
        if record.iter().all(|found| cell(found).is_empty()) {
            return;
        }
        // An unquoted delimiter in a cell moves all that follow: an answer would be that to another question.
        if record.iter().skip(self.count).any(|found| !cell(found).is_empty()) {
            let (cells, columns) = (record.len(), self.count);
            return rows.push(RawAnswer::bad(format!(
                "line {number}: it has {cells} cells, but the table has {columns} columns"
            )));
        }
        let given = RawAnswer {
            person: self.person.map(text).unwrap_or_default(),
            at_ms: self.at.and_then(|at| parse_time(&text(at))),
            annotation: self.annotation.map(text).filter(|id| !id.is_empty()),
            ..RawAnswer::default()
        };
        let status = self.statuses.iter().map(|at| text(*at)).find(|status| is_withdrawn(status));
        let withdrawn = status.map(|status| format!("{WITHDRAWN_BY} {}", short(&status)));
        for task in &self.tasks {
            let given = RawAnswer { task: text(task.task), ..given.clone() };
            let start = rows.len();
            task.rows(number, record, given, rows);
            if let Some(reason) = &withdrawn {
                rows[start..].iter_mut().for_each(|row| *row = std::mem::take(row).excused(reason));
            }
        }
        for (at, name) in self.strays.iter().filter(|(at, _)| !text(*at).is_empty()) {
            let problem = format!("the column {} belongs to no task of the table", short(name));
            rows.push(RawAnswer { answer: text(*at), problem: Some(problem), ..given.clone() });
        }
    }
}

/// Columns with answers to numbered tasks that the table does not have.
fn strays(names: &[String], questions: &[String], tasks: &[TaskColumns]) -> Vec<(usize, String)> {
    let of_tasks = |at: usize| tasks.iter().any(|task| task.has(at));
    let mut strays = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let is_answer = |id: &String| name.strip_prefix("answer.").is_some_and(|rest| rest.starts_with(id.as_str()));
        if questions.iter().any(is_answer) && !of_tasks(at) {
            strays.push((at, name.clone()));
        }
    }
    strays
}

fn is_withdrawn(status: &str) -> bool {
    let plain = same_name(status);
    WITHDRAWN.iter().any(|start| plain.starts_with(start))
}

/// What two spellings of one name have in common.
fn same_name(name: &str) -> String {
    name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// A name as a message quotes it: a cell may have megabytes.
fn short(name: &str) -> String {
    name.chars().filter(|letter| !letter.is_control()).take(60).collect()
}

/// The header as an error shows it.
fn shown(header: &StringRecord) -> String {
    let line = header.iter().collect::<Vec<_>>().join(" | ");
    let short: String = line.chars().filter(|c| !c.is_control()).take(SHOWN).collect();
    if short.len() < line.len() { short + "…" } else { short }
}

impl TaskColumns {
    /// Whether the column at `at` is one of its answers.
    fn has(&self, at: usize) -> bool {
        let is_at = |cell: &Cell| match cell {
            Cell::Answer(place) | Cell::Choice(place, _) => *place == at,
        };
        match &self.answers {
            Answers::Long(..) => true,
            Answers::Wide(questions) => questions.iter().flat_map(|(_, cells)| cells).any(is_at),
        }
    }

    /// Whether a row has several tasks, some of which may be missing.
    fn is_numbered(&self) -> bool {
        self.name.starts_with("input.task") && self.name != "input.task"
    }

    /// The answers to this task in a record; `given`: all but question and answer.
    fn rows(&self, number: u64, record: &StringRecord, given: RawAnswer, rows: &mut Vec<RawAnswer>) {
        let questions = match &self.answers {
            Answers::Wide(questions) => questions,
            Answers::Long(question, answer) => {
                let text = |at: usize| cell(record.get(at).unwrap_or_default()).to_owned();
                let (question, answer) = (bracketed(&text(*question)), text(*answer));
                return rows.push(checked(RawAnswer { question, answer, ..given }));
            }
        };
        if !self.have_answers() {
            // A row of a sheet that is not full.
            if !given.task.is_empty() {
                let problem = format!("line {number}: the table has no columns of answers for {}", short(&self.name));
                rows.push(RawAnswer { problem: Some(problem), ..given });
            }
            return;
        }
        let mut answers = Vec::new();
        for (id, cells) in questions.iter().filter(|(_, cells)| !cells.is_empty()) {
            answers.push((id, answer(record, cells)));
        }
        let is_skipped = answers.iter().all(|(_, answer)| *answer == Some(String::new()));
        if is_skipped && !given.task.is_empty() {
            return rows.push(given.excused("the person skipped the task"));
        }
        if is_skipped && self.is_numbered() {
            return;
        }
        for (id, answer) in answers {
            let question = id.clone();
            rows.push(match answer {
                Some(answer) => checked(RawAnswer { question, answer, ..given.clone() }),
                None => {
                    let problem = Some(format!("line {number}: {SEVERAL}"));
                    RawAnswer { question, problem, ..given.clone() }
                }
            });
        }
    }

    fn have_answers(&self) -> bool {
        match &self.answers {
            Answers::Long(..) => true,
            Answers::Wide(questions) => questions.iter().any(|(_, cells)| !cells.is_empty()),
        }
    }
}

fn cells(names: &[String], id: &str, suffix: &str) -> Vec<Cell> {
    let (turk, bracket) = (format!("answer.{id}{suffix}"), format!("[{id}]"));
    let mut cells = Vec::new();
    for (at, name) in names.iter().enumerate() {
        if name == id && suffix.is_empty() || *name == turk || name.contains(&bracket) {
            cells.push(Cell::Answer(at));
        } else if let Some(choice) = name.strip_prefix(&turk).and_then(|rest| rest.strip_prefix('.')) {
            cells.push(Cell::Choice(at, choice.to_owned()));
        }
    }
    cells
}

/// The one answer in `cells`; empty if there is none, `None` if two cells hold different answers.
fn answer(record: &StringRecord, cells: &[Cell]) -> Option<String> {
    let mut answers = Vec::new();
    for place in cells {
        let answer = match place {
            Cell::Answer(at) => cell(record.get(*at).unwrap_or_default()),
            Cell::Choice(at, choice) => {
                let is_chosen = record.get(*at).is_some_and(|text| cell(text).eq_ignore_ascii_case("true"));
                if is_chosen { choice.as_str() } else { "" }
            }
        };
        if !answer.is_empty() {
            answers.push(answer);
        }
    }
    answers.dedup();
    match answers.as_slice() {
        [] => Some(String::new()),
        [answer] => Some((*answer).to_owned()),
        _ => None,
    }
}

/// `Could it be used? [use]` -> `use`.
fn bracketed(text: &str) -> String {
    let inside = text.rsplit_once('[').and_then(|(_, rest)| rest.strip_suffix(']'));
    inside.unwrap_or(text).to_owned()
}
