//! AUROC, average precision and FPR at 95 %: `parity/ood/ood.json`, made with scikit-learn and two published codes.

use std::collections::BTreeSet;

use hardset::stats::{OutOfDistribution, out_of_distribution};
use serde_json::Value;

use super::calibration::{Scores, log_sum, softmax};
use super::{Differences, folders, json, number, numbers, text};

#[test]
fn short_vectors_with_ties() {
    for folder in folders("ood") {
        // Sums of at most 61 terms.
        let mut differences = Differences::new("ood, cases", 1e-14);
        for case in json(&folder.join("ood.json"))["cases"].as_array().expect("a list") {
            let ours = out_of_distribution(&numbers(&case["in"]), &numbers(&case["out"])).expect("both sides");
            hold(&ours, case, &mut differences);
        }
    }
}

/// All scores of all models on the splits of the file; the scores are those of `parity/calibration`.
#[test]
fn real_splits_of_photographs() {
    let Some(folder) = super::common::test_data("parity/ood") else { return };
    let file = json(&folder.join("ood.json"));
    let mut differences = Differences::new("ood, photographs", 1e-10);
    for (model, splits) in file["models"].as_object().expect("an object") {
        let scores = Scores::read(&folder.with_file_name("calibration"), model);
        for (split, figures) in splits.as_object().expect("an object") {
            let (name, masked) = split.strip_suffix("_unmasked").map_or((split.as_str(), true), |name| (name, false));
            let classes = file["splits"][name]["classes"].as_array().expect("a list").iter();
            let classes: BTreeSet<usize> = classes.map(|class| super::count(class) as usize).collect();
            for (score, expected) in figures.as_object().expect("an object") {
                let value = |image: &usize| score_of(score, &scores, *image, masked.then_some(&classes));
                let images = 0..scores.labels.len();
                let (inside, outside): (Vec<usize>, Vec<usize>) =
                    images.partition(|&image| classes.contains(&scores.labels[image]));
                let [inside, outside] = [inside, outside].map(|side| side.iter().map(value).collect::<Vec<f64>>());
                let ours = out_of_distribution(&inside, &outside).expect("both sides");
                hold(&ours, expected, &mut differences);
            }
        }
    }
}

fn score_of(name: &str, scores: &Scores, image: usize, classes: Option<&BTreeSet<usize>>) -> f64 {
    let row = scores.row(image);
    let kept: Vec<f64> = match classes {
        Some(classes) => classes.iter().map(|&class| row[class]).collect(),
        None => row.to_vec(),
    };
    let largest = kept.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut probs = if scores.are_logits { softmax(&kept) } else { shares(&kept) };
    match name {
        "max_softmax" => probs.iter().copied().fold(0.0, f64::max),
        "max_logit" => largest,
        "negative_energy" => log_sum(&kept),
        "negative_entropy" => probs.iter().filter(|p| **p > 0.0).map(|p| p * p.ln()).sum(),
        "margin" => {
            probs.sort_by(|a, b| b.total_cmp(a));
            probs[0] - probs[1]
        }
        other => panic!("{other} is a new score; compute it or say why not"),
    }
}

fn shares(values: &[f64]) -> Vec<f64> {
    let sum: f64 = values.iter().sum();
    values.iter().map(|value| value / sum).collect()
}

fn hold(ours: &OutOfDistribution, expected: &Value, differences: &mut Differences) {
    for (name, figure) in [
        ("auroc", ours.auroc),
        ("aupr_in", ours.aupr_in),
        ("aupr_out", ours.aupr_out),
        ("fpr95_in_positive", ours.in_positive.rate),
        ("threshold95_in_positive", ours.in_positive.threshold),
        ("fpr95_out_positive", ours.out_positive.rate),
        ("detection_error", ours.detection_error),
    ] {
        differences.hold(name, figure, number(&expected[name]));
    }
    let (exposure, cnc) = (&expected["outlier_exposure"], &expected["cnc_ood"]);
    assert_eq!((text(&exposure["positives"]), text(&cnc["positives"])), ("out", "in"));
    differences.hold("outlier_exposure", ours.out_positive.rate_nearest_recall, number(&exposure["fpr95"]));
    differences.hold("cnc_ood", ours.in_positive.rate_nearest_recall, number(&cnc["fpr95"]));
}
