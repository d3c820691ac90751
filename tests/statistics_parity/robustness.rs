//! Mean corruption errors of nine models: `parity/robustness/mce.json`.

use hardset::stats::{self, CorruptionErrors, CorruptionRow};
use serde_json::Value;

use super::{Differences, folders, json, number, numbers, rows, text};

/// Errors of one model on some corruptions.
fn errors(folder: &std::path::Path, model: &str, corruptions: &[String], clean: Option<f64>) -> CorruptionErrors {
    let mut found = Vec::new();
    let all = rows(&folder.join("corruption-errors.csv"), b',');
    for corruption in corruptions {
        let row = all.iter().find(|row| row["model"] == model && row["corruption"] == *corruption);
        let row = row.unwrap_or_else(|| panic!("{model} has no {corruption}"));
        for severity in 1..=5_u32 {
            let error = row[&format!("e{severity}")].parse().expect("a number");
            found.push(CorruptionRow { corruption: corruption.clone(), severity, error });
        }
    }
    CorruptionErrors { clean, rows: found }
}

fn authors_alexnet(file: &Value) -> CorruptionErrors {
    let mut found = Vec::new();
    for (corruption, of) in file["alexnet_errors_authors"].as_object().expect("an object") {
        for (severity, error) in (1..).zip(numbers(of)) {
            found.push(CorruptionRow { corruption: corruption.clone(), severity, error });
        }
    }
    CorruptionErrors { clean: file["alexnet_clean_error"].as_f64(), rows: found }
}

fn names(value: &Value) -> Vec<String> {
    value.as_array().expect("a list").iter().map(|name| text(name).to_owned()).collect()
}

#[test]
fn corruption_errors_equal_the_reference() {
    for folder in folders("robustness") {
        let file = json(&folder.join("mce.json"));
        let (corruptions, extra) = (names(&file["corruptions"]), names(&file["extra"]));
        let models = file["models"].as_object().expect("an object");
        // The file's errors are f32 in one place and their nine digits in the table.
        let mut differences = Differences::new("corruptions", 1e-8);
        let clean = file["models"]["alexnet"]["clean_error"].as_f64();
        let testbed = |names: &[String]| errors(&folder, "alexnet", names, clean);
        for (model, expected) in models {
            let clean = Some(number(&expected["clean_error"]));
            let ours = errors(&folder, model, &corruptions, clean);
            let at = stats::mean_corruption_error(&ours, Some(&testbed(&corruptions))).expect("both have all rows");
            differences.hold("mce_testbed_alexnet", at.mce, number(&expected["mce_testbed_alexnet"]));
            differences.hold_maybe("relative_mce", at.relative_mce, &expected["relative_mce"]);
            for figures in &at.by_corruption {
                let theirs = &expected["relative_ce"][&figures.corruption];
                differences.hold_maybe("relative_ce", figures.relative_ce, theirs);
                let theirs = &expected["ce_testbed_alexnet"][&figures.corruption];
                differences.hold(&figures.corruption, figures.ce, number(theirs));
            }
            let all = errors(&folder, model, &extra, None);
            let at = stats::mean_corruption_error(&all, Some(&testbed(&extra))).expect("both have all rows");
            differences.hold("mce_extra", at.mce, number(&expected["mce_extra_testbed_alexnet"]));
            hold_relative(&ours, &file, expected, &mut differences);
        }
    }
}

/// Relative errors against both AlexNets, and the mean errors that augmix's code has for the authors'.
fn hold_relative(ours: &CorruptionErrors, file: &Value, expected: &Value, differences: &mut Differences) {
    let at = stats::mean_corruption_error(ours, Some(&authors_alexnet(file))).expect("both have all rows");
    let name = "relative_mce_authors_alexnet";
    differences.hold_maybe(name, at.relative_mce, &expected[name]);
    let mean = |corruption: &str| {
        let of = ours.rows.iter().filter(|row| row.corruption == corruption).map(|row| row.error);
        of.sum::<f64>() / 5.0
    };
    let constants = numbers(&file["alexnet_mean_errors_augmix"]);
    let corruptions = names(&file["corruptions"]);
    let rows = |value: &dyn Fn(usize) -> f64| {
        let mut rows = Vec::new();
        for (at, corruption) in corruptions.iter().enumerate() {
            rows.push(CorruptionRow { corruption: corruption.clone(), severity: 0, error: value(at) });
        }
        CorruptionErrors { clean: None, rows }
    };
    let (means, theirs) = (rows(&|at| mean(&corruptions[at])), rows(&|at| constants[at]));
    let at = stats::mean_corruption_error(&means, Some(&theirs)).expect("both have all rows");
    differences.hold("mce_augmix_code", at.mce, number(&expected["mce_augmix_code"]));
}
