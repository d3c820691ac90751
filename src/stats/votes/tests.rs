//! Holds this module against crowd-kit's numbers in `tests/golden/votes.json`, and on cases small enough to judge by
//! eye.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::super::Interval;
use super::*;

/// One case of `tests/golden/make_votes.py`.
#[derive(Deserialize)]
struct Golden {
    name: String,
    tasks: usize,
    people: usize,
    labels: usize,
    votes: Vec<(u32, u32, u8)>,
    known: BTreeMap<u32, u8>,
    majority: Vec<Vec<f64>>,
    wawa: GoldenSkills,
    dawid_skene: GoldenFull,
    one_coin: GoldenSkills,
    alpha: f64,
    percent_agreement: f64,
    with_others: Vec<Option<f64>>,
}

#[derive(Deserialize)]
struct GoldenFull {
    probabilities: Vec<Vec<f64>>,
    confusion: Vec<Vec<Vec<f64>>>,
    iterations: u32,
}

#[derive(Deserialize)]
struct GoldenSkills {
    probabilities: Vec<Vec<f64>>,
    skills: Vec<Option<f64>>,
    iterations: Option<u32>,
}

/// Differences of sums taken in another order, and crowd-kit's lifting of what it returns to 1e-10.
const TOLERANCE: f64 = 1e-9;

/// Votes from one word for each task: a letter for each person, `a` for label 0, `.` for none.
fn votes(words: &[&str], labels: usize) -> VoteSet {
    let of = |task: u32, word: &str| -> Vec<Vote> {
        let letters = word.bytes().zip(0..).filter(|&(letter, _)| letter != b'.');
        letters.map(|(letter, person)| Vote { task, person, label: letter - b'a' }).collect()
    };
    VoteSet {
        tasks: words.len(),
        people: words.iter().map(|word| word.len()).max().unwrap_or(0),
        labels,
        votes: (0..).zip(words).flat_map(|(task, word)| of(task, word)).collect(),
    }
}

fn none_known() -> BTreeMap<u32, u8> {
    BTreeMap::new()
}

/// Compares `ours` with `theirs`, number by number; nothing may be missing on one side only.
fn check(what: &str, ours: &[Vec<f64>], theirs: &[Vec<f64>]) {
    let shape = |rows: &[Vec<f64>]| rows.iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(shape(ours), shape(theirs), "{what}");
    for (row, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
        let close = ours.iter().zip(theirs).all(|(a, b)| (a - b).abs() <= TOLERANCE);
        assert!(close, "{what}, row {row}: {ours:?} / {theirs:?}");
    }
}

fn check_skills(what: &str, ours: &[Option<f64>], theirs: &[Option<f64>]) {
    let rows = |skills: &[Option<f64>]| skills.iter().map(|skill| skill.iter().copied().collect()).collect::<Vec<_>>();
    check(what, &rows(ours), &rows(theirs));
}

fn check_case(golden: &Golden) {
    let what = |figure: &str| format!("{}: {figure}", golden.name);
    let votes = golden.votes.iter().map(|&(task, person, label)| Vote { task, person, label }).collect();
    let set = VoteSet { tasks: golden.tasks, people: golden.people, labels: golden.labels, votes };
    check(&what("majority"), &majority(&set), &golden.majority);
    let Wawa { skills, probabilities } = wawa(&set);
    check(&what("wawa"), &probabilities, &golden.wawa.probabilities);
    check_skills(&what("wawa's skills"), &skills, &golden.wawa.skills);
    let full = dawid_skene(&set, &golden.known);
    check(&what("Dawid-Skene"), &full.probabilities, &golden.dawid_skene.probabilities);
    check(&what("confusion"), &full.confusion.concat(), &golden.dawid_skene.confusion.concat());
    assert_eq!(full.iterations, golden.dawid_skene.iterations, "{}", golden.name);
    let coin = one_coin_dawid_skene(&set, &golden.known);
    check(&what("one coin"), &coin.probabilities, &golden.one_coin.probabilities);
    check_skills(&what("one coin's skills"), &coin.skills, &golden.one_coin.skills);
    assert_eq!(Some(coin.iterations), golden.one_coin.iterations, "{}", golden.name);
    let shares = [krippendorff_alpha(&set), percent_agreement(&set)];
    check_skills(&what("agreement"), &shares, &[Some(golden.alpha), Some(golden.percent_agreement)]);
    check_skills(&what("agreement with others"), &agreement_with_others(&set), &golden.with_others);
}

#[test]
fn equals_crowd_kit() {
    let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/votes.json"));
    let cases: Vec<Golden> = serde_json::from_str(text).unwrap();
    cases.iter().for_each(check_case);
    assert_eq!(cases.len(), 3);
}

