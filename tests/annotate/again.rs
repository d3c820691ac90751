//! Mining again and exporting again: which images are on which sheets, and why there is nothing more to ask.

use std::collections::{BTreeMap, BTreeSet};

use hardset::domain::{Answer, Task, TaskImage};
use serde_json::json;

use crate::common::Hardset;
use crate::people::right;
use crate::runs::{QUESTIONS, mined, tasks};

/// The items that people are asked to judge on the sheets of a round.
fn judged(hardset: &Hardset, round: usize) -> BTreeSet<u32> {
    tasks(&hardset.path("run"), round).iter().filter_map(Task::judged).map(|item| item.0).collect()
}

/// A run whose first round is of the strictest mining, and which was then mined by a looser rule.
fn mined_twice() -> Hardset {
    let hardset = mined(2, "people_per_batch = 1");
    hardset.line("mine run --rule all --surrogates fake-a,fake-b").ok();
    hardset.line("annotate export run --to csv --out first").ok();
    hardset.line("mine run --rule at-least=1").ok();
    hardset
}

#[test]
fn an_export_after_another_mining_says_where_the_other_images_are_and_how_to_get_them() {
    let hardset = mined_twice();
    let said = hardset.line("annotate export run --to csv --out second --format json").ok().json();
    let (first, second) = (judged(&hardset, 0), judged(&hardset, 1));
    assert!(first.is_disjoint(&second) && !first.is_empty() && !second.is_empty());
    assert_eq!((&said["round"], &said["others"]), (&json!(2), &json!([{ "round": 1, "images": first.len() }])));
    let text = hardset.line("annotate export run --to csv --out third").ok();
    let others = format!("other hard images are on sheets of other rounds: {} on those of round 1", first.len());
    assert!(
        text.stdout.contains(&others) && text.stdout.contains("annotate export run --round 1 --to csv"),
        "{text:?}"
    );
    // What it says works, and gives the sheets that were given out then.
    let again = hardset.line("annotate export run --round 1 --to csv --out first-again --format json").ok().json();
    assert_eq!((&again["round"], &again["others"]), (&json!(1), &json!([{ "round": 2, "images": second.len() }])));
    let read = |folder: &str| std::fs::read(hardset.path(folder).join("tasks.csv")).expect("there");
    assert_eq!(read("first"), read("first-again"));
    hardset.line("annotate export run --round 3 --to csv --out no").refused(2, &["no round 3", "it has 2", "--round"]);
    hardset.line("annotate export run --round 1 --missing --to csv --out no").refused(2, &["cannot be used with"]);
}

#[test]
fn a_mining_says_what_it_has_from_the_last_one() {
    let hardset = mined(1, "people_per_batch = 1");
    hardset.line("mine run --surrogates fake-a,fake-b --rule all --max-true-prob 0.9").ok();
    let said = hardset.line("mine run --max-margin -0.1").ok();
    let line = "as in the last mining: --surrogates fake-a,fake-b (2 of the 3 of this run), --rule all, --label-space";
    assert!(said.stderr.contains(line) && said.stderr.contains("--max-true-prob 0.9"), "{}", said.stderr);
    assert!(!said.stdout.contains("as in the last mining"), "{}", said.stdout);
    let kept = hardset.line("mine run --rule at-least=1 --near-tie 0.02 --format json").ok().json()["kept"].clone();
    let keys: Vec<&str> = kept.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(keys, ["label_space", "max_margin", "max_true_prob", "surrogates"]);
    assert_eq!((&kept["surrogates"], &kept["max_margin"]), (&json!(["fake-a", "fake-b"]), &json!(-0.1)));
    let all = "mine run --surrogates fake-a --rule all --label-space masked --max-true-prob 1 --max-margin 0 \
               --near-tie 0.01";
    let said = hardset.line(all).ok();
    assert!(!said.stderr.contains("as in the last mining"), "{}", said.stderr);
}

/// Answers of a person to every sheet of the first round.
fn answers(hardset: &Hardset, person: &str) -> String {
    let line = |task: &Task, question: &str| {
        let answer: Answer = right(task, question);
        json!({ "person": person, "task": task.name, "question": question, "answer": answer.name() }).to_string() + "\n"
    };
    let tasks = tasks(&hardset.path("run"), 0);
    tasks.iter().flat_map(|task| QUESTIONS.map(|question| line(task, question))).collect()
}

#[test]
fn without_a_missing_vote_the_reason_is_said() {
    let hardset = mined_twice();
    let missing = "annotate export run --missing --to csv --out more";
    let images = judged(&hardset, 0).len();
    let why = |texts: &[&str]| {
        let said = hardset.line(missing).refused(2, &["no vote is missing", &format!("of {images} images on sheets")]);
        texts.iter().for_each(|text| assert!(said.stderr.contains(text), "{text}: {}", said.stderr));
        said.stderr
    };
    why(&[&format!("{images} lack votes that open sheets will bring"), "no answer was collected yet"]);
    hardset.write("a.jsonl", answers(&hardset, "ada"));
    hardset.line("annotate collect run a.jsonl").ok();
    let said = why(&[&format!("{images} have enough votes")]);
    assert!(!said.contains("open sheets") && !said.contains("not hard"), "{said}");
    // More people than before: all lack votes, and the current mining finds none of them hard.
    hardset.line("mine run --rule all --max-true-prob 0").ok();
    let more = format!("{missing} --set annotate.people_per_batch=3");
    hardset.line(&more).refused(2, &[&format!("{images} lack votes, but are not hard by the current mining")]);
    hardset.line("annotate export run --to csv --out none").ok();
    hardset.line("mine run --rule at-least=1 --max-true-prob 1").ok();
    hardset.line(&more).ok();
    // Again: what that round will bring is waited for, and its sheets are written once more.
    let again = hardset.line(&more.replace("more", "other")).ok();
    assert!(again.stderr.contains("open sheets will bring") && again.stderr.contains("round 2 again"), "{again:?}");
    let shown: BTreeMap<TaskImage, usize> =
        tasks(&hardset.path("run"), 1).into_iter().map(|task| (task.image, 1)).collect();
    assert!(shown.len() >= images);
}
