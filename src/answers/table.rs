//! Answers in CSV: ours, Prolific's and, for old data, Mechanical Turk's.
//!
//! Columns are recognised by their names, in any case. Long tables have `question` and `answer`; wide ones a column for
//! each question: its id, a text with the id in brackets (Prolific), or `Answer.<id>` (Mechanical Turk, which may
//! number several tasks in a row: `Input.task_2`, `Answer.<id>_2`, and may have a column for each choice:
//! `Answer.<id>.yes`).

use csv::StringRecord;

use super::error::AnswersError;
use super::row::checked;
use crate::domain::{RawAnswer, parse_time};

const TASK: [&str; 3] = ["task", "meta_task", "input.task"];
const PERSON: [&str; 10] = [
    "person",
    "participant_id",
    "participant id",
    "participant",
    "prolific_pid",
    "workerid",
    "worker",
    "worker_id",
    "annotator",
    "completed_by",
];
const AT: [&str; 8] =
    ["at", "answered_at", "submittime", "completed_at", "completed at", "submitted_at", "updated_at", "created_at"];
const QUESTION: [&str; 3] = ["question", "question_id", "instruction"];
const ANSWER: [&str; 3] = ["answer", "response", "value"];

pub(super) fn read(text: &[u8], questions: &[String]) -> Result<Vec<RawAnswer>, AnswersError> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text);
    let mut records = reader.byte_records().map(|record| record.map(StringRecord::from_byte_record_lossy));
    let header = match records.next() {
        None => return Err(AnswersError::Empty),
        Some(header) => header.map_err(|e| AnswersError::Table(e.to_string()))?,
    };
    let columns = Columns::find(&header, questions)?;
    let mut rows = Vec::new();
    for record in records {
        match record {
            Ok(record) => columns.rows(&record, &mut rows),
            Err(error) => rows.push(RawAnswer { problem: Some(error.to_string()), ..RawAnswer::default() }),
        }
    }
    Ok(rows)
}

/// The places of the columns in a row.
struct Columns {
    person: usize,
    at: Option<usize>,
    tasks: Vec<TaskColumns>,
}

/// The columns of one task in a row.
struct TaskColumns {
    task: usize,
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
    fn find(header: &StringRecord, questions: &[String]) -> Result<Self, AnswersError> {
        let names: Vec<String> = header.iter().map(|name| name.trim().to_lowercase()).collect();
        let first = |known: &[&str]| known.iter().find_map(|known| names.iter().position(|name| name == known));
        let missing = |missing, known: &[&str]| Err(AnswersError::Columns { missing, known: known.join(", ") });
        // The column of each task, with the suffix in the names of its answer columns.
        let mut task_columns: Vec<(usize, &str)> = first(&TASK).map(|at| (at, "")).into_iter().collect();
        if task_columns.is_empty() {
            let numbered = names.iter().enumerate();
            task_columns = numbered.filter_map(|(at, name)| Some((at, name.strip_prefix("input.task")?))).collect();
        }
        if task_columns.is_empty() {
            return missing("the task", &TASK);
        }
        let Some(person) = first(&PERSON) else { return missing("the person", &PERSON) };
        let long = first(&QUESTION).zip(first(&ANSWER));
        let mut tasks = Vec::new();
        for (task, suffix) in task_columns {
            let answers = match long {
                Some((question, answer)) => Answers::Long(question, answer),
                None => Answers::Wide(questions.iter().map(|id| (id.clone(), cells(&names, id, suffix))).collect()),
            };
            tasks.push(TaskColumns { task, answers });
        }
        if !tasks.iter().any(TaskColumns::have_answers) {
            return Err(AnswersError::Columns { missing: "the answers", known: questions.join(", ") });
        }
        Ok(Self { person, at: first(&AT), tasks })
    }

    fn rows(&self, record: &StringRecord, rows: &mut Vec<RawAnswer>) {
        let text = |at: usize| record.get(at).unwrap_or_default().trim().to_owned();
        for task in &self.tasks {
            let given = RawAnswer {
                person: text(self.person),
                task: text(task.task),
                at_ms: self.at.and_then(|at| parse_time(&text(at))),
                ..RawAnswer::default()
            };
            match &task.answers {
                Answers::Long(question, answer) => {
                    let (question, answer) = (bracketed(&text(*question)), text(*answer));
                    rows.push(checked(RawAnswer { question, answer, ..given }));
                }
                Answers::Wide(questions) => {
                    for (id, cells) in questions.iter().filter(|(_, cells)| !cells.is_empty()) {
                        let (question, answer) = (id.clone(), answer(record, cells));
                        rows.push(checked(RawAnswer { question, answer, ..given.clone() }));
                    }
                }
            }
        }
    }
}

impl TaskColumns {
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

/// The one answer in `cells`; empty if there is none, or if two cells hold different answers.
fn answer(record: &StringRecord, cells: &[Cell]) -> String {
    let mut answers = Vec::new();
    for cell in cells {
        let answer = match cell {
            Cell::Answer(at) => record.get(*at).unwrap_or_default().trim(),
            Cell::Choice(at, choice) => {
                let is_chosen = record.get(*at).is_some_and(|text| text.trim().eq_ignore_ascii_case("true"));
                if is_chosen { choice.as_str() } else { "" }
            }
        };
        if !answer.is_empty() {
            answers.push(answer);
        }
    }
    answers.dedup();
    match answers.as_slice() {
        [answer] => (*answer).to_owned(),
        _ => String::new(),
    }
}

/// `Could it be used? [use]` -> `use`.
fn bracketed(text: &str) -> String {
    let inside = text.rsplit_once('[').and_then(|(_, rest)| rest.strip_suffix(']'));
    inside.unwrap_or(text).to_owned()
}
