//! Reading answers: errors that say what to do, hostile rows, corrections, tables that are read again.

use std::fs;

use hardset::domain::{Answer, Task, TaskKind};

use crate::common::hashes;
use crate::formats::ours;
use crate::people::{Said, careful, right};
use crate::runs::{QUESTIONS, accepted, collect, fresh, mined, tasks, verdicts};

#[test]
fn what_cannot_be_exported_or_collected_is_an_error_that_says_what_to_do() {
    let hardset = mined(1, "");
    let check = |line: &str, code: i32, part: &str| {
        let run = hardset.line(line).expect(code);
        assert!(run.stderr.contains(part), "{line}: {}", run.stderr);
    };
    check("annotate collect run", 2, "annotate export run");
    check("annotate export nowhere --to csv --out out", 2, "nowhere");
    check("annotate export run --to prolific --out out", 2, "--image-url");
    check(
        "annotate export run --to csv --out out --set annotate.sentinels.min_prob=1",
        2,
        "annotate.sentinels.min_prob",
    );
    check("annotate export run --to csv --out out --set mine.rule=all", 2, "[annotate]");
    hardset.write("full/notes.txt", "mine");
    check("annotate export run --to csv --out full --set annotate.sentinels.min_prob=0.3", 2, "notes.txt");
    hardset.line("annotate export run --to csv --out out").ok();
    check("annotate collect run nowhere.csv", 2, "nowhere.csv");
    hardset.write("bad.csv", "a,b\n1,2\n");
    check("annotate collect run bad.csv", 2, "no column for the task");
    let huge = fs::File::create(hardset.path("huge.csv")).expect("a file");
    huge.set_len(1 << 30).expect("a sparse file");
    check("annotate collect run huge.csv", 2, "split it");
    assert!(!hardset.path("run/verdicts").exists());
}

#[test]
fn hostile_rows_cost_themselves_alone() {
    let hardset = mined(1, "");
    hardset.line("annotate export run --to csv --out out").ok();
    let task = &tasks(&hardset.path("run"), 0)[0].name;
    let long = "p".repeat(10_000);
    let rows = [
        format!("ada,{task},recognise,yes"),
        format!("{long},{task},recognise,yes"),
        format!("bob,{task},recognise,=cmd|' /C calc'!A0"),
        "bob,../../etc/passwd,recognise,yes".to_owned(),
        format!("bob,{task},colour,yes"),
        format!("\"bo\nb\",{task},recognise,\"yes\n\""),
        format!("<script>alert(1)</script>,{task},recognise,no"),
        format!("eve,{task},recognise,"),
        format!("ada,{task},recognise,no"),
    ];
    hardset.write("a.csv", format!("person,task,question,answer\n{}\n", rows.join("\n")));
    let said = hardset.line("annotate collect run a.csv --format json").expect(3).json();
    assert_eq!((said["answers"].as_u64(), said["inputs"][0]["problems"].as_u64()), (Some(9), Some(2)), "{said}");
    let reasons = said["reasons"].as_object().expect("reasons").keys().cloned().collect::<Vec<_>>().join("\n");
    for part in
        ["not yes, no or not_sure", "not on a sheet", "does not have this question", "changed this answer", "is empty"]
    {
        assert!(reasons.contains(part), "{reasons}");
    }
    let bytes: Vec<u8> = hashes(&hardset.path("run"))
        .keys()
        .flat_map(|file| fs::read(hardset.path("run").join(file)).expect("there"))
        .collect();
    assert!(!bytes.windows(20).any(|part| *part == long.as_bytes()[..20]), "a person's id is in the run");
}

#[test]
fn people_correct_themselves_and_the_last_answer_counts_in_whatever_order_files_come() {
    let hardset = mined(1, "");
    hardset.line("annotate export run --to csv --out out").ok();
    let run = hardset.path("run");
    let no = |task: &Task, _: &str| if task.kind == TaskKind::Positive { Answer::Yes } else { Answer::No };
    let people = ["ada", "bob", "eve"];
    let early = hardset.write("early.jsonl", careful(&run, &people, "2026-11-22T10:00:00Z", no));
    let late = hardset.write("late.jsonl", careful(&run, &[" Ada", "BOB ", "eve"], "2026-11-22T11:00:00Z", right));
    for (name, files) in [("a", [&early, &late]), ("b", [&late, &early])] {
        let run = fresh(&hardset, name);
        files.iter().for_each(|file| drop(collect(&hardset, &run, &[(*file).clone()])));
        assert!(accepted(&run) >= 40, "{name}: {}", accepted(&run));
    }
}

#[test]
fn a_table_is_read_again_for_questions_that_were_not_asked_then() {
    let hardset = mined(1, "");
    hardset.line("annotate export run --to csv --out out").ok();
    let run = hardset.path("run");
    let mut said = Vec::new();
    for (person, task) in (0..3).flat_map(|person| tasks(&run, 0).into_iter().map(move |task| (person, task))) {
        said.extend(QUESTIONS.map(|question| Said {
            person: format!("p{person}"),
            batch: task.batch.clone(),
            task: task.name.clone(),
            question: question.to_owned(),
            answer: right(&task, question),
        }));
    }
    let file = hardset.write("w.csv", ours(&said));
    let one = "annotate.questions=[{ id = 'recognise', text = 'x', accept_at = 0.7, negatives = true }]";
    let first = hardset.run(&["annotate", "collect", "run", "w.csv", "--set", one, "--format", "json"]).ok().json();
    let both = "annotate.questions=[{ id = 'recognise', text = 'x', accept_at = 0.7, negatives = true }, \
                { id = 'use', text = 'y', accept_at = 0.5 }]";
    let second = hardset.run(&["annotate", "collect", "run", "w.csv", "--set", both, "--format", "json"]).ok().json();
    assert_eq!(
        (first["answers"].as_u64(), second["answers"].as_u64()),
        (Some(said.len() as u64 / 2), Some(said.len() as u64))
    );
    assert_eq!(accepted(&run), verdicts(&run).len());
    collect(&hardset, &run, &[file]);
}
