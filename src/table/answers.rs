//! `answers/<input>.parquet`: every row of an input, with people's ids replaced by keyed hashes.

use std::path::Path;

use polars::prelude::*;

use super::frame::{self, TableError};
use crate::domain::{Answer, AnswerRow};

/// Tables of format 2.0 have no `annotation`.
const COLUMNS: [&str; 7] = ["person", "task", "question", "answer", "at_ms", "problem", "annotation"];

/// The rows as Parquet.
pub fn encode(rows: &[AnswerRow]) -> Result<Vec<u8>, TableError> {
    let annotations: Vec<Option<&str>> = rows.iter().map(|row| row.annotation.as_deref()).collect();
    let mut columns = columns(rows.iter());
    columns.push(Column::new("annotation".into(), annotations));
    frame::encode(columns)
}

/// The columns of answers, which are also the first columns of votes.
pub(super) fn columns<'a>(rows: impl Iterator<Item = &'a AnswerRow> + Clone) -> Vec<Column> {
    let texts = |name: &str, text: fn(&AnswerRow) -> &str| {
        Column::new(name.into(), rows.clone().map(text).collect::<Vec<&str>>())
    };
    let answer = |row: &AnswerRow| row.answer.map(Answer::name);
    vec![
        texts("person", |row| &row.person),
        texts("task", |row| &row.task),
        texts("question", |row| &row.question),
        Column::new("answer".into(), rows.clone().map(answer).collect::<Vec<Option<&str>>>()),
        Column::new("at_ms".into(), rows.clone().map(|row| row.at_ms).collect::<Vec<Option<i64>>>()),
        Column::new("problem".into(), rows.clone().map(|row| row.problem.as_deref()).collect::<Vec<Option<&str>>>()),
    ]
}

/// The rows of the file.
pub fn decode(path: &Path) -> Result<Vec<AnswerRow>, TableError> {
    frame::read_rows(path, &COLUMNS, |frame| {
        let mut people = frame::full_strings(frame, "person")?;
        let mut tasks = frame::full_strings(frame, "task")?;
        let mut questions = frame::full_strings(frame, "question")?;
        let answers = frame::strings(frame, "answer")?;
        let mut problems = frame::strings(frame, "problem")?;
        let mut annotations = match frame.column("annotation") {
            Ok(_) => frame::strings(frame, "annotation")?,
            Err(_) => vec![None; frame.height()],
        };
        let at_ms = frame.column("at_ms")?.i64()?;
        let row = |at: usize| AnswerRow {
            person: std::mem::take(&mut people[at]),
            task: std::mem::take(&mut tasks[at]),
            question: std::mem::take(&mut questions[at]),
            answer: answers[at].as_deref().and_then(Answer::read),
            at_ms: at_ms.get(at),
            problem: problems[at].take(),
            annotation: annotations[at].take(),
        };
        Ok((0..frame.height()).map(row).collect())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_back_as_they_went_in() {
        let good = AnswerRow {
            person: "p".into(),
            task: "t".into(),
            question: "use".into(),
            answer: Some(Answer::NotSure),
            at_ms: Some(5),
            problem: None,
            annotation: Some("n1".into()),
        };
        let bad = AnswerRow {
            answer: None,
            at_ms: None,
            annotation: None,
            problem: Some("the answer is empty".into()),
            ..good.clone()
        };
        for rows in [vec![], vec![good, bad]] {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), encode(&rows).unwrap()).unwrap();
            assert_eq!(decode(file.path()).unwrap(), rows);
        }
    }
}
