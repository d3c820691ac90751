//! JSON of answers: lines of ours, one object after another, an array, or one object; Label Studio's tasks in any of
//! them.
//!
//! Holds always: an object that cannot be read costs its own answers alone.

use serde_json::{Deserializer, Map, Value};

use super::error::AnswersError;
use super::label_studio;
use super::row::{checked, plain};
use crate::domain::{RawAnswer, parse_time};

/// Keys of an object that holds all objects in a list, as interfaces for programs answer.
const LISTS: [&str; 4] = ["tasks", "results", "data", "answers"];

/// The rows of all objects.
pub(super) fn read(text: &str, questions: &[String]) -> Result<Vec<RawAnswer>, AnswersError> {
    let objects = objects(text)?;
    let is_object = |object: &Result<Value, String>| matches!(object, Ok(Value::Object(_)));
    if !objects.iter().any(is_object) {
        let problem = "it has no object with answers".to_owned();
        let first = objects.into_iter().find_map(Result::err);
        return Err(AnswersError::Json(first.unwrap_or(problem)));
    }
    let mut rows = Vec::new();
    for (at, object) in objects.into_iter().enumerate() {
        match object {
            Ok(Value::Object(object)) => of_object(object, at + 1, questions, &mut rows),
            Ok(_) => rows.push(RawAnswer::bad(format!("entry {}: it is not a JSON object", at + 1))),
            Err(problem) => rows.push(RawAnswer::bad(problem)),
        }
    }
    Ok(rows)
}

/// The values in the text, each with the reason if it is not JSON: a text that is JSON as a whole is read as such, any
/// other line by line if most of its lines begin an object.
fn objects(text: &str) -> Result<Vec<Result<Value, String>>, AnswersError> {
    let whole = documents(text);
    if whole.is_ok() || !are_lines(text) {
        return whole;
    }
    let lines = text.lines().map(entry).enumerate().filter(|(_, line)| !line.is_empty());
    // The line is not quoted, because it may contain a person's id.
    Ok(lines.map(|(at, line)| serde_json::from_str(line).map_err(|_| not_an_object(at))).collect())
}

/// The object in a line, without what surrounds the entries of an array.
fn entry(line: &str) -> &str {
    let line = line.trim();
    let line = line.strip_prefix('[').unwrap_or(line).trim();
    let line = line.strip_suffix(']').unwrap_or(line).trim_end();
    line.strip_suffix(',').unwrap_or(line).trim_end()
}

fn not_an_object(at: usize) -> String {
    format!("line {}: it is not a JSON object", at + 1)
}

/// Whether most lines begin an object, and some are one.
pub(super) fn are_lines(text: &str) -> bool {
    let (mut count, mut begun) = (0_u64, 0_u64);
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        count += 1;
        begun += u64::from(line.trim_start().starts_with('{'));
    }
    count > 1 && 2 * begun > count && text.lines().map(entry).any(is_whole)
}

fn is_whole(line: &str) -> bool {
    serde_json::from_str::<Map<String, Value>>(line).is_ok()
}

/// One document after another; the entries of an array, or of an object that only holds a list, count one by one.
fn documents(text: &str) -> Result<Vec<Result<Value, String>>, AnswersError> {
    let mut found = Vec::new();
    for document in Deserializer::from_str(text).into_iter::<Value>() {
        match document.map_err(|e| AnswersError::Json(e.to_string()))? {
            Value::Array(entries) => found.extend(entries),
            Value::Object(mut object) => match list_in(&mut object) {
                Some(entries) => found.extend(entries),
                None => found.push(Value::Object(object)),
            },
            other => found.push(other),
        }
    }
    Ok(found.into_iter().map(Ok).collect())
}

fn list_in(object: &mut Map<String, Value>) -> Option<Vec<Value>> {
    if object.contains_key("annotations") || object.contains_key("task") {
        return None;
    }
    let key = LISTS.into_iter().find(|key| object.get(*key).is_some_and(Value::is_array))?;
    match object.remove(key) {
        Some(Value::Array(entries)) => Some(entries),
        _ => None,
    }
}

/// The rows of one object; `number`: its place in the file, from 1.
fn of_object(object: Map<String, Value>, number: usize, questions: &[String], rows: &mut Vec<RawAnswer>) {
    let has = |key: &str| object.contains_key(key);
    if has("annotations") || has("completions") {
        label_studio::task(object, number, questions, rows);
    } else if !has("question") && !has("answer") && (has("annotation_id") || questions.iter().any(|id| has(id))) {
        label_studio::flat(&object, questions, rows);
    } else {
        rows.push(line(&object));
    }
}

/// An answer as the annotation page saves it: `person`, `task`, `question`, `answer`, `at`.
fn line(object: &Map<String, Value>) -> RawAnswer {
    let text = |key: &str| object.get(key).map(plain).unwrap_or_default();
    checked(RawAnswer {
        person: text("person"),
        task: text("task"),
        question: text("question"),
        answer: text("answer"),
        at_ms: parse_time(&text("at")),
        ..RawAnswer::default()
    })
}
