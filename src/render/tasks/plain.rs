//! `tasks.csv`, which people may fill in and send back, and `tasks.jsonl`.

use std::borrow::Cow;

use serde_json::json;

use super::cells::{cell, rows_as_csv};
use super::line::TaskLine;

/// One row for each task: batch, position, task, image, category, gloss, an empty cell for the person, and for each
/// question its text and an empty cell for the answer, in a column named by the question's id.
pub fn csv(lines: &[TaskLine]) -> Vec<u8> {
    let questions = lines.first().map_or(&[][..], |line| &line.questions);
    let fixed = ["batch", "position", "task", "image", "category", "gloss", "person"].map(Cow::Borrowed);
    let of_questions =
        questions.iter().flat_map(|(id, _)| [Cow::Owned(format!("{id}_question")), Cow::Owned(id.clone())]);
    let header = fixed.into_iter().chain(of_questions).collect();
    let row = |line: &TaskLine| {
        let fixed = [
            line.batch.clone(),
            line.position.to_string(),
            line.task.clone(),
            cell(&line.image),
            cell(&line.category),
            cell(line.gloss.as_deref().unwrap_or_default()),
            String::new(),
        ];
        let questions = line.questions.iter().flat_map(|(_, text)| [cell(text), String::new()]);
        fixed.into_iter().chain(questions).map(Cow::Owned).collect()
    };
    rows_as_csv(std::iter::once(header).chain(lines.iter().map(row)))
}

/// One line of JSON for each task.
pub fn jsonl(lines: &[TaskLine]) -> Vec<u8> {
    let line = |line: &TaskLine| {
        let questions: Vec<_> = line.questions.iter().map(|(id, text)| json!({ "id": id, "text": text })).collect();
        let object = json!({
            "batch": line.batch, "position": line.position, "task": line.task, "image": line.image,
            "category": line.category, "gloss": line.gloss, "questions": questions,
        });
        format!("{object}\n")
    };
    lines.iter().map(line).collect::<String>().into_bytes()
}
