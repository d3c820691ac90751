//! Label Studio's exports: JSON, with all annotations of each task, and JSON-MIN, with one annotation in each object.
//!
//! Source: Label Studio's documentation, "Label Studio JSON format of annotated tasks".
//!
//! Holds always: an odd annotation costs itself alone. A person is known by the tool's numeric id, because one export
//! has it alone and another has the e-mail address beside it; an annotation by its own id, because JSON-MIN has only
//! one of the two.

use serde_json::{Map, Value};

use super::row::{SEVERAL, checked, plain};
use crate::domain::{RawAnswer, parse_time};

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
    for (at, annotation) in annotations.iter().enumerate() {
        if let Err(problem) = annotated(&name, annotation, questions, rows) {
            rows.push(bad(format!("entry {number}: annotation {} {problem}", at + 1)));
        }
    }
}

/// The name of the task in the data that was imported.
fn name_in(task: &Map<String, Value>) -> String {
    let data = task.get("data").and_then(Value::as_object).unwrap_or(task);
    data.iter().find(|(key, _)| key.eq_ignore_ascii_case("task")).map(|(_, name)| plain(name)).unwrap_or_default()
}

/// The answers of one annotation; an error, and no row, if it has none that can be read.
fn annotated(
    task: &str,
    annotation: &Value,
    questions: &[String],
    rows: &mut Vec<RawAnswer>,
) -> Result<(), &'static str> {
    let Value::Object(annotation) = annotation else { return Err("is not an object") };
    let results = match annotation.get("result") {
        Some(Value::Array(results)) => results.as_slice(),
        Some(Value::Null) | None => &[],
        Some(_) => return Err("has a `result` that is not a list"),
    };
    let was_skipped = match annotation.get("was_cancelled") {
        Some(Value::Bool(was_cancelled)) => *was_cancelled,
        Some(Value::Null) | None => false,
        Some(_) => return Err("has a `was_cancelled` that is neither true nor false"),
    };
    let at = |key: &str| annotation.get(key).and_then(|text| parse_time(&plain(text)));
    let given = RawAnswer {
        person: annotation.get("completed_by").map(person).unwrap_or_default(),
        task: task.to_owned(),
        at_ms: at("updated_at").or_else(|| at("created_at")),
        annotation: annotation.get("id").map(plain).filter(|id| !id.is_empty()),
        ..RawAnswer::default()
    };
    if was_skipped || results.is_empty() {
        rows.push(given.excused("the person skipped the task"));
        return Ok(());
    }
    for result in results {
        let question = result.get("from_name").map(plain).unwrap_or_default();
        // A project may have controls of its own, such as a field for remarks.
        let is_asked = question.is_empty() || questions.contains(&question);
        let row = RawAnswer { question, ..given.clone() };
        rows.push(match result.get("value").map_or(Some(String::new()), chosen) {
            _ if !is_asked => row.excused("the recipe does not have this question"),
            Some(answer) => checked(RawAnswer { answer, ..row }),
            None => RawAnswer { problem: Some(SEVERAL.to_owned()), ..row },
        });
    }
    Ok(())
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
    let answers: Vec<(&String, &Value)> =
        questions.iter().map(|id| (id, task.get(id).unwrap_or(&Value::Null))).collect();
    if answers.iter().all(|(_, answer)| is_empty(answer)) {
        return rows.push(given.excused("the person skipped the task"));
    }
    for (id, answer) in answers {
        let row = RawAnswer { question: id.clone(), ..given.clone() };
        rows.push(match chosen(answer) {
            Some(answer) => checked(RawAnswer { answer, ..row }),
            None => RawAnswer { problem: Some(SEVERAL.to_owned()), ..row },
        });
    }
}

fn is_empty(answer: &Value) -> bool {
    match answer {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(choices) => choices.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
    }
}

/// The only choice, plain or in a list; empty without a choice, `None` with several.
fn chosen(value: &Value) -> Option<String> {
    let choices = value.get("choices").unwrap_or(value);
    match choices.as_array().map(Vec::as_slice) {
        None => Some(plain(choices)),
        Some([]) => Some(String::new()),
        Some([one]) => Some(plain(one)),
        Some(_) => None,
    }
}

/// The person: an id, or an object with an id or an e-mail address.
fn person(value: &Value) -> String {
    let inside = ["id", "email", "username"].into_iter().find_map(|key| value.get(key).filter(|id| !id.is_null()));
    plain(inside.unwrap_or(value))
}
