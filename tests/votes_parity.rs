//! Holds the statistics over votes against crowd-kit on 750 votes of twenty made-up people.
//!
//! They are looked for in `$HARDSET_TEST_DATA` or `../shared/data`; where they are absent the test says so on stderr
//! and checks nothing. The smaller golden votes of `tests/golden/` are checked beside the code, always.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use common::test_data;
use hardset::stats::{self, Vote, VoteSet};
use serde::Deserialize;

/// `parity/votes/crowdkit.json`: labels and their probabilities by task, skills by person.
#[derive(Deserialize)]
struct Expected {
    majority_vote: BTreeMap<String, String>,
    majority_vote_p: Table,
    dawid_skene: BTreeMap<String, String>,
    dawid_skene_p: Table,
    one_coin_dawid_skene: BTreeMap<String, String>,
    one_coin_dawid_skene_p: Table,
    wawa_skills: BTreeMap<String, f64>,
    krippendorff_alpha_nominal: f64,
    pairwise_percent_agreement: f64,
}

type Table = BTreeMap<String, BTreeMap<String, f64>>;

/// In the order of crowd-kit's columns in that file, which is how it resolves ties.
const LABELS: [&str; 3] = ["yes", "no", "not_sure"];

/// The file gives six decimals.
const ROUNDED: f64 = 5.1e-7;

/// The votes with the names behind their indices, in alphabetical order; the labels are [`LABELS`].
struct Named {
    set: VoteSet,
    tasks: Vec<String>,
    people: Vec<String>,
}

fn read_votes(path: &Path) -> Named {
    let mut reader = csv::Reader::from_path(path).expect("votes.csv is readable");
    let rows: Vec<[String; 3]> = reader.deserialize().map(|row| row.expect("task, worker, label")).collect();
    let [tasks, people] = [0, 1].map(|column| names(&rows, column));
    let place = |names: &[String], name: &String| names.binary_search(name).expect("every name is listed") as u32;
    let label = |name: &String| LABELS.iter().position(|label| label == name).expect("one of three labels") as u8;
    let vote = |[task, person, answer]: &[String; 3]| Vote {
        task: place(&tasks, task),
        person: place(&people, person),
        label: label(answer),
    };
    let votes = rows.iter().map(vote).collect();
    let set = VoteSet { tasks: tasks.len(), people: people.len(), labels: LABELS.len(), votes };
    Named { set, tasks, people }
}

fn names(rows: &[[String; 3]], column: usize) -> Vec<String> {
    rows.iter().map(|row| row[column].clone()).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Holds probabilities, and the labels that they make most probable, against crowd-kit's.
fn check(what: &str, named: &Named, ours: &[Vec<f64>], probabilities: &Table, labels: &BTreeMap<String, String>) {
    let mut largest: f64 = 0.0;
    for (task, row) in named.tasks.iter().zip(ours) {
        for (label, probability) in LABELS.into_iter().zip(row) {
            largest = largest.max((probability - probabilities[task][label]).abs());
        }
        let label = stats::most_probable(row).map(|label| LABELS[label]);
        assert_eq!(label, labels.get(task).map(String::as_str), "{what}, {task}: {row:?}");
    }
    eprintln!("{what}: largest difference {largest:.1e}");
    assert!(largest <= ROUNDED, "{what}: {largest}");
}

fn check_number(what: &str, ours: Option<f64>, theirs: f64, tolerance: f64) {
    let difference = (ours.expect(what) - theirs).abs();
    eprintln!("{what}: difference {difference:.1e}");
    assert!(difference <= tolerance, "{what}: {ours:?} / {theirs}");
}

#[test]
fn labels_probabilities_and_reliability_equal_crowd_kit() {
    let Some(folder) = test_data("parity/votes") else { return };
    let named = read_votes(&folder.join("votes.csv"));
    let text = fs::read_to_string(folder.join("crowdkit.json")).expect("crowdkit.json is readable");
    let expected: Expected = serde_json::from_str(&text).expect("crowdkit.json has its fields");
    let (set, known) = (&named.set, BTreeMap::new());
    check("majority", &named, &stats::majority(set), &expected.majority_vote_p, &expected.majority_vote);
    let full = stats::dawid_skene(set, &known).probabilities;
    check("Dawid-Skene", &named, &full, &expected.dawid_skene_p, &expected.dawid_skene);
    let coin = stats::one_coin_dawid_skene(set, &known).probabilities;
    check("one coin", &named, &coin, &expected.one_coin_dawid_skene_p, &expected.one_coin_dawid_skene);
    for (person, skill) in named.people.iter().zip(stats::wawa(set).skills) {
        check_number(person, skill, expected.wawa_skills[person], ROUNDED);
    }
    check_number("alpha", stats::krippendorff_alpha(set), expected.krippendorff_alpha_nominal, 1e-12);
    check_number("equal pairs", stats::percent_agreement(set), expected.pairwise_percent_agreement, 1e-12);
}
