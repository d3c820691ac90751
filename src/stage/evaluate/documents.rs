//! The documents of an evaluation as bytes: tables of figures, one `results.json` for each target, the leaderboard.
//!
//! Does not write files, so that `verify` can make the same bytes and compare. The page is [`super::page`]'s.

use std::collections::BTreeMap;

use super::error::EvaluateError;
use super::figures::{Figures, Inputs, columns_of};
use super::results::tables_sha256;
use crate::domain::{LabelSpace, NotScored, TargetResults};
use crate::render::evaluation::{leaderboard_csv, results_json};
use crate::store::EvaluationDir;
use crate::table::{encode_agreements, encode_comparisons, encode_figures};

/// Version of `results.json`.
pub const SCHEMA: u32 = 1;

/// Metrics that are no property of one target: a tier depends on the others.
const OF_OTHERS: [&str; 2] = ["tier", "accuracy_of_surrogate"];

/// Paths below the evaluation's folder, and bytes.
pub type Documents = BTreeMap<String, Vec<u8>>;

/// All documents but the page.
pub fn documents(dir: &EvaluationDir, inputs: &Inputs, made: &Figures) -> Result<Documents, EvaluateError> {
    let mut documents = Documents::new();
    documents.insert("results.parquet".to_owned(), encode_figures(&made.figures)?);
    documents.insert("comparisons.parquet".to_owned(), encode_comparisons(&made.comparisons)?);
    documents.insert("agreement.parquet".to_owned(), encode_agreements(&made.agreements)?);
    documents.insert("leaderboard.csv".to_owned(), leaderboard_csv(&made.figures, inputs.record));
    for at in 0..inputs.record.targets.len() {
        let results = target_results(dir, inputs, made, at)?;
        documents.insert(format!("results/{}/results.json", results.target.name), results_json(&results));
    }
    Ok(documents)
}

fn target_results(
    dir: &EvaluationDir,
    inputs: &Inputs,
    made: &Figures,
    at: usize,
) -> Result<TargetResults, EvaluateError> {
    let (record, columns) = (inputs.record, &inputs.pool.targets[at]);
    let target = record.targets[at].clone();
    let mut not_scored = Vec::with_capacity(columns.lost.len());
    for (place, reason) in &columns.lost {
        not_scored.push(NotScored { path: inputs.pool.images.path[*place].clone(), reason: reason.clone() });
    }
    let own = made
        .figures
        .iter()
        .filter(|figure| figure.target == target.name && !OF_OTHERS.contains(&figure.metric.as_str()));
    let right = |space| (LabelSpace::to_string(&space), hexadecimal(&columns_of(columns, space).correct));
    Ok(TargetResults {
        schema: SCHEMA,
        tool: record.tool.clone(),
        label_spaces: record.label_spaces.clone(),
        pool: record.pool.clone(),
        clean: record.clean.clone(),
        ood: record.ood.clone(),
        baseline: record.baseline.clone(),
        line: record.line.clone(),
        surrogates: record.surrogates.clone(),
        images: record.pool.images,
        scored: record.pool.images - columns.lost.len() as u64,
        not_scored,
        predictions_sha256: tables_sha256(dir, &target.name, record),
        metrics: own.cloned().collect(),
        right: BTreeMap::from(LabelSpace::ALL.map(right)),
        target,
    })
}

/// Four images in each digit, the first one in the highest bit; the last digit is filled up with 0.
pub fn hexadecimal(right: &[bool]) -> String {
    let digit = |four: &[bool]| {
        let bits = four.iter().enumerate().fold(0_u32, |bits, (at, &right)| bits | u32::from(right) << (3 - at));
        char::from_digit(bits, 16).unwrap_or('0')
    };
    right.chunks(4).map(digit).collect()
}

/// The images of such digits; `None` if there are not `images` of them.
pub fn from_hexadecimal(digits: &str, images: usize) -> Option<Vec<bool>> {
    if digits.len() != images.div_ceil(4) {
        return None;
    }
    let mut right = Vec::with_capacity(images + 3);
    for digit in digits.chars() {
        let bits = digit.to_digit(16)?;
        right.extend((0..4).map(|at| bits >> (3 - at) & 1 == 1));
    }
    let has_rest = right.len() > images && right[images..].iter().any(|&bit| bit);
    right.truncate(images);
    (!has_rest).then_some(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_come_back_from_their_digits() {
        for images in 0..9 {
            let right: Vec<bool> = (0..images).map(|at| at % 3 != 1).collect();
            assert_eq!(from_hexadecimal(&hexadecimal(&right), images), Some(right));
        }
        assert_eq!(hexadecimal(&[true, false, true, true, false]), "b0");
        assert_eq!(from_hexadecimal("b1", 5), None, "an image too many");
        assert_eq!(from_hexadecimal("b", 5), None);
        assert_eq!(from_hexadecimal("bx", 5), None);
    }
}
