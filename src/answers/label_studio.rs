//! Label Studio's exports: JSON, with all annotations of each task, and JSON-MIN.
//!
//! Source: Label Studio's documentation, "Label Studio JSON format of annotated tasks".

use serde::Deserialize;
use serde_json::{Map, Value};

use super::error::AnswersError;
use super::row::checked;
use crate::domain::{RawAnswer, parse_time};

#[derive(Deserialize)]
struct RawAnnotation {
    #[serde(default)]
    completed_by: Value,
    #[serde(default)]
    was_cancelled: Option<bool>,
    created_at: Option<String>,
    updated_at: Option<String>,
    #[serde(default)]
    result: Vec<RawResult>,
}

#[derive(Deserialize)]
struct RawResult {
    from_name: Option<String>,
    #[serde(default)]
    value: Map<String, Value>,
}

pub(super) fn read(text: &[u8], questions: &[String]) -> Result<Vec<RawAnswer>, AnswersError> {
    let cannot = |e: serde_json::Error| AnswersError::Json(e.to_string());
    let tasks: Vec<Map<String, Value>> = serde_json::from_slice(text).map_err(cannot)?;
    let mut rows = Vec::new();
    for mut task in tasks {
        match task.remove("annotations") {
            // JSON-MIN: the task's data and its answers side by side.
            None => rows.extend(flat(&task, questions)),
            Some(annotations) => {
                let annotations: Vec<RawAnnotation> = serde_json::from_value(annotations).map_err(cannot)?;
                let name = task.get("data").and_then(|data| data.get("task")).map(plain).unwrap_or_default();
                rows.extend(annotations.iter().flat_map(|annotation| annotated(&name, annotation)));
            }
        }
    }
    Ok(rows)
}

fn annotated(task: &str, annotation: &RawAnnotation) -> Vec<RawAnswer> {
    let given = RawAnswer {
        person: person(&annotation.completed_by),
        task: task.to_owned(),
        at_ms: annotation.updated_at.as_ref().or(annotation.created_at.as_ref()).and_then(|at| parse_time(at)),
        ..RawAnswer::default()
    };
    let problem = match annotation.was_cancelled {
        Some(true) => Some("the annotation was cancelled"),
        _ if annotation.result.is_empty() => Some("the annotation has no answer"),
        _ => None,
    };
    if let Some(problem) = problem {
        return vec![RawAnswer { problem: Some(problem.to_owned()), ..given }];
    }
    let answer = |result: &RawResult| {
        let (question, answer) = (result.from_name.clone().unwrap_or_default(), chosen(&result.value));
        checked(RawAnswer { question, answer, ..given.clone() })
    };
    annotation.result.iter().map(answer).collect()
}

fn flat(task: &Map<String, Value>, questions: &[String]) -> Vec<RawAnswer> {
    let text = |key: &str| task.get(key).map(plain).unwrap_or_default();
    let given = RawAnswer {
        person: text("annotator"),
        task: text("task"),
        at_ms: parse_time(&text("updated_at")).or_else(|| parse_time(&text("created_at"))),
        ..RawAnswer::default()
    };
    let answer = |id: &String| checked(RawAnswer { question: id.clone(), answer: text(id), ..given.clone() });
    questions.iter().map(answer).collect()
}

/// The only choice; empty without a choice or with several.
fn chosen(value: &Map<String, Value>) -> String {
    match value.get("choices").and_then(Value::as_array).map(Vec::as_slice) {
        Some([one]) => plain(one),
        _ => String::new(),
    }
}

/// The person: an id, or an object with an e-mail address or an id.
fn person(value: &Value) -> String {
    let inside = value.get("email").or_else(|| value.get("id"));
    plain(inside.unwrap_or(value))
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}
