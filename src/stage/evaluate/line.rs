//! The line of standard models for effective robustness: the built-in one of a published shift, or one of a table that
//! people give, of which the evaluation keeps a copy.
//!
//! Holds always: without enough standard models there is no line, and the reason is stated in its place. The built-in
//! lines are of accuracies among the benchmark's own classes, so they hold for the label space `masked` alone.

use super::ask::Ask;
use super::error::EvaluateError;
use super::figures::Line;
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
    let is_built_in = named.built_in;
    let path = match dir.checked(&dir.document(COPY), record) {
        Ok(path) => Some(path),
        Err(_) if is_built_in => None,
        Err(error) => return Some(Line::Refused(error.to_string())),
    };
    let models = standard_models(path.filter(|_| !is_built_in).as_deref());
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

/// Notes the line that is asked for, else that of an earlier call, else that of the pool's published shift; keeps a
/// given table in the evaluation.
pub fn keep(
    dir: &EvaluationDir,
    ask: &Ask,
    pool: &OpenedPool,
    record: &mut EvaluationRecord,
) -> Result<(), EvaluateError> {
    let copy = dir.document(COPY);
    if let Some(path) = &ask.fit {
        let [standard, shift] = ask.fit_columns.clone().unwrap_or(COLUMNS.map(str::to_owned));
        standard_models(Some(path)).and_then(|models| models.points(&standard, &shift).map(drop))?;
        let bytes = std::fs::read(path).map_err(StoreError::io("read", path))?;
        write_if_changed(&copy, &bytes)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        record.line = Some(LineRecord { name, built_in: false, sha256: Sha256::of(&bytes), shift, standard });
    } else if let (Some(shift), true) = (shift(ask, pool)?, ask.shift.is_some() || record.line.is_none()) {
        record.line = Some(LineRecord {
            name: TESTBED.to_owned(),
            built_in: true,
            sha256: standard_models(None).map(|models| models.sha256)?,
            shift: shift.shift.to_owned(),
            standard: shift.standard.to_owned(),
        });
    }
    if let Some(line) = record.line.as_ref().filter(|line| !line.built_in) {
        record.tables.insert(dir.name_of(&copy), line.sha256);
    }
    Ok(())
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
