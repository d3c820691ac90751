//! Files that are no text, no file or not there, and damage in what a release is made from: `verify` names them, other
//! commands stop with exit code 2. Nothing ends as an unexpected error.

use std::fs;
use std::path::Path;

use crate::common::{Hardset, Run, hashes, table};
use crate::damage::{DATA, change, found, good, with_sums};
use crate::pages::{fake_run, hard, photographed, png, release};

/// Texts of a release with all forms.
const TEXTS: [&str; 10] = [
    "README.md",
    "CITATION.cff",
    "croissant.json",
    "recipe.toml",
    "excluded.csv",
    "near-duplicates.csv",
    "questions/noise.csv",
    "imagefolder/metadata.jsonl",
    "fiftyone/labels.json",
    "SHA256SUMS",
];

#[test]
fn what_is_no_utf8_is_named() {
    let hardset = good();
    for name in TEXTS {
        found(&hardset, 3, &[&format!("bad/{name}")], |bad| {
            let mut bytes = fs::read(bad.join(name)).expect("it is there");
            let middle = bytes.len() / 2;
            bytes[middle] = 0xff;
            fs::write(bad.join(name), bytes).expect("it can be written");
            if name != "SHA256SUMS" {
                with_sums(bad);
            }
        });
    }
    found(&hardset, 2, &["bad/release.json", "damaged"], |bad| {
        fs::write(bad.join("release.json"), [0xff, 0xfe, 0]).expect("it can be written");
    });
}

#[test]
fn a_folder_in_the_place_of_a_file_is_named() {
    let hardset = good();
    for name in TEXTS.into_iter().chain([DATA]) {
        found(&hardset, 3, &[&format!("bad/{name}")], |bad| {
            fs::remove_file(bad.join(name)).expect("it was there");
            fs::create_dir(bad.join(name)).expect("folders can be made");
        });
    }
    found(&hardset, 2, &["bad is not a release"], |bad| {
        fs::remove_file(bad.join("release.json")).expect("it was there");
        fs::create_dir(bad.join("release.json")).expect("folders can be made");
    });
}

#[cfg(unix)]
#[test]
fn a_link_that_leads_nowhere_is_named() {
    let hardset = good();
    for name in TEXTS.into_iter().chain([DATA]) {
        let link = hardset.path("bad").join(name);
        let _ = fs::remove_dir_all(hardset.path("bad"));
        crate::common::copy(&hardset.path("good"), &hardset.path("bad"));
        fs::remove_file(&link).expect("it was there");
        std::os::unix::fs::symlink("nowhere", &link).expect("links can be made");
        let run = hardset.line("verify bad -q").expect(3);
        assert!(run.stdout.contains(&format!("bad/{name}")), "{}", run.stdout);
    }
}

/// Flips a bit of the file at a place that is not its end.
fn flip(path: &Path, place: usize) {
    let mut bytes = fs::read(path).expect("it is there");
    bytes[place] ^= 0x10;
    fs::write(path, bytes).expect("it can be written");
}

/// A release of `run` in `old`, damaged, as a base and as what a release must not repeat: refused with these parts.
#[track_caller]
fn refused(hardset: &Hardset, run: &str, parts: &[&str], damage: impl FnOnce(&Path)) {
    let bad = hardset.path("bad");
    let _ = fs::remove_dir_all(&bad);
    crate::common::copy(&hardset.path("old"), &bad);
    damage(&bad);
    let before = hashes(&hardset.path(run));
    for option in ["--base bad", "--against bad"] {
        let said = hardset.line(&format!("release {run} --out new --set release.version=1.1.0 {option} -q"));
        said.refused(2, parts);
        assert!(!hardset.path("new").exists() && !hardset.path("new.unfinished").exists(), "{option}");
    }
    assert_eq!(hashes(&hardset.path(run)), before, "a refusal changes nothing");
}

