//! One record and one list of figures out of several results.
//!
//! Holds always: the order in which files are given leaves no trace; a figure that speaks of something beside the pool
//! stays only where all files speak of the same.

use std::collections::{BTreeMap, BTreeSet};

use super::read::Given;
use crate::domain::{EvaluationRecord, Figure, LabelSpace, TargetResults};
use crate::stage::evaluate::MARGIN;
use crate::stage::prepare::TOOL;
use crate::store::EVALUATION_FORMAT;

/// Metrics that are made again from the outcomes, or that no file may say.
const OWN: [&str; 6] =
    ["accuracy", "accuracy_objects", "tier", "smallest_difference", "accuracy_of_surrogate", "relative_robustness"];
/// Metrics against a clean twin.
const CLEAN: [&str; 5] = ["clean_accuracy", "clean_scored", "drop", "clean_nll", "clean_nll_at_temperature"];
/// Metrics at a temperature that was fitted on a clean twin.
const TEMPERED: [&str; 4] =
    ["temperature", "nll_at_temperature", "rms_calibration_at_temperature", "ece15_at_temperature"];
/// Metrics against a baseline.
const BASELINE: [&str; 3] = ["mce", "relative_mce", "ce"];

/// The record of the leaderboard.
pub fn record(given: &[Given]) -> EvaluationRecord {
    let first = &given[0].results;
    let mut surrogates = BTreeMap::new();
    for results in given.iter().map(|given| &given.results) {
        for surrogate in &results.surrogates {
            surrogates.insert((surrogate.name.clone(), surrogate.weights_sha256), surrogate.clone());
        }
    }
    EvaluationRecord {
        format: EVALUATION_FORMAT,
        tool: TOOL.to_owned(),
        seed: 0,
        label_spaces: spaces(given),
        margin: MARGIN,
        baseline: None,
        line: None,
        keep_logits: false,
        gallery: 0,
        pool: first.pool.clone(),
        clean: first.clean.clone().filter(|clean| given.iter().all(|one| one.results.clean.as_ref() == Some(clean))),
        ood: None,
        answers: Vec::new(),
        tables: BTreeMap::new(),
        targets: given.iter().map(|given| given.results.target.clone()).collect(),
        surrogates: surrogates.into_values().collect(),
    }
}

/// Both label spaces, first the one that most files order by.
fn spaces(given: &[Given]) -> Vec<LabelSpace> {
    let masked = LabelSpace::Masked;
    let by_masked = given.iter().filter(|given| given.results.label_spaces.first() == Some(&masked)).count();
    let (any, masked) = (LabelSpace::AnyOfIds, LabelSpace::Masked);
    if 2 * by_masked > given.len() { vec![masked, any] } else { vec![any, masked] }
}

/// The figures of the files that can stand side by side; `note` is told what is left out.
pub fn kept(given: &[Given], note: impl Fn(&str)) -> Vec<Figure> {
    let differs = |what: fn(&TargetResults) -> String| {
        given.iter().map(|given| what(&given.results)).collect::<BTreeSet<String>>().len() > 1
    };
    let clean = differs(|results| format!("{:?}", results.clean.as_ref().map(|clean| clean.images_sha256)));
    let ood = differs(|results| format!("{:?}", results.ood.as_ref().map(|ood| ood.images_sha256)));
    let line = differs(|results| format!("{:?}", results.line));
    let baseline = differs(|results| format!("{:?}", results.baseline));
    let is_left = |metric: &str| {
        OWN.contains(&metric)
            || (clean && (CLEAN.contains(&metric) || TEMPERED.contains(&metric)))
            || ((clean || line) && metric == "effective_robustness")
            || (ood && metric.starts_with("ood_"))
            || (baseline && BASELINE.contains(&metric))
    };
    for (differs, what) in
        [(clean, "clean twin"), (ood, "images outside"), (line, "line of standard models"), (baseline, "baseline")]
    {
        if differs {
            note(&format!("the results do not have the same {what}, so figures against it are left out"));
        }
    }
    let mut figures = Vec::new();
    for given in given {
        let mut seen = BTreeSet::new();
        for figure in &given.results.metrics {
            let Figure { space, metric, group_by, group, .. } = figure;
            if !is_left(metric) && seen.insert((space, metric, group_by, group)) {
                figures.push(Figure { target: given.results.target.name.clone(), ..figure.clone() });
            }
        }
    }
    figures
}
