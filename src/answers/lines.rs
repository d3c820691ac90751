//! Lines of JSON, one answer each, as the annotation page saves them: `person`, `task`, `question`, `answer`, `at`.

use serde_json::Value;

use super::row::checked;
use crate::domain::{RawAnswer, parse_time};

/// A row for each line that is not empty.
pub(super) fn read(text: &[u8]) -> Vec<RawAnswer> {
    let lines = text.split(|&byte| byte == b'\n').enumerate();
    lines.filter(|(_, line)| !line.trim_ascii().is_empty()).map(|(at, line)| row(at + 1, line)).collect()
}

fn row(number: usize, line: &[u8]) -> RawAnswer {
    let Ok(Value::Object(object)) = serde_json::from_slice(line) else {
        // The line is not quoted, because it may contain a person's id.
        let problem = Some(format!("line {number} is not a JSON object"));
        return RawAnswer { problem, ..RawAnswer::default() };
    };
    let text = |key: &str| match object.get(key) {
        Some(Value::String(text)) => text.trim().to_owned(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    let (person, task, question) = (text("person"), text("task"), text("question"));
    checked(RawAnswer { person, task, question, answer: text("answer"), at_ms: parse_time(&text("at")), problem: None })
}
