//! Kappa, McNemar, Newcombe, the exact bootstrap, corrections, intervals by group: `parity/agreement/agreement.json`.

use hardset::stats::{self, PairCounts, PairedCounts};
use serde_json::Value;

use super::{Differences, count, folders, json, number, numbers, text};

#[test]
fn pairs_equal_statsmodels_and_model_vs_human() {
    for folder in folders("agreement") {
        let file = json(&folder.join("agreement.json"));
        // f64 on both sides: sums in another order.
        let mut exact = Differences::new("agreement", 1e-12);
        // p-values from 1e-90 up, through an incomplete beta function of other terms.
        let mut p_values = Differences::new("p-values, relative", 1e-9);
        let pairs = file["pairs"].as_array().expect("a list");
        for pair in pairs {
            hold_pair(pair, &mut exact, &mut p_values);
        }
        let raw: Vec<f64> = pairs.iter().map(|pair| number(&pair["mcnemar_exact_p"])).collect();
        let columns: [(&str, Vec<f64>); 3] = [
            ("p_holm", stats::holm(&raw)),
            ("p_fdr_bh", stats::benjamini_hochberg(&raw)),
            ("p_bonferroni", stats::bonferroni(&raw)),
        ];
        for (name, corrected) in columns {
            for (ours, pair) in corrected.into_iter().zip(pairs) {
                p_values.hold_relative(name, ours, number(&pair[name]));
            }
        }
    }
}

fn hold_pair(pair: &Value, exact: &mut Differences, p_values: &mut Differences) {
    let of = |name: &str| count(&pair[name]);
    let counts = PairedCounts {
        both_right: of("both_right"),
        only_a: of("only_a"),
        only_b: of("only_b"),
        both_wrong: of("both_wrong"),
    };
    let (right_a, right_b, n) = (counts.both_right + counts.only_a, counts.both_right + counts.only_b, counts.images());
    let alike = PairCounts {
        alike: counts.both_right + counts.both_wrong,
        both_fail: counts.both_wrong,
        same_class: of("same_wrong_class"),
    };
    let theirs = &pair["model_vs_human"];
    exact.hold_maybe("observed", alike.observed(n), &theirs["observed-consistency"]);
    exact.hold_maybe("expected", stats::expected_agreement(right_a, right_b, n), &theirs["expected-consistency"]);
    exact.hold_maybe("kappa", alike.error_consistency(right_a, right_b, n), &theirs["error-consistency"]);
    exact.hold_maybe("difference", counts.difference(), &pair["difference"]);
    for (name, interval) in [
        ("newcombe_paired_95", stats::newcombe_paired(&counts)),
        ("exact_bootstrap_95", stats::exact_paired_bootstrap(&counts)),
    ] {
        let interval = interval.expect("there are images");
        exact.hold(name, interval.low, numbers(&pair[name])[0]);
        exact.hold(name, interval.high, numbers(&pair[name])[1]);
    }
    for (name, p) in [
        ("mcnemar_exact_p", stats::mcnemar_exact(&counts)),
        ("mcnemar_mid_p", stats::mcnemar_mid_p(&counts)),
        ("mcnemar_chi2_p", stats::mcnemar_chi2(&counts)),
        ("mcnemar_chi2_corrected_p", stats::mcnemar_chi2_corrected(&counts)),
    ] {
        p_values.hold_relative(name, p, number(&pair[name]));
    }
}

/// Kappa of short outcomes, where ours is `None` at 0 / 0 and model-vs-human says 1.
#[test]
fn kappa_of_awkward_outcomes() {
    for folder in folders("agreement") {
        let mut differences = Differences::new("kappa of short outcomes", 1e-15);
        for (outcomes, theirs) in json(&folder.join("agreement.json"))["special"].as_object().expect("an object") {
            let (a, b) = outcomes.split_once(' ').expect("two models");
            let right = |of: &str| of.matches('+').count() as u64;
            let alike = a.chars().zip(b.chars()).filter(|(a, b)| a == b).count() as u64;
            let counts = PairCounts { alike, ..PairCounts::default() };
            let kappa = counts.error_consistency(right(a), right(b), a.len() as u64);
            if number(&theirs["expected-consistency"]) == 1.0 {
                assert_eq!(kappa, None, "{outcomes}");
            } else {
                differences.hold_maybe(outcomes, kappa, &theirs["error-consistency"]);
            }
        }
    }
}

#[test]
fn intervals_of_groups_equal_statsmodels() {
    for folder in folders("agreement") {
        let file = json(&folder.join("agreement.json"));
        // Quantiles of beta distributions by bisection.
        let mut differences = Differences::new("intervals by group", 1e-12);
        let groups = file["by_group"].as_object().expect("an object").values();
        let groups = groups.flat_map(|of_model| of_model.as_object().expect("an object").values());
        for group in groups.chain(file["edge_intervals"].as_object().expect("an object").values()) {
            hold_proportion(group, &mut differences);
        }
    }
}

