//! The release of a run that careful people have answered for: what they accepted, why the rest is not there, and that
//! nobody and nothing of theirs can be found in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use hardset::domain::{Answer, ItemId, Secret, Task, TaskImage, TaskKind};
use hardset::table::tasks_table;
use serde_json::json;

use crate::common::{Hardset, fake_recipe, hashes, secret_file, strings, table, unit_file};
use crate::pages::{ALSO, Release, hard_items, lists, numbers, release};

const QUESTIONS: [&str; 2] = ["recognise", "use"];
const SECRET: &str = "5e";
/// Twelve careful people, and one who says yes to everything and is set aside.
const PEOPLE: usize = 13;
const HASTY: usize = 12;
/// People are shown so many of the hard items.
const SHOWN: u32 = 32;

/// What becomes of the item at a place among those that were shown.
fn fate(place: usize) -> &'static str {
    match place % 8 {
        0 => "undecided: too few valid votes",
        1 | 2 => "rejected by people",
        _ => "accept",
    }
}

fn answer(person: usize, place: Option<usize>, kind: &TaskKind, question: &str) -> Option<Answer> {
    match (kind, place) {
        _ if person == HASTY => Some(Answer::Yes),
        (TaskKind::Negative, _) => Some(Answer::No),
        (TaskKind::Positive, _) => Some(Answer::Yes),
        // Two people alone have answered.
        (_, Some(place)) if place.is_multiple_of(8) => (person < 2).then_some(Answer::Yes),
        // No use in it, though they recognise it.
        (_, Some(place)) if place % 8 == 1 && question == "use" => Some(Answer::No),
        (_, Some(place)) if place % 8 == 2 && question == "recognise" && person != 3 => Some(Answer::No),
        (_, Some(place)) if place % 8 == 3 && person == 4 => Some(Answer::NotSure),
        _ => Some(Answer::Yes),
    }
}

/// The id under which a person signs; in another spelling every second time.
fn signed(person: usize) -> String {
    if person.is_multiple_of(2) { format!("p{person:02}@example.org") } else { format!(" P{person:02}@Example.org") }
}

/// Items that people were shown, ascending.
fn shown(tasks: &[Task]) -> Vec<u32> {
    let items = tasks.iter().filter_map(|task| match (&task.kind, &task.image) {
        (TaskKind::Candidate, TaskImage::Item(ItemId(item))) => Some(*item),
        _ => None,
    });
    items.collect::<BTreeSet<u32>>().into_iter().collect()
}

fn tasks(run: &Path) -> Vec<Task> {
    let file = |name: &str| run.join(format!("batches/00000.{name}.parquet"));
    tasks_table::decode(&unit_file(&file("tasks")), &unit_file(&file("sentinels"))).expect("the round is there")
}

/// A mined run in `run` for which people have answered.
pub fn answered() -> Hardset {
    let hardset = Hardset::new();
    let recipe = fake_recipe("judged", "images_per_category = 1", "rule = \"at-least=2\"");
    let annotate = format!(
        "[annotate]\nimage_px = 64\nmax_items = {SHOWN}\npeople_per_batch = {PEOPLE}\nsentinels.min_prob = 0.3\n"
    );
    hardset.write("recipe.toml", format!("{recipe}\n{annotate}"));
    hardset.line("build recipe.toml --run-dir run -q").ok();
    hardset.write("run/batches/secret", secret_file(&SECRET.repeat(32)));
    hardset.line("annotate export run --to csv --out sheets -q").ok();
    let tasks = tasks(&hardset.path("run"));
    let places: BTreeMap<u32, usize> = shown(&tasks).into_iter().zip(0..).collect();
    let mut answers = String::new();
    for (person, task) in (0..PEOPLE).flat_map(|person| tasks.iter().map(move |task| (person, task))) {
        let place = match &task.image {
            TaskImage::Item(ItemId(item)) => places.get(item).copied(),
            TaskImage::Known(_) => None,
        };
        for question in QUESTIONS {
            if let Some(answer) = answer(person, place, &task.kind, question) {
                let (person, answer) = (signed(person), answer.name());
                let line = json!({ "person": person, "task": task.name, "question": question, "answer": answer });
                answers += &format!("{line}\n");
            }
        }
    }
    hardset.write("answers.jsonl", answers);
    hardset.line("annotate collect run answers.jsonl -q").ok();
    hardset
}

