//! Cluster-robust variances and intervals of a real run: `parity/agreement/nuisance.json`, made with statsmodels.

use std::collections::BTreeMap;

use hardset::stats::{ClusterDesign, ClusterVariances};
use serde_json::Value;

use super::agreement::{hold_proportion, text_is_one};
use super::{Differences, folders, json, numbers, rows};

/// The outcomes of a run, and what its images are of.
struct Run {
    outcomes: BTreeMap<String, Vec<f64>>,
    design: ClusterDesign,
}

fn run(folder: &std::path::Path, models: &[String]) -> Run {
    let rows = rows(&folder.join("nuisance.csv"), b',');
    let numbered = |key: &dyn Fn(&BTreeMap<String, String>) -> String| {
        let mut known: BTreeMap<String, u32> = BTreeMap::new();
        let number = |row| {
            let next = known.len() as u32;
            *known.entry(key(row)).or_insert(next)
        };
        rows.iter().map(number).collect::<Vec<u32>>()
    };
    let categories = numbered(&|row| row["category"].clone());
    let nuisances = numbered(&|row| format!("{}/{}", row["nuisance_kind"], row["nuisance"]));
    let right = |model: &String| rows.iter().map(|row| f64::from(u8::from(text_is_one(&row[model])))).collect();
    let outcomes = models.iter().map(|model| (model.clone(), right(model))).collect();
    Run { outcomes, design: ClusterDesign::new(&categories, Some(&nuisances)) }
}

#[test]
fn variances_by_clusters_equal_statsmodels() {
    for folder in folders("agreement") {
        let file = json(&folder.join("nuisance.json"));
        let models: Vec<String> = file["models"].as_object().expect("an object").keys().cloned().collect();
        let run = run(&folder, &models);
        let mut differences = Differences::new("cluster variances", 1e-12);
        // Student's quantile by bisection of another function than theirs.
        let mut intervals = Differences::new("cluster intervals", 1e-11);
        for model in &models {
            let variances = run.design.variances(&run.outcomes[model]).expect("there are images");
            hold(&file["models"][model]["clusters"], &variances, &mut differences, &mut intervals);
        }
        for (names, expected) in file["pairs"].as_object().expect("an object") {
            let (a, b) = names.split_once('|').expect("two models");
            let both = run.outcomes[a].iter().zip(&run.outcomes[b]);
            let values: Vec<f64> = both.map(|(a, b)| a - b).collect();
            let variances = run.design.variances(&values).expect("there are images");
            hold(expected, &variances, &mut differences, &mut intervals);
        }
    }
}

fn hold(expected: &Value, ours: &ClusterVariances, differences: &mut Differences, intervals: &mut Differences) {
    for (name, figure) in [
        ("mean", Some(ours.mean)),
        ("naive", Some(ours.naive)),
        ("by_category", ours.by_category),
        ("by_nuisance", ours.by_nuisance),
        ("by_pair", ours.by_pair),
        ("two_way", ours.two_way),
    ] {
        differences.hold_maybe(name, figure, &expected[name]);
    }
    for (name, figure) in [
        ("design_effect_by_category", ours.by_category),
        ("design_effect_by_nuisance", ours.by_nuisance),
        ("design_effect_two_way", ours.two_way),
    ] {
        intervals.hold_maybe(name, ours.design_effect(figure), &expected[name]);
    }
    let clusters = expected["clusters"].as_array().expect("a list").iter().map(super::count);
    assert!(clusters.eq(ours.clusters.map(|count| count as u64)), "{expected}");
    match (ours.t_interval_two_way(), expected["t_interval_two_way"].is_null()) {
        (Some(interval), false) => {
            let bounds = numbers(&expected["t_interval_two_way"]);
            intervals.hold("low", interval.low, bounds[0]);
            intervals.hold("high", interval.high, bounds[1]);
        }
        (None, true) => {}
        (ours, _) => panic!("{ours:?} / {expected}"),
    }
}

#[test]
fn proportions_of_the_run_equal_statsmodels() {
    for folder in folders("agreement") {
        let mut differences = Differences::new("intervals by kind and nuisance", 1e-12);
        for model in json(&folder.join("nuisance.json"))["models"].as_object().expect("an object").values() {
            hold_proportion(&model["all"], &mut differences);
            for groups in ["kinds", "nuisances"] {
                for group in model[groups].as_object().into_iter().flat_map(|groups| groups.values()) {
                    hold_proportion(group, &mut differences);
                }
            }
        }
    }
}
