//! Damages every file of a run and of a release, one at a time, and calls every command that reads it: each of them
//! refuses, or does what it would have done, and `verify` finds the damage. Nothing panics.
//!
//! A file is emptied, cut in half, removed, has one byte flipped, two rows exchanged, one value changed. Files are
//! found by walking, so that a new kind of file is damaged from its first day on. An ordinary run flips some bytes and
//! changes some values, evenly spread and always the same ones; `HARDSET_MUTATIONS=all` changes all values and flips
//! more bytes, and a part of a path in place of `all` does that for files with it in their paths alone.

#![cfg(unix)]

#[path = "../common/mod.rs"]
mod common;

mod judge;
mod mutate;
mod rows;
mod server;
mod values;
mod world;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::scope;

use common::Hardset;
use judge::{Bench, Counts, Deed, Finding, Report, fast_folder};
use mutate::{Effort, Mutation};
use world::{OTHER, RECIPE, RELEASE, RUN, Tree};

/// What `verify` need not find: things that are made anew when they are needed. Paths that begin so, and why.
const CACHES: [(&str, &str); 5] = [
    ("run/lock", "empty while no process works on the run, and made by the next one"),
    ("run/answers/lock", "the same, of the server"),
    ("run/report/", "`report` writes the page from the tables"),
    ("run/export/", "sheets for people, written again from the rounds in batches/"),
    ("run/batches/images/", "pictures that the server has shown, drawn again from the images"),
];

/// Commands on a damaged run, `verify` first; RECIPE is replaced by the recipe's path.
const ON_RUN: [&str; 8] = [
    "verify run",
    "status run",
    "report run",
    "release run --out out",
    "mine run",
    "annotate collect run",
    "annotate export run --to csv --out sheets",
    "build RECIPE --run-dir run",
];

/// The same for a damaged release. The other run has the same images and more.
const ON_RELEASE: [&str; 4] = [
    "verify release",
    "status release",
    "release other --base release --out out --set release.version=1.1.0",
    "release other --against release --out out",
];

#[test]
fn no_damage_to_any_file_leads_to_another_result_or_a_panic_and_verify_finds_it() {
    let hardset = world::make();
    let effort = Effort::from_env();
    let mut reports = Vec::new();
    for (damaged, folders, commands) in
        [(RUN, &[RUN][..], &ON_RUN[..]), (RELEASE, &[RELEASE, OTHER][..], &ON_RELEASE[..])]
    {
        let tree = Tree::of(&hardset.path(""), folders);
        let of_damaged = tree.files.iter().filter(|(name, _)| name.starts_with(&format!("{damaged}/")));
        let mutations = effort.mutations(&hardset.path(""), of_damaged, is_cache);
        reports.push((damaged, all(&hardset, &tree, &mutations, commands)));
    }
    let tables: Vec<String> = reports.iter().map(|(damaged, report)| report.table(damaged)).collect();
    let tables = tables.join("\n\n");
    eprintln!("{tables}");
    assert!(reports.iter().any(|(_, report)| !report.files.is_empty()), "HARDSET_MUTATIONS names no file");
    let lists: Vec<String> = reports.iter().map(|(_, report)| report.list()).filter(|list| !list.is_empty()).collect();
    assert!(lists.is_empty(), "\n{}\n\n{tables}", lists.join("\n"));
}

fn is_cache(file: &str) -> bool {
    CACHES.iter().any(|(path, _)| file.starts_with(path))
}

/// Tries all mutations of the files of `tree` with all commands, on all cores.
fn all(hardset: &Hardset, tree: &Tree, mutations: &[Mutation], commands: &[&'static str]) -> Report {
    let folder = fast_folder();
    let recipe = hardset.path(RECIPE).display().to_string();
    let lines: Vec<String> = commands.iter().map(|command| command.replace("RECIPE", &recipe)).collect();
    let good = undisturbed(&mut Bench::new(hardset, folder.path().join("good")), tree, &lines);
    let report = Mutex::new(Report::default());
    let next = AtomicUsize::new(0);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    scope(|threads| {
        for core in 0..cores {
            let mut bench = Bench::new(hardset, folder.path().join(format!("core{core}")));
            let (lines, good, report, next) = (&lines, &good, &report, &next);
            threads.spawn(move || {
                while let Some(mutation) = mutations.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let damaged = tree.with(&mutation.file, mutation.bytes.as_ref());
                    let deeds: Vec<Deed> = lines.iter().map(|line| bench.run(&damaged, line)).collect();
                    let counts = Counts {
                        mutations: 1,
                        commands: deeds.len(),
                        refused: deeds.iter().filter(|deed| !matches!(deed.code, Some(0 | 3))).count(),
                        // `verify` comes first.
                        verified: usize::from(matches!(deeds[0].code, Some(2 | 3))),
                    };
                    let found = findings(mutation, commands, &deeds, good);
                    report.lock().expect("no thread has panicked").add(mutation, counts, found);
                }
            });
        }
    });
    report.into_inner().expect("no thread has panicked")
}

/// What the commands do on what is not damaged: the same each time, or nothing could be compared with it.
fn undisturbed(bench: &mut Bench, tree: &Tree, commands: &[String]) -> Vec<Deed> {
    let mut deeds = Vec::new();
    for command in commands {
        let deed = bench.run(tree, command);
        assert!(matches!(deed.code, Some(0 | 3)), "{command}: {deed:?}");
        assert!(deed == bench.run(tree, command), "{command} does not do the same each time");
        deeds.push(deed);
    }
    deeds
}

fn findings(mutation: &Mutation, commands: &[&'static str], deeds: &[Deed], good: &[Deed]) -> Vec<Finding> {
    let mut found = Vec::new();
    for (&command, (deed, good)) in commands.iter().zip(deeds.iter().zip(good)) {
        for (fault, detail) in deed.faults(good, mutation, command, is_cache(&mutation.file)) {
            let (file, place) = (mutation.file.clone(), mutation.place.clone());
            found.push(Finding { file, kind: mutation.kind, place, command, fault, detail });
        }
    }
    found
}