pub fn released() -> (Hardset, Release) {
    let hardset = answered();
    hardset.line(&format!("release run --out out {ALSO} -q")).ok();
    let out = release(&hardset, "out");
    (hardset, out)
}

/// Verdicts by item, as the run has them.
fn verdicts(run: &Path) -> BTreeMap<u32, String> {
    let items = table(&run.join("verdicts/all.items.parquet"));
    numbers(&items, "item_id").into_iter().zip(strings(&items, "verdict")).collect()
}

#[test]
fn what_people_accepted_is_released_and_every_other_hard_item_has_its_reason() {
    let (hardset, out) = released();
    let run = hardset.path("run");
    let shown = shown(&tasks(&run));
    let verdicts = verdicts(&run);
    let accepted: Vec<u32> =
        verdicts.iter().filter(|(_, verdict)| *verdict == "accept").map(|(item, _)| *item).collect();
    assert_eq!(out.items(), accepted);
    let fates: BTreeMap<u32, &str> = shown.iter().enumerate().map(|(place, item)| (*item, fate(place))).collect();
    let mut reasons: BTreeMap<u32, &str> =
        hard_items(&run).into_iter().map(|item| (item, "not shown to people")).collect();
    reasons.extend(&fates);
    reasons.retain(|_, reason| *reason != "accept");
    let excluded = out.excluded();
    let said: BTreeMap<u32, &str> = excluded.iter().map(|(item, (reason, _))| (*item, reason.as_str())).collect();
    assert_eq!(said, reasons);
    assert_eq!(said.values().collect::<BTreeSet<_>>().len(), 3, "every reason was met: {said:?}");
    assert_eq!(said.len() + out.items().len(), hard_items(&run).len());
}

#[test]
fn the_card_counts_what_was_left_out_and_why() {
    let (hardset, out) = released();
    let card = out.text("README.md");
    let (images, hard) = (out.items().len(), hard_items(&hardset.path("run")).len());
    assert!(card.contains(&format!("{images} of {hard} hard images are in the release")), "{card}");
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    out.excluded().into_values().for_each(|(reason, _)| *counts.entry(reason).or_default() += 1);
    for (reason, count) in counts {
        assert!(card.contains(&format!("| {reason} | {count} |")), "{reason}: {count}\n{card}");
    }
    assert!(out.first_paragraph().starts_with("> **Verified.**"), "{}", out.first_paragraph());
    assert!(card.contains(&format!("{PEOPLE} people filled in {PEOPLE} sheets; 1 was set aside")), "{card}");
    assert_eq!(out.record()["verified"], true);
    assert!(out.json("croissant.json")["description"].as_str().is_some_and(|text| text.starts_with("Verified:")));
}

