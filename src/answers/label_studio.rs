//! Label Studio's exports: JSON, with all annotations of each task, and JSON-MIN, with one annotation in each object.
//!
//! Source: Label Studio's documentation, "Label Studio JSON format of annotated tasks".
//!
//! Holds always: an odd annotation costs itself alone. A person is known by the tool's numeric id, because one export
//! has it alone and another has the e-mail address beside it; an annotation by its own id, because JSON-MIN has only
//! one of the two.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::row::{checked, plain};
use crate::domain::{RawAnswer, parse_time};

#[derive(Deserialize)]
struct RawAnnotation {
    #[serde(default)]
    id: Value,
    #[serde(default)]
    completed_by: Value,
    #[serde(default)]
    was_cancelled: Option<bool>,
    #[serde(default)]
    created_at: Value,
    #[serde(default)]
    updated_at: Value,
    #[serde(default)]
    result: Option<Vec<Value>>,
}

/// The rows of one task; `number`: its place in the file, from 1.
pub(super) fn task(mut task: Map<String, Value>, number: usize, questions: &[String], rows: &mut Vec<RawAnswer>) {
    let annotations = task.remove("annotations").or_else(|| task.remove("completions"));
    let name = name_in(&task);
    let bad = |problem: String| RawAnswer { task: name.clone(), ..RawAnswer::bad(problem) };
    let annotations = match annotations {
        Some(Value::Array(annotations)) => annotations,
        // Nobody has annotated it.
        Some(Value::Null) | None => return,
        Some(_) => return rows.push(bad(format!("entry {number}: its annotations are not a list"))),
    };
    for (at, annotation) in annotations.into_iter().enumerate() {
        match RawAnnotation::deserialize(annotation) {
            Ok(annotation) => annotated(&name, annotation, questions, rows),
            Err(error) => rows.push(bad(format!("entry {number}: annotation {} cannot be read: {error}", at + 1))),
        }
    }
}

/// The name of the task in the data that was imported.
fn name_in(task: &Map<String, Value>) -> String {
    let data = task.get("data").and_then(Value::as_object).unwrap_or(task);
    data.iter().find(|(key, _)| key.eq_ignore_ascii_case("task")).map(|(_, name)| plain(name)).unwrap_or_default()
}

fn annotated(task: &str, annotation: RawAnnotation, questions: &[String], rows: &mut Vec<RawAnswer>) {
    let at = |text: &Value| parse_time(&plain(text));
    let given = RawAnswer {
        person: person(&annotation.completed_by),
        task: task.to_owned(),
        at_ms: at(&annotation.updated_at).or_else(|| at(&annotation.created_at)),
        annotation: Some(plain(&annotation.id)).filter(|id| !id.is_empty()),
        ..RawAnswer::default()
    };
    let results = annotation.result.unwrap_or_default();
    if annotation.was_cancelled == Some(true) || results.is_empty() {
        return rows.push(given.excused("the person skipped the task"));
    }
    for result in &results {
        let question = result.get("from_name").map(plain).unwrap_or_default();
        let answer = result.get("value").map(chosen).unwrap_or_default();
        let row = RawAnswer { question, answer, ..given.clone() };
        // A project may have controls of its own, such as a field for remarks.
        let is_asked = questions.contains(&row.question);
        rows.push(if is_asked { checked(row) } else { row.excused("the recipe does not have this question") });
    }
}

/// The rows of an object of JSON-MIN: the task's data and its answers side by side.
pub(super) fn flat(task: &Map<String, Value>, questions: &[String], rows: &mut Vec<RawAnswer>) {
    let text = |key: &str| task.get(key).map(plain).unwrap_or_default();
    let answered_by = ["annotator", "completed_by", "person"].into_iter().find_map(|key| task.get(key));
    let given = RawAnswer {
        person: answered_by.map(person).unwrap_or_default(),
        task: name_in(task),
        at_ms: parse_time(&text("updated_at")).or_else(|| parse_time(&text("created_at"))),
        annotation: Some(text("annotation_id")).filter(|id| !id.is_empty()),
        ..RawAnswer::default()
    };
    let answers: Vec<(&String, String)> = questions.iter().map(|id| (id, text(id))).collect();
    if answers.iter().all(|(_, answer)| answer.is_empty()) {
        return rows.push(given.excused("the person skipped the task"));
    }
    for (id, answer) in answers {
        rows.push(checked(RawAnswer { question: id.clone(), answer, ..given.clone() }));
    }
}

/// The only choice; empty without a choice or with several.
fn chosen(value: &Value) -> String {
    match value.get("choices").and_then(Value::as_array).map(Vec::as_slice) {
        Some([one]) => plain(one),
        _ => String::new(),
    }
}

/// The person: an id, or an object with an id or an e-mail address.
fn person(value: &Value) -> String {
    let inside = ["id", "email", "username"].into_iter().find_map(|key| value.get(key).filter(|id| !id.is_null()));
    plain(inside.unwrap_or(value))
}
