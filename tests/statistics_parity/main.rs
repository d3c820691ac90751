//! Holds the figures of an evaluation against published codes: agreement and tests, clusters, calibration,
//! out-of-distribution, robustness, two-choice questions. Each file is one subject.
//!
//! Every test reads `tests/golden/statistics/`, which is committed, and the whole references in
//! `$HARDSET_TEST_DATA/parity` or `../shared/data/parity`; where those are absent a test says so on stderr, and fails
//! if `HARDSET_TEST_ALL` is set. Each prints how many figures it compared and the largest difference.

#[path = "../common/mod.rs"]
mod common;

mod agreement;
mod calibration;
mod clusters;
mod distributions;
mod ood;
mod perturbations;
mod robustness;
mod simulations;
mod testbed;
mod two_choice;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The folders of references of a subject: the committed one, and the whole one if it is there.
#[track_caller]
fn folders(subject: &str) -> Vec<PathBuf> {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/statistics").join(subject);
    [Some(committed), common::test_data(&format!("parity/{subject}"))].into_iter().flatten().collect()
}

fn json(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).expect("it is JSON")
}

fn rows(path: &Path, delimiter: u8) -> Vec<std::collections::BTreeMap<String, String>> {
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_path(path).expect("it is readable");
    reader.deserialize().map(|row| row.expect("a row has the header's columns")).collect()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is not a number"))
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(number).collect()
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is not a count"))
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

/// How far figures are from their references.
struct Differences {
    subject: String,
    tolerance: f64,
    figures: usize,
    largest: f64,
    of: String,
}

impl Differences {
    fn new(subject: impl ToString, tolerance: f64) -> Self {
        Self { subject: subject.to_string(), tolerance, figures: 0, largest: 0.0, of: String::new() }
    }

    /// Holds one figure, by its absolute difference.
    #[track_caller]
    fn hold(&mut self, what: &str, ours: f64, theirs: f64) {
        self.add(what, [ours, theirs], (ours - theirs).abs());
    }

    /// Holds one figure, by its difference as a share of the reference: for p-values, which span many powers.
    #[track_caller]
    fn hold_relative(&mut self, what: &str, ours: f64, theirs: f64) {
        self.add(what, [ours, theirs], if ours == theirs { 0.0 } else { (ours / theirs - 1.0).abs() });
    }

    /// Holds a figure that may be missing, on both sides or on none.
    #[track_caller]
    fn hold_maybe(&mut self, what: &str, ours: Option<f64>, theirs: &Value) {
        match (ours, theirs.as_f64()) {
            (Some(ours), Some(theirs)) => self.hold(what, ours, theirs),
            (None, None) => self.figures += 1,
            _ => panic!("{}, {what}: {ours:?} / {theirs}", self.subject),
        }
    }

    #[track_caller]
    fn add(&mut self, what: &str, [ours, theirs]: [f64; 2], difference: f64) {
        self.figures += 1;
        assert!(difference <= self.tolerance, "{}, {what}: {ours} / {theirs}", self.subject);
        if difference > self.largest {
            (self.largest, self.of) = (difference, what.to_owned());
        }
    }
}

impl Drop for Differences {
    fn drop(&mut self) {
        eprintln!("{}: {} figures, largest difference {:.1e} ({})", self.subject, self.figures, self.largest, self.of);
    }
}
