//! Files of a run that are lost, or put back from another run, several at once: no verdict moves to another image, and
//! nothing that people rejected is released as if nobody had been asked.

use std::fs;
use std::path::Path;

use crate::common::{Hardset, copy, fake_recipe, hashes, unit_file};
use crate::pages::{fake_run, photographed, png};
use crate::people::answered;

/// Removes the files of the run whose names (paths inside it) begin so.
fn lose(run: &Path, begin: &str) {
    let lost: Vec<String> = hashes(run).into_keys().filter(|name| name.starts_with(begin)).collect();
    assert!(!lost.is_empty(), "there is {begin}");
    lost.iter().for_each(|name| fs::remove_file(run.join(name)).expect("it can be removed"));
}

#[test]
fn answers_or_sheets_that_are_gone_are_not_taken_for_none() {
    let hardset = answered();
    copy(&hardset.path("run"), &hardset.path("whole"));
    for (begin, word) in [("answers/", "verdicts follow from it"), ("batches/00000.", "answers are there")] {
        fs::remove_dir_all(hardset.path("run")).expect("it is there");
        copy(&hardset.path("whole"), &hardset.path("run"));
        lose(&hardset.path("run"), begin);
        let before = hashes(&hardset.path("run"));
        for line in ["release run --out out", "annotate export run --to csv --out more", "report run", "status run"] {
            // Sheets can be made, and a page written, of what does not depend on the answers.
            if begin == "answers/" && line.starts_with("annotate") {
                continue;
            }
            hardset.line(line).refused(2, &[word]);
        }
        assert!(hardset.line("verify run").expect(3).stdout.contains(word));
        assert_eq!(hashes(&hardset.path("run")), before);
    }
    // The same file again, and everything is as it was.
    fs::remove_dir_all(hardset.path("run")).expect("it is there");
    copy(&hardset.path("whole"), &hardset.path("run"));
    lose(&hardset.path("run"), "answers/");
    hardset.line("annotate collect run answers.jsonl -q").ok();
    hardset.line("verify run").ok();
}

#[test]
fn tables_of_another_run_are_noticed_though_their_records_are_whole() {
    let hardset = Hardset::new();
    hardset.write("recipe.toml", fake_recipe("made", "images_per_category = 1", "rule = \"at-least=2\""));
    hardset.line("build recipe.toml --run-dir run -q").ok();
    hardset.line("build recipe.toml --run-dir other --seed 5 -q").ok();
    copy(&hardset.path("run"), &hardset.path("whole"));
    for folder in ["mined", "predictions/fake-b", "images"] {
        fs::remove_dir_all(hardset.path("run")).expect("it is there");
        copy(&hardset.path("whole"), &hardset.path("run"));
        fs::remove_dir_all(hardset.path("run").join(folder)).expect("it is there");
        copy(&hardset.path("other").join(folder), &hardset.path("run").join(folder));
        for line in ["report run", "release run --out out", "annotate export run --to csv --out sheets"] {
            hardset.line(line).refused(2, &["its key is not that of"]);
        }
        assert!(hardset.line("verify run").expect(3).stdout.contains("its key is not that of"), "{folder}");
    }
}

#[test]
fn a_plan_is_made_again_only_as_it_was() {
    let hardset = Hardset::new();
    let photos: Vec<(String, Vec<u8>, &str)> = (1..4).map(|at| (format!("{at}.png"), png(at), "mug")).collect();
    photographed(&hardset, "pool", &photos);
    let before = hashes(&hardset.path("pool-run"));
    let build = "build pool.toml --run-dir pool-run -q";
    let plan = || unit_file(&hardset.path("pool-run/plan.parquet"));
    fs::write(plan(), "short").expect("it can be written");
    hardset.line(build).ok();
    assert_eq!(hashes(&hardset.path("pool-run")), before);
    // Without the first file all others would have other numbers, and other people's verdicts.
    fs::remove_file(hardset.path("pool-photos/1.png")).expect("it was there");
    fs::write(plan(), "short").expect("it can be written");
    hardset.line(build).refused(2, &["plan.json", "cannot be made again as it was", "restore the plan"]);
    fs::remove_file(hardset.path("pool-run/plan.json")).expect("it was there");
    hardset.line(build).refused(2, &["plan.json", "cannot be made again as it was"]);
    hardset.line("status pool-run").refused(2, &["plan"]);
    hardset.line("mine pool-run").refused(2, &["plan"]);
}

#[test]
fn a_release_that_was_damaged_is_not_taken_for_made() {
    let hardset = fake_run();
    hardset.line("release run --out out -q").ok();
    assert!(hardset.line("release run --out out").ok().stdout.contains("made earlier"));
    fs::write(hardset.path("out/README.md"), "hi").expect("it can be written");
    hardset.line("release run --out out").refused(2, &["out", "README.md is not the one of SHA256SUMS"]);
}
