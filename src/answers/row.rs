//! What every reader does to a row before it returns it.

use crate::domain::RawAnswer;

/// The row, with a problem if a part of it is empty.
pub(super) fn checked(mut given: RawAnswer) -> RawAnswer {
    let parts =
        [("task", &given.task), ("person", &given.person), ("question", &given.question), ("answer", &given.answer)];
    let empty =
        parts.into_iter().find(|(_, text)| text.trim().is_empty()).map(|(what, _)| format!("the {what} is empty"));
    given.problem = given.problem.or(empty);
    given
}
