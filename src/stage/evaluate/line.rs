//! The line of standard models for effective robustness.
//!
//! Holds always: without enough standard models there is no line, and the reason is stated in its place.

use super::figures::Line;
use super::{Ask, EvaluateError};
use crate::domain::{EvaluationRecord, LineRecord};
use crate::source::OpenedPool;
use crate::store::EvaluationDir;

/// The line that the record names.
pub fn line(_dir: &EvaluationDir, _record: &EvaluationRecord) -> Option<Line> {
    None
}

/// Keeps the table of standard models in the evaluation.
pub fn keep(_dir: &EvaluationDir, _ask: &Ask, _pool: &OpenedPool) -> Result<Option<LineRecord>, EvaluateError> {
    Ok(None)
}