#[test]
fn a_damaged_base_and_a_damaged_release_to_compare_with_are_refused() {
    let hardset = Hardset::new();
    let files: Vec<_> = (1..6).map(|seed| (format!("{seed}.png"), png(seed), "mug")).collect();
    photographed(&hardset, "pool", &files);
    hardset.line("release pool-run --out old -q").ok();
    let length = fs::metadata(hardset.path("old").join(DATA)).expect("it is there").len() as usize;
    let name = format!("bad/{DATA} is damaged");
    // Wherever a bit flips: the magic number, pages, statistics, the footer.
    for place in [0, 4, 100, length / 3, length / 2, length - 300, length - 8, length - 1] {
        let parts = [name.as_str(), "its SHA-256 is not the one in release.json", "hardset verify"];
        refused(&hardset, "pool-run", &parts, |bad| flip(&bad.join(DATA), place));
    }
    refused(&hardset, "pool-run", &[&name, "bytes, but release.json says"], |bad| {
        let bytes = fs::read(bad.join(DATA)).expect("it is there");
        fs::write(bad.join(DATA), &bytes[..length / 2]).expect("it can be written");
    });
    refused(&hardset, "pool-run", &[&name, "cannot be read"], |bad| {
        fs::remove_file(bad.join(DATA)).expect("it was there");
    });
    refused(&hardset, "pool-run", &[&name], |bad| {
        fs::remove_file(bad.join(DATA)).expect("it was there");
        fs::create_dir(bad.join(DATA)).expect("folders can be made");
    });
    refused(&hardset, "pool-run", &["bad/release.json is damaged"], |bad| {
        fs::write(bad.join("release.json"), [0xff, 0xfe, 0]).expect("it can be written");
    });
}

#[test]
fn a_release_that_is_there_but_damaged_is_not_taken_for_made() {
    let hardset = fake_run();
    hardset.line("release run --out out -q").ok();
    flip(&hardset.path("out").join(DATA), 1000);
    hardset.line("release run --out out -q").refused(2, &[DATA, "damaged", "hardset verify"]);
}

/// Changes a run, and releases it: no release, and exit code 2.
#[track_caller]
fn no_release(change: impl FnOnce(&Hardset)) -> Run {
    let hardset = fake_run();
    change(&hardset);
    let run = hardset.line("release run --out out -q").expect(2);
    assert!(!hardset.path("out").exists(), "{}", run.stderr);
    run
}

#[test]
fn a_run_whose_parts_do_not_belong_together_gives_no_smaller_release() {
    let ids: Vec<String> = hard(&fake_run().path("run")).into_iter().map(|(_, category)| category).collect();
    let (one, other) = (format!("id = \"{}\"", ids[0]), format!("id = \"{}\"", ids[ids.len() - 1]));
    assert_ne!(one, other);
    let spec = |edit: &dyn Fn(&str) -> String| {
        no_release(|hardset| change(&hardset.path("run/spec.toml"), |text| edit(&text))).stderr
    };
    let said = spec(&|text| text.replace(&one, "id = \"something\""));
    // The plan was made from other categories.
    assert!(said.contains("plan.json") && said.contains("its key is not that of"), "{said}");
    // Exchanged ids would give each image the label of the other category.
    spec(&|text| text.replace(&one, "id = \"x\"").replace(&other, &one).replace("id = \"x\"", &other));
}

#[test]
fn every_hard_item_is_in_the_release_or_in_the_list_of_the_others() {
    let hardset = fake_run();
    hardset.line("release run --out out -q").ok();
    let out = release(&hardset, "out");
    let record = out.record();
    let hard = hard(&hardset.path("run")).len() as u64;
    let count = |key: &str| record[key].as_u64().expect("a number");
    assert_eq!(count("images") + count("excluded"), hard);
    assert_eq!((count("excluded"), count("near_duplicates")), (out.excluded().len() as u64, out.near().len() as u64));
    assert_eq!(count("pool_images"), table(&hardset.path("run/plan.parquet")).height() as u64);
}
