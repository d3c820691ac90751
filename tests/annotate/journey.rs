//! Thirty people answer through every format; all formats lead to the same verdicts, and those are near the truth.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::Path;

use hardset::domain::{Answer, ItemId, TaskImage, TaskKind};
use serde_json::json;

use crate::common::{Hardset, RealInput, hashes, strings, table, unsealed_toml};
use crate::formats::{label_studio, ours, pages, prolific, turk};
use crate::people::{Care, Said, answer, by_task, care, of, people, truth};
use crate::runs::{QUESTIONS, collect, fresh, mined, tasks, verdicts, with_secret, write_all};
use crate::server::Server;

#[test]
fn thirty_people_over_made_up_images_come_to_the_same_verdicts_in_every_format() {
    let hardset = mined(1, "people_per_batch = 15");
    hardset.line("annotate export run --to csv --out out").ok();
    round_trip(&hardset);
}

#[test]
fn thirty_people_over_the_mined_photographs() {
    let Some(real) = RealInput::find() else { return };
    let hardset = Hardset::new();
    real.build(&hardset, &real.photos).ok();
    with_secret(&hardset);
    hardset.line("annotate export run --to html --out out").ok();
    round_trip(&hardset);
    // Whom the sentinels found out is asked for again: 30 people, 8 of them set aside.
    let missing = hardset.line("annotate export run-csv --missing --to csv --out missing --format json").ok().json();
    let asked: BTreeSet<u32> = (tasks(&hardset.path("run-csv"), 1).iter())
        .filter_map(|task| match (&task.kind, &task.image) {
            (TaskKind::Candidate, TaskImage::Item(item)) => Some(item.0),
            _ => None,
        })
        .collect();
    assert_eq!(asked, lacking(&hardset.path("run-csv")), "{missing}");
    assert_eq!(missing["round"], 2);
    let page = fs::read_to_string(hardset.path("run-csv/report/index.html")).expect("there is a page");
    assert!(!page.contains("id=\"people\""));
    hardset.line("report run-csv").ok();
    let page = fs::read_to_string(hardset.path("run-csv/report/index.html")).expect("there is a page");
    assert!(page.contains("id=\"people\"") && page.contains("Disputed images"));
    hardset.line("verify run-csv").ok();
}

/// The whole way back, through every format; all of them must come to the same verdicts.
pub fn round_trip(hardset: &Hardset) {
    let said = people(&tasks(&hardset.path("run"), 0));
    let formats: [(&str, Vec<Vec<u8>>); 5] = [
        ("label-studio", vec![label_studio(&said)]),
        ("prolific", vec![prolific(&said)]),
        ("csv", vec![ours(&said)]),
        ("turk", vec![turk(&said)]),
        ("html", pages(&said)),
    ];
    let mut all = Vec::new();
    for (name, files) in formats {
        let run = fresh(hardset, &format!("run-{name}"));
        let files = write_all(hardset, name, files);
        let collected = collect(hardset, &run, &files);
        assert_eq!(collected["answers"], said.len(), "{name}: {collected}");
        all.push((name, verdicts(&run), set_aside(&run)));
        // The same files once more, in another order, change nothing.
        let before = hashes(&run);
        collect(hardset, &run, &files.iter().rev().cloned().collect::<Vec<_>>());
        assert_eq!(hashes(&run), before, "{name}");
    }
    let run = fresh(hardset, "run-server");
    through_the_server(hardset, &run, &said);
    collect(hardset, &run, &[]);
    all.push(("server", verdicts(&run), set_aside(&run)));
    let (_, expected, aside) = all[0].clone();
    for (name, verdicts, others) in &all {
        assert_eq!((verdicts, others), (&expected, &aside), "{name}");
    }
    let (precision, recall) = quality(&expected);
    eprintln!("precision {precision:.3}, recall {recall:.3}, set aside {aside:?}");
    assert!(precision >= 0.95 && recall >= 0.9, "precision {precision}, recall {recall}");
    assert_eq!(aside[&Care::Careful].0, 0, "{aside:?}");
    for care in [Care::Random, Care::AlwaysYes, Care::CopyPaste] {
        assert_eq!(aside[&care].0, aside[&care].1, "{aside:?}");
    }
}

