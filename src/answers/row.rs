//! What every reader does to a row before it returns it.

use serde_json::Value;

use crate::domain::RawAnswer;

/// The problem of a row that does not say who gave the answer.
pub(super) const NO_PERSON: &str = "the person is empty";

/// The problem of a row with more than one answer.
pub(super) const SEVERAL: &str = "several answers to one question";

/// The row, with a problem if a part of it is empty.
pub(super) fn checked(mut given: RawAnswer) -> RawAnswer {
    let parts =
        [("task", &given.task), ("person", &given.person), ("question", &given.question), ("answer", &given.answer)];
    let empty =
        parts.into_iter().find(|(_, text)| text.trim().is_empty()).map(|(what, _)| format!("the {what} is empty"));
    given.problem = given.problem.or(empty);
    given
}

/// A text or a number; empty for everything else.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}
