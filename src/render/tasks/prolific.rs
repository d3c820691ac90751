//! Prolific's task builder: a dataset in CSV and the instructions that go with it.
//!
//! Source: Prolific's documentation, "Working with Datasets" (columns with `META_` in front are not shown, and
//! `META_TASK_GROUP_ID` keeps a sheet together) and "Instructions".

use std::borrow::Cow;

use serde_json::{Value, json};

use super::cells::{cell, rows_as_csv};
use super::line::{CHOICES, TaskLine};

/// `dataset.csv`: image and category are shown, the names of task and sheet are not.
pub fn prolific_csv(lines: &[TaskLine]) -> Vec<u8> {
    let header = ["image", "category", "gloss", "META_TASK", "META_TASK_GROUP_ID"].map(Cow::Borrowed).to_vec();
    let row = |line: &TaskLine| {
        let gloss = cell(line.gloss.as_deref().unwrap_or_default());
        [line.image.clone(), cell(&line.category), gloss, line.task.clone(), line.batch.clone()]
            .map(Cow::Owned)
            .to_vec()
    };
    rows_as_csv(std::iter::once(header).chain(lines.iter().map(row)))
}

/// `instructions.json`: a multiple choice for each question (id, text). The id in brackets links answers to the
/// question.
pub fn prolific_instructions(questions: &[(String, String)]) -> Vec<u8> {
    let options: Vec<Value> = CHOICES.iter().map(|(value, text)| json!({ "label": text, "value": value })).collect();
    let mut instructions: Vec<Value> = Vec::new();
    for (order, (id, text)) in questions.iter().enumerate() {
        instructions.push(json!({
            "type": "multiple_choice", "order": order, "answer_limit": 1,
            "description": format!("{text} [{id}]"), "options": options,
        }));
    }
    serde_json::to_vec_pretty(&instructions).unwrap_or_default()
}
