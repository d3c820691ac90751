//! Reads an evaluation back: its record and its tables, checked against each other.
//!
//! Does not compute figures. Holds always: a table of another number of rows than the pool has images is an error,
//! because figures would be of other images.

use std::collections::BTreeMap;

use super::error::EvaluateError;
use super::figures::{Inputs, Scores};
use super::line::line;
use super::{choices, temperature};
use crate::domain::{EvaluationRecord, PoolRecord, PoolRole};
use crate::store::{EvaluationDir, StoreError};
use crate::table::{PoolColumns, ResultColumns, results_table};

/// The kind of target whose scores another program has made.
const IMPORTED: &str = "imported";

/// Reads what the figures of the evaluation in `dir` are made of.
pub fn load<'a>(dir: &EvaluationDir, record: &'a EvaluationRecord) -> Result<Inputs<'a>, EvaluateError> {
    for name in ["questions.csv", "left-out.csv"] {
        if record.tables.contains_key(name) {
            dir.checked(&dir.document(name), record)?;
        }
    }
    let pool = scores(dir, record, PoolRole::Pool, &record.pool)?;
    let clean = record.clean.as_ref().map(|pool| scores(dir, record, PoolRole::Clean, pool)).transpose()?;
    let ood = record.ood.as_ref().map(|pool| scores(dir, record, PoolRole::Ood, pool)).transpose()?;
    let miners = dir.miners();
    let miners = if record.tables.contains_key(&dir.name_of(&miners)) {
        results_table::decode_miners(&dir.checked(&miners, record)?)?
    } else {
        Vec::new()
    };
    let mut answers = BTreeMap::new();
    for name in &record.answers {
        answers.insert(name.clone(), choices::read(dir, name, record)?);
    }
    let line = line(dir, record);
    let tempered = temperature::figures(dir, record, &pool, clean.as_ref())?;
    Ok(Inputs { record, pool, clean, ood, miners, answers, line, tempered })
}

/// The images of a pool, and what the targets made of them.
pub fn scores(
    dir: &EvaluationDir,
    record: &EvaluationRecord,
    role: PoolRole,
    pool: &PoolRecord,
) -> Result<Scores, EvaluateError> {
    let path = dir.images(role);
    let mut images = PoolColumns::default();
    images.add(&dir.checked(&path, record)?)?;
    let damaged = |path: &std::path::Path, rows: usize| StoreError::Damaged {
        path: path.display().to_string(),
        problem: format!("it has {rows} rows, but evaluation.toml says {} images", pool.images),
        remedy: "run the same `hardset evaluate` again".to_owned(),
    };
    if images.len() as u64 != pool.images {
        return Err(damaged(&path, images.len()).into());
    }
    let mut targets = Vec::with_capacity(record.targets.len());
    for target in &record.targets {
        let mut columns = ResultColumns::default();
        for path in dir.tables(&target.name, role, record) {
            columns.add(&dir.checked(&path, record)?)?;
        }
        // Imported scores are of the pool alone.
        let is_absent = role != PoolRole::Pool && columns.true_rank.is_empty() && target.kind == IMPORTED;
        if columns.true_rank.len() != images.len() && !is_absent {
            return Err(damaged(&dir.results(&target.name, role, 0), columns.true_rank.len()).into());
        }
        targets.push(columns);
    }
    Ok(Scores { images, targets })
}