/// Holds the intervals of one proportion, whatever their names end with (`wilson`, `wilson_95`).
pub fn hold_proportion(group: &Value, differences: &mut Differences) {
    let (right, n) = (count(&group["right"]), count(&group["n"]));
    for (name, bounds) in group.as_object().expect("an object") {
        let (right_f, n_f) = (right as f64, n as f64);
        let interval = match name.as_str() {
            "wilson" | "wilson_95" => stats::wilson(right, n),
            "clopper_pearson" | "clopper_pearson_95" => stats::clopper_pearson(right_f, n_f, 0.05),
            "clopper_pearson_99.5" => stats::clopper_pearson(right_f, n_f, 0.005),
            "jeffreys" | "jeffreys_95" => stats::jeffreys(right_f, n_f, 0.05),
            // A model's own bootstrap is that of a pair with one who is always wrong.
            "exact_bootstrap_95" => stats::exact_paired_bootstrap(&PairedCounts {
                only_a: right,
                both_wrong: n - right,
                ..PairedCounts::default()
            }),
            // Not offered: Wilson's centre with a wider interval.
            "agresti_coull_95" | "right" | "n" => continue,
            other => panic!("{other} is new; hold it or say why not"),
        };
        let interval = interval.unwrap_or_else(|| panic!("{name} of {right} of {n}"));
        differences.hold(name, interval.low, numbers(bounds)[0]);
        differences.hold(name, interval.high, numbers(bounds)[1]);
    }
}

/// From the five models' predictions of 400 photographs to counts, kappa within groups, and shares of one wrong class.
#[test]
fn predictions_of_photographs_give_the_counts_and_kappas_of_the_reference() {
    let Some(folder) = super::common::test_data("parity/agreement") else { return };
    let file = json(&folder.join("agreement.json"));
    let predictions = json(&folder.with_file_name("predictions.json"));
    let photographs = predictions["predictions"].as_object().expect("an object");
    let models: Vec<&str> = file["models"].as_array().expect("a list").iter().map(text).collect();
    let mut differences = Differences::new("predictions of photographs", 1e-12);
    let pairs = file["pairs"].as_array().expect("a list");
    let groups = ["all", "animals", "artefacts-n03", "artefacts-n04", "other"];
    for group in groups {
        let of_group = photographs.iter().filter(|(name, _)| group == "all" || group_of(name) == group);
        let images: Vec<&Value> = of_group.map(|(_, image)| image).collect();
        let top = |model: &&str| {
            let classes = images.iter().map(|image| image[*model]["top5"][0].as_i64().expect("a class") as i32);
            classes.collect::<Vec<i32>>()
        };
        let tops: Vec<Vec<i32>> = models.iter().map(top).collect();
        let classes: Vec<&[i32]> = tops.iter().map(Vec::as_slice).collect();
        let mut outcomes = stats::Outcomes::new(images.len());
        for of_model in &tops {
            let is_right = |at: usize| i64::from(of_model[at]) == images[at]["label"].as_i64().expect("a label");
            outcomes.push(&(0..images.len()).map(is_right).collect::<Vec<_>>());
        }
        for (agreement, pair) in stats::agreement_of_all(&outcomes, &classes).iter().zip(pairs) {
            let names = format!("{}|{}", models[agreement.a], models[agreement.b]);
            assert_eq!(names, format!("{}|{}", text(&pair["a"]), text(&pair["b"])));
            if group != "all" {
                differences.hold_maybe(&names, agreement.kappa, &file["kappa_within_groups"][&names][group]);
                continue;
            }
            let counts = outcomes.pair(agreement.a, agreement.b);
            assert_eq!([counts.only_a, counts.only_b], [count(&pair["only_a"]), count(&pair["only_b"])], "{names}");
            differences.hold_maybe(&names, agreement.kappa, &pair["model_vs_human"]["error-consistency"]);
            let same = count(&pair["same_wrong_class"]) as f64 / count(&pair["both_wrong"]) as f64;
            differences.hold(&names, agreement.same_wrong_class.expect("shared failures"), same);
        }
    }
}

fn group_of(file: &str) -> &'static str {
    match &file[..3] {
        "n01" | "n02" => "animals",
        "n03" => "artefacts-n03",
        "n04" => "artefacts-n04",
        _ => "other",
    }
}

/// Kappa and shares of all pairs at once equal those of each pair, on the outcomes of the five models.
#[test]
fn all_pairs_at_once_equal_each_pair() {
    for folder in folders("agreement") {
        let columns = super::rows(&folder.join("nuisance.csv"), b',');
        let models = ["quick-attention", "quick-depthwise", "quick-mixer", "quick-plain", "quick-residual"];
        let mut outcomes = stats::Outcomes::new(columns.len());
        let right = |model: &str| columns.iter().map(|row| text_is_one(&row[model])).collect::<Vec<bool>>();
        for model in models {
            outcomes.push(&right(model));
        }
        for pair in stats::agreement_of_all(&outcomes, &[]) {
            let (a, b) = (right(models[pair.a]), right(models[pair.b]));
            let alike = a.iter().zip(&b).filter(|(a, b)| a == b).count() as f64 / columns.len() as f64;
            assert_eq!(pair.observed, Some(alike), "{} and {}", models[pair.a], models[pair.b]);
        }
    }
}

pub fn text_is_one(cell: &str) -> bool {
    text(&Value::from(cell)) == "1"
}
