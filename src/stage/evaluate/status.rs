//! What an evaluation has: its pool, and how many images each target has scored.
//!
//! Does not compute figures and takes no lock. Holds always: a table that does not fit the record is an error, not less
//! progress.

use std::path::PathBuf;

use super::error::EvaluateError;
use super::load::scores;
use crate::domain::{EvaluationRecord, PoolRole};
use crate::store::EvaluationDir;

/// See the module.
#[derive(Debug, Clone, PartialEq)]
pub struct EvaluationStatus {
    /// The record.
    pub record: EvaluationRecord,
    /// For each target of the record: images of the pool that it has scored.
    pub scored: Vec<u64>,
    /// The page; `None` if it is not there.
    pub page: Option<PathBuf>,
}

/// Reads the record and the tables of the pool.
pub fn evaluation_status(dir: &EvaluationDir) -> Result<EvaluationStatus, EvaluateError> {
    let record = dir.record()?;
    let pool = scores(dir, &record, PoolRole::Pool, &record.pool)?;
    let scored = pool.targets.iter().map(|target| record.pool.images - target.lost.len() as u64).collect();
    let page = Some(dir.document("index.html")).filter(|page| page.is_file());
    Ok(EvaluationStatus { record, scored, page })
}