/// All people answer over HTTP, each on the sheet that the server gives; half of them before a kill -9, half after.
pub fn through_the_server(hardset: &Hardset, run: &Path, said: &[Said]) {
    let names: BTreeSet<&str> = said.iter().map(|row| row.person.as_str()).collect();
    let names: Vec<&str> = names.into_iter().collect();
    let rows = by_task(said);
    for half in [&names[..15], &names[15..]] {
        let mut server = Server::start(hardset, run, &["--people", &names.join(",")]);
        for person in half {
            let (cookie, csrf) = server.join(person);
            let sheet = server.sheet(&cookie).expect("there is a sheet for everybody");
            let number: usize = person[1..3].parse().expect("a number");
            let every = tasks(run, 0);
            for task in sheet["tasks"].as_array().expect("tasks") {
                let name = task["task"].as_str().expect("a name");
                // The server gives sheets in its own order; the person answers as before.
                let known = every.iter().find(|task| task.name == name).expect("a task of the round");
                for question in QUESTIONS {
                    let answer = match rows.get(&(*person, name)) {
                        Some(row) => of(row, question).to_owned(),
                        None => answer(number, known, question).name().to_owned(),
                    };
                    let body = json!({ "batch": sheet["batch"], "task": name, "question": question, "answer": answer });
                    assert_eq!(server.post("/api/answers", &cookie, &csrf, &body), 204);
                }
            }
            assert_eq!(server.post("/api/finish", &cookie, &csrf, &json!({ "batch": sheet["batch"] })), 204);
        }
        server.child.kill().expect("kill -9");
    }
    // Answers that the server has and that were not collected yet would be missing from a release.
    let out = hardset.path("too-early");
    let args = ["release".into(), run.to_owned(), "--out".into(), out];
    hardset.run(&args).refused(2, &["annotate collect"]);
}

/// Precision and recall of what was accepted, against the simulated truth.
pub fn quality(verdicts: &BTreeMap<u32, String>) -> (f64, f64) {
    let good = |item: u32| QUESTIONS.iter().all(|question| truth(ItemId(item), question) == Answer::Yes);
    let accepted: Vec<u32> = verdicts.iter().filter(|(_, v)| *v == "accept").map(|(item, _)| *item).collect();
    let right = accepted.iter().filter(|&&item| good(item)).count() as f64;
    let all = verdicts.keys().filter(|&&item| good(item)).count() as f64;
    (right / accepted.len() as f64, right / all)
}

/// People whose assignments were set aside, by care, of how many.
pub fn set_aside(run: &Path) -> BTreeMap<Care, (usize, usize)> {
    let key = fs::read_to_string(run.join("batches/secret")).expect("there is a secret");
    let key = unsealed_toml(&key).split('"').nth(1).expect("secret = \"…\"");
    let bytes: Vec<u8> = (0..32).map(|at| u8::from_str_radix(&key[2 * at..2 * at + 2], 16).expect("hex")).collect();
    let secret = hardset::domain::Secret::new(bytes.try_into().expect("32 bytes"));
    // By name, and by the number that Label Studio gives.
    let ids = |person: usize| [format!("p{person:02}@x.org"), (1 + person).to_string()];
    let named = |person: usize| ids(person).map(|id| (secret.name("person", &id), person));
    let names: HashMap<String, usize> = (0..30).flat_map(named).collect();
    let rows = table(&run.join("verdicts/all.assignments.parquet"));
    let counts = rows.column("counts").expect("a column").bool().expect("of flags").iter().collect::<Vec<_>>();
    let mut found: BTreeMap<Care, (usize, usize)> = BTreeMap::new();
    for (person, counts) in strings(&rows, "person").iter().zip(counts) {
        let (aside, all) = found.entry(care(names[person])).or_default();
        *aside += usize::from(counts == Some(false));
        *all += 1;
    }
    found
}

/// Items with fewer than ten votes that count.
pub fn lacking(run: &Path) -> BTreeSet<u32> {
    let items = table(&run.join("verdicts/all.items.parquet"));
    let ids = items.column("item_id").expect("a column").u32().expect("of numbers");
    let votes = |name: &str| items.column(name).expect("a column").u32().expect("of numbers").clone();
    let [no, unsure, yes] = ["recognise_no", "recognise_not_sure", "recognise_yes"].map(votes);
    let few = |at: &usize| [&no, &unsure, &yes].iter().filter_map(|votes| votes.get(*at)).sum::<u32>() < 10;
    (0..items.height()).filter(few).filter_map(|at| ids.get(at)).collect()
}