#[test]
fn every_vote_that_counts_stands_in_its_row_under_a_number_for_each_person() {
    let (hardset, out) = released();
    let rows = out.table();
    let items = table(&hardset.path("run/verdicts/all.items.parquet"));
    let place: BTreeMap<u32, usize> = numbers(&items, "item_id").into_iter().zip(0..).collect();
    assert!(strings(&rows, "verdict").iter().all(|verdict| verdict == "accept"));
    for question in QUESTIONS {
        let counts = |of: &polars::prelude::DataFrame| {
            ["yes", "no", "not_sure"].map(|answer| numbers(of, &format!("{question}_{answer}")))
        };
        let (ours, theirs) = (counts(&rows), counts(&items));
        let (answers, people) =
            (lists(&rows, &format!("{question}_answers")), lists(&rows, &format!("{question}_people")));
        for (at, item) in out.items().iter().enumerate() {
            assert_eq!(ours.each_ref().map(|votes| votes[at]), theirs.each_ref().map(|votes| votes[place[item]]));
            let listed = ["yes", "no", "not_sure"]
                .map(|answer| answers[at].iter().filter(|said| *said == answer).count() as u32);
            assert_eq!(listed, ours.each_ref().map(|votes| votes[at]), "{question} of item {item}");
            let numbers: Vec<usize> = people[at].iter().map(|person| person.parse().expect("a number")).collect();
            // Twelve of thirteen count, each once, by small numbers.
            assert_eq!(numbers, (1..PEOPLE).collect::<Vec<_>>(), "{question} of item {item}");
            assert_eq!(answers[at].len(), numbers.len());
        }
    }
    // Somebody was not sure now and then, and it is the same somebody.
    let unsure = |question: &str| -> BTreeSet<(String, String)> {
        let rows_of = lists(&rows, &format!("{question}_people")).into_iter();
        let votes = rows_of.zip(lists(&rows, &format!("{question}_answers")));
        votes.flat_map(|(people, said)| people.into_iter().zip(said)).filter(|(_, said)| said == "not_sure").collect()
    };
    assert_eq!(unsure("use").len(), 1, "{:?}", unsure("use"));
    assert_eq!(unsure("use"), unsure("recognise"));
}

/// What must not stand in any file of a release: people, what stands for them inside the run, the secret, the machine.
fn secrets(hardset: &Hardset) -> Vec<String> {
    let run = hardset.path("run");
    let secret = Secret::new([0x5e; 32]);
    let mut secrets = vec![SECRET.repeat(8), "example.org".to_owned(), "Example.org".to_owned()];
    for person in (0..PEOPLE).map(|person| signed(person).trim().to_lowercase()) {
        secrets.push(secret.name("person", &person));
    }
    let home = hardset.path("");
    secrets.push(home.display().to_string().trim_end_matches('/').to_owned());
    secrets.push(home.canonicalize().expect("it is there").display().to_string());
    secrets.extend(std::env::var("HOME").ok().filter(|home| home.len() > 3).map(|home| format!("{home}/")));
    let tasks = tasks(&run);
    secrets.extend(tasks.iter().flat_map(|task| [task.name.clone(), task.batch.clone()]));
    let people = table(&run.join("verdicts/all.assignments.parquet"));
    secrets.extend(strings(&people, "person"));
    secrets
}

#[test]
fn nobody_no_secret_and_no_path_of_the_machine_stands_in_any_file() {
    let (hardset, out) = released();
    let secrets: BTreeSet<String> = secrets(&hardset).into_iter().collect();
    assert!(secrets.len() > PEOPLE + 3 && secrets.iter().all(|secret| secret.len() > 4), "{secrets:?}");
    // The search itself finds what is there.
    let kept = fs::read(hardset.path("run/batches/secret")).expect("there is one");
    assert!(contains(&kept, &SECRET.repeat(8)));
    for name in hashes(&out.path).into_keys() {
        let bytes = fs::read(out.path.join(&name)).expect("it is there");
        for secret in &secrets {
            assert!(!contains(&bytes, secret), "{name} has {secret}");
        }
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn a_run_of_which_people_accepted_nothing_gives_no_release() {
    let hardset = answered();
    // Nobody says yes so often.
    hardset.line("annotate collect run --set annotate.verdict.min_votes=100 -q").ok();
    let refused =
        hardset.line("release run --out out").refused(2, &["run", "undecided: too few valid votes", "not shown"]);
    assert!(!hardset.path("out").exists() && !hardset.path("out.unfinished").exists(), "{}", refused.stderr);
}

#[test]
fn sheets_without_answers_leave_a_run_unverified() {
    let hardset = Hardset::new();
    hardset.write("recipe.toml", fake_recipe("asked", "images_per_category = 1", "rule = \"at-least=2\""));
    hardset.line("build recipe.toml --run-dir run -q --set annotate.sentinels.min_prob=0.3").ok();
    hardset.line("annotate export run --to csv --out sheets -q").ok();
    hardset.line("release run --out out -q").ok();
    assert_eq!(release(&hardset, "out").record()["verified"], false);
    hardset.line("verify out").ok();
}
