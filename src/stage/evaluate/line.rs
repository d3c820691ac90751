//! The line of standard models for effective robustness: the built-in one of a published shift, or one of a table that
//! people give, of which the evaluation keeps a copy.
//!
//! Holds always: without enough standard models there is no line, and the reason is stated in its place. The built-in
//! lines are of accuracies among the benchmark's own classes, so they hold for the label space `masked` alone.

use super::figures::Line;
use super::{Ask, EvaluateError};
use crate::config::{SHIFTS, Shift, StandardError, StandardModels, standard_models};
use crate::domain::{EvaluationRecord, LineRecord, Sha256};
use crate::source::OpenedPool;
use crate::stats::{CleanAndShift, standard_fit};
use crate::store::{EvaluationDir, StoreError, write_if_changed};

/// The name of the built-in table.
const TESTBED: &str = "imagenet-testbed";
/// The copy of a table that people gave.
const COPY: &str = "standard-models.csv";
/// Its columns, unless others are named.
const COLUMNS: [&str; 2] = ["clean", "shift"];

/// The line that the record names.
pub fn line(dir: &EvaluationDir, record: &EvaluationRecord) -> Option<Line> {
    let named = record.line.as_ref()?;
    let is_built_in = named.name == TESTBED;
    let path = dir.document(COPY);
    let models = standard_models((!is_built_in).then_some(path.as_path()));
    Some(match models.and_then(|models| points(&models, &named.standard, &named.shift)) {
        Ok(points) => match standard_fit(&points) {
            Ok(fit) => Line::Fitted {
                fit,
                about: format!("above the line of {} standard models of {}", points.len(), named.name),
                masked_only: is_built_in,
            },
            Err(refused) => Line::Refused(refused.to_string()),
        },
        Err(error) => Line::Refused(error.to_string()),
    })
}

fn points(models: &StandardModels, standard: &str, shift: &str) -> Result<Vec<CleanAndShift>, StandardError> {
    let in_fit = models.points(standard, shift)?.into_iter().filter(|point| point.in_fit);
    Ok(in_fit.map(|point| CleanAndShift { clean: point.clean, shift: point.shift }).collect())
}

/// The line that is asked for, or that of the pool's published shift; keeps a given table in the evaluation.
pub fn keep(dir: &EvaluationDir, ask: &Ask, pool: &OpenedPool) -> Result<Option<LineRecord>, EvaluateError> {
    if let Some(path) = &ask.fit {
        let [standard, shift] = ask.fit_columns.clone().unwrap_or(COLUMNS.map(str::to_owned));
        standard_models(Some(path)).and_then(|models| models.points(&standard, &shift).map(drop))?;
        let bytes = std::fs::read(path).map_err(StoreError::io("read", path))?;
        write_if_changed(&dir.document(COPY), &bytes)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        return Ok(Some(LineRecord { name, sha256: Sha256::of(&bytes), shift, standard }));
    }
    let Some(shift) = shift(ask, pool)? else { return Ok(None) };
    Ok(Some(LineRecord {
        name: TESTBED.to_owned(),
        sha256: standard_models(None).map(|models| models.sha256)?,
        shift: shift.shift.to_owned(),
        standard: shift.standard.to_owned(),
    }))
}

/// The published shift that the pool is: the one that is named, or that of its own set of categories.
fn shift(ask: &Ask, pool: &OpenedPool) -> Result<Option<&'static Shift>, EvaluateError> {
    let find = |name: &str| SHIFTS.iter().find(|shift| shift.name == name);
    match &ask.shift {
        Some(name) => find(name).map(Some).ok_or_else(|| {
            let known: Vec<&str> = SHIFTS.iter().map(|shift| shift.name).collect();
            EvaluateError::NoShift { name: name.clone(), known: known.join(", ") }
        }),
        None => Ok(find(&pool.categories.name).filter(|_| pool.version.is_none())),
    }
}
