//! Lines, rho and tau of the testbed: `parity/testbed`, made with the testbed's own code.

use std::collections::BTreeMap;

use hardset::config::{SHIFTS, Shift, StandardModels, standard_models};
use hardset::stats::{self, CleanAndShift, LogitFit, LogitLine};
use serde_json::Value;

use super::{Differences, count, folders, json, number, rows, text};

/// The table of a folder; the committed one is built into the program.
fn table(folder: &std::path::Path) -> StandardModels {
    let file = folder.join("accuracies.csv");
    standard_models(file.is_file().then_some(file.as_path())).expect("the table is valid")
}

fn fit(table: &StandardModels, shift: &Shift) -> LogitFit {
    let points = table.points(shift.standard, shift.shift).expect("the columns are there");
    let in_fit = points.iter().filter(|point| point.in_fit);
    let models: Vec<_> = in_fit.map(|point| CleanAndShift { clean: point.clean, shift: point.shift }).collect();
    stats::standard_fit(&models).expect("there are enough standard models")
}

#[test]
fn lines_equal_the_testbeds() {
    for folder in folders("testbed") {
        let (table, file) = (table(&folder), json(&folder.join("fits.json")));
        // The reference reads accuracies as f32, of which the table has all nine digits.
        let mut differences = Differences::new("testbed, lines", 1e-6);
        for shift in &SHIFTS {
            let expected = &file["shifts"][shift.name];
            assert_eq!((text(&expected["standard"]), text(&expected["shift"])), (shift.standard, shift.shift));
            let sizes = [count(&expected["n_standard"]), count(&expected["n_shift"])];
            assert_eq!(sizes, [shift.n_standard, shift.n_shift], "{}", shift.name);
            let points = table.points(shift.standard, shift.shift).expect("the columns are there");
            assert_eq!(points.len() as u64, count(&expected["models"]), "{}", shift.name);
            let (ours, expected) = (fit(&table, shift), &expected["fits"]["all-standard"]);
            let pivot = match &ours {
                LogitFit::One(_) => None,
                LogitFit::Two { pivot, .. } => Some(pivot * 100.0),
            };
            differences.hold_maybe("pivot", pivot, &expected["pivot"]);
            let (lines, theirs) = (ours.lines(), expected["lines"].as_array().expect("a list"));
            assert_eq!(lines.len(), theirs.len(), "{}", shift.name);
            for (line, theirs) in lines.iter().zip(theirs) {
                hold_line(line, theirs, &mut differences);
            }
        }
    }
}

fn hold_line(line: &LogitLine, theirs: &Value, differences: &mut Differences) {
    assert_eq!(line.n as u64, count(&theirs["n"]));
    differences.hold("slope", line.slope, number(&theirs["slope"]));
    differences.hold("intercept", line.intercept, number(&theirs["intercept"]));
    differences.hold_maybe("r", line.r, &theirs["r"]);
    differences.hold_maybe("slope_stderr", line.slope_stderr, &theirs["slope_stderr"]);
}

/// rho of every model under every shift, and the interval of its accuracy. In percentage points, as the file has them.
#[test]
fn rho_equals_the_testbeds_for_every_model_and_shift() {
    for folder in folders("testbed") {
        let table = table(&folder);
        let fits: BTreeMap<&str, LogitFit> = SHIFTS.iter().map(|shift| (shift.name, fit(&table, shift))).collect();
        // The file has nine digits of percent.
        let mut differences = Differences::new("testbed, rho", 1e-6);
        let rows = rows(&folder.join("rho.csv"), b',');
        for row in &rows {
            let shift = SHIFTS.iter().find(|shift| shift.name == row["shift"]).expect("a known shift");
            let model = table.models.iter().find(|model| model.model == row["model"]).expect("a known model");
            let [clean, accuracy] = [shift.standard, shift.shift].map(|setting| model.accuracies[setting]);
            let rho = fits[shift.name].rho(CleanAndShift { clean, shift: accuracy });
            let read = |name: &str| row[name].parse::<f64>().expect("a number");
            let what = format!("rho of {} on {}", row["model"], row["shift"]);
            differences.hold(&what, rho.expect("a finite logit") * 100.0, read("rho"));
            differences.hold("fitted", fits[shift.name].fitted(clean).expect("a finite logit") * 100.0, read("fitted"));
            for (alpha, low, high) in [(0.05, "cp95_low", "cp95_high"), (0.005, "cp995_low", "cp995_high")] {
                if !row.contains_key(low) {
                    continue;
                }
                let right = (accuracy * shift.n_shift as f64).round();
                let interval = stats::clopper_pearson(right, shift.n_shift as f64, alpha).expect("there are images");
                differences.hold(low, interval.low * 100.0, read(low));
                differences.hold(high, interval.high * 100.0, read(high));
            }
        }
        assert!(rows.len() >= 1_669, "{} rows", rows.len());
    }
}

#[test]
fn tau_equals_the_testbeds() {
    for folder in folders("testbed") {
        let table = table(&folder);
        let mut differences = Differences::new("testbed, tau", 1e-6);
        for row in rows(&folder.join("tau.csv"), b',') {
            let shift = SHIFTS.iter().find(|shift| shift.name == row["shift"]).expect("a known shift");
            let accuracy = |name: &str| {
                let model = table.models.iter().find(|model| model.model == row[name]).expect("a known model");
                model.accuracies[shift.shift]
            };
            let tau = stats::tau(accuracy("model"), accuracy("baseline")) * 100.0;
            differences.hold(&row["model"], tau, row["tau"].parse().expect("a number"));
        }
    }
}