#[test]
fn the_first_of_equally_probable_labels_wins_and_nothing_wins_among_zeros() {
    assert_eq!(most_probable(&[0.2, 0.4, 0.4]), Some(1));
    assert_eq!(most_probable(&[f64::NAN, 0.1]), Some(1));
    assert_eq!(most_probable(&[0.0, 0.0]), None);
    assert_eq!(most_probable(&[f64::NAN]), None);
    assert_eq!(most_probable(&[]), None);
}

#[test]
fn no_votes_give_zeros_and_nobodys_skill_but_what_is_known_stands() {
    for labels in [0, 1, 3] {
        let set = VoteSet { tasks: 2, people: 1, labels, votes: Vec::new() };
        let zeros = vec![vec![0.0; labels]; 2];
        assert_eq!(majority(&set), zeros);
        assert_eq!(wawa(&set), Wawa { skills: vec![None], probabilities: zeros.clone() });
        assert_eq!(dawid_skene(&set, &none_known()).probabilities, zeros);
        assert_eq!(one_coin_dawid_skene(&set, &none_known()).skills, [None]);
        assert_eq!((krippendorff_alpha(&set), percent_agreement(&set)), (None, None));
        assert_eq!((alpha_interval(&set, 0, 10), agreement_with_others(&set)), (None, vec![None]));
    }
    let set = VoteSet { tasks: 2, people: 1, labels: 2, votes: Vec::new() };
    assert_eq!(dawid_skene(&set, &BTreeMap::from([(1, 1), (9, 0)])).probabilities, [[0.0, 0.0], [0.0, 1.0]]);
}

#[test]
fn a_unanimous_crowd_is_believed_and_leaves_alpha_undefined() {
    let set = votes(&["bbb", "bb.", "b.b"], 3);
    let certain = vec![vec![0.0, 1.0, 0.0]; 3];
    assert_eq!(dawid_skene(&set, &none_known()).probabilities, certain);
    assert_eq!(one_coin_dawid_skene(&set, &none_known()).probabilities, certain);
    assert_eq!((krippendorff_alpha(&set), percent_agreement(&set)), (None, Some(1.0)));
    assert_eq!(krippendorff_alpha(&votes(&["aaa", "bb."], 2)), Some(1.0));
}

#[test]
fn an_adversary_gets_a_low_skill() {
    let set = votes(&["aaab", "bbba", "aaab", "abab", "bbba", "bbaa"], 2);
    assert_eq!(wawa(&set).skills[3], Some(1.0 / 6.0));
    assert!(one_coin_dawid_skene(&set, &none_known()).skills[3].unwrap() < 0.2);
    assert!(agreement_with_others(&set)[3].unwrap() < agreement_with_others(&set)[0].unwrap());
    let confusion = &dawid_skene(&set, &none_known()).confusion[3];
    assert!(confusion[1][0] > 0.7 && confusion[0][1] > 0.7, "{confusion:?}");
}

#[test]
fn known_labels_turn_a_persons_confusion() {
    let set = votes(&["aab", "aab", "bba", "bba", "ab.", "ba."], 2);
    let trusted = dawid_skene(&set, &none_known());
    let held = dawid_skene(&set, &BTreeMap::from([(0, 1), (1, 1), (2, 0), (3, 0)]));
    assert!(trusted.confusion[2][0][0] < 0.1 && held.confusion[2][0][0] > 0.9);
    assert_eq!(held.probabilities[0], [0.0, 1.0]);
}

#[test]
fn a_known_label_that_nobody_gives_is_taken_in() {
    let held = dawid_skene(&votes(&["aa", "bb", "ab"], 4), &BTreeMap::from([(0, 3)]));
    assert_eq!(held.probabilities[0], [0.0, 0.0, 0.0, 1.0]);
    assert!(held.probabilities.iter().all(|row| row[2] == 0.0 && (row.iter().sum::<f64>() - 1.0).abs() < 1e-12));
}

#[test]
fn the_interval_depends_on_its_seed_alone_and_narrows_with_more_tasks() {
    let few = ["aab", "bbb", "aaa", "aba", "bbb", "abb", "aaa", "bab"];
    let width = |interval: Interval| interval.high - interval.low;
    let interval = |copies: usize, seed| alpha_interval(&votes(&few.repeat(copies), 2), seed, 400).unwrap();
    assert_eq!(interval(1, 7), interval(1, 7));
    assert_ne!(interval(1, 7), interval(1, 8));
    assert!(width(interval(16, 7)) < 0.4 * width(interval(1, 7)));
    let Interval { value, low, high } = interval(16, 7);
    assert!(low < value && value < high);
}
