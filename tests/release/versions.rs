//! A release never changes: another one has another version and another folder, and says what is different.

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;

use crate::common::{Hardset, hashes, sha256};
use crate::pages::{ALSO, fake_run, hard_items, photographed, png, release};

#[test]
fn the_same_command_again_finds_it_made_and_changes_no_byte() {
    let hardset = fake_run();
    let line = format!("release run --out out {ALSO}");
    hardset.line(&line).ok();
    let before = (hashes(&hardset.path("out")), hashes(&hardset.path("run")));
    let again = hardset.line(&line).ok();
    assert!(again.stdout.contains("made earlier"), "{}", again.stdout);
    assert_eq!(hardset.line(&format!("{line} --format json -q")).ok().json()["was_there"], true);
    assert_eq!((hashes(&hardset.path("out")), hashes(&hardset.path("run"))), before);
    hardset.line("verify out").ok();
}

#[test]
fn another_version_wants_another_folder() {
    let hardset = fake_run();
    hardset.line("release run --out out").ok();
    let before = (hashes(&hardset.path("out")), hashes(&hardset.path("run")));
    for change in ["release.version=1.1.0", "release.license=MIT"] {
        let line = format!("release run --out out --set {change}");
        hardset.line(&line).refused(2, &["made-up 1.0.0", "never changes", "--out"]);
        assert_eq!((hashes(&hardset.path("out")), hashes(&hardset.path("run"))), before, "{change}");
        assert!(!hardset.path("out.unfinished").exists());
    }
    hardset.line("release run --out next --set release.version=1.1.0").ok();
    assert_eq!(release(&hardset, "next").record()["version"], "1.1.0");
    // The change is kept: the next release needs no --set.
    let spec = fs::read_to_string(hardset.path("run/spec.toml")).expect("there is one");
    assert!(spec.contains("\nversion = \"1.1.0\"\n"), "{spec}");
    hardset.line("release run --out again").ok();
    assert_eq!(hashes(&hardset.path("again")), hashes(&hardset.path("next")));
    hardset.line("verify run").ok();
}

#[test]
fn a_folder_with_other_files_is_not_touched() {
    let hardset = fake_run();
    hardset.write("mine/notes.txt", "mine");
    hardset.line("release run --out mine").refused(2, &["notes.txt", "--out"]);
    hardset.line("release run --out recipe.toml").refused(2, &["recipe.toml", "not a folder"]);
    hardset.line("release run --out run").refused(2, &["--out"]);
    hardset.write("taken.unfinished/notes.txt", "mine");
    hardset.line("release run --out taken").refused(2, &["taken.unfinished", "notes.txt"]);
    assert_eq!(hashes(&hardset.path("mine")).len(), 1);
    assert_eq!(hashes(&hardset.path("taken.unfinished")).len(), 1);
    fs::create_dir(hardset.path("empty")).expect("folders can be made");
    hardset.line("release run --out empty").ok();
    hardset.line("verify empty").ok();
}

#[test]
fn what_changed_by_another_rule_is_counted_and_listed() {
    let hardset = fake_run();
    hardset.line("release run --out old").ok();
    let old = hard_items(&hardset.path("run"));
    hardset.line("mine run --surrogates fake-a --rule all").ok();
    let new = hard_items(&hardset.path("run"));
    let said = hardset.line("release run --out new --base old --set release.version=1.1.0").ok();
    let added = new.iter().filter(|item| !old.contains(item)).count();
    let removed = old.iter().filter(|item| !new.contains(item)).count();
    assert!(added > 0 && removed > 0, "{added} {removed}");
    assert!(said.stdout.contains(&format!("{added} added, {removed} removed, 0 relabelled")), "{}", said.stdout);
    check_base(&hardset, "new", "old", [added, removed, 0]);
    assert_eq!(release(&hardset, "new").record()["images"].as_u64(), Some(new.len() as u64));
}

/// Holds `release.json` and `CHANGES.md` of `out` against these numbers of images added, removed and relabelled since
/// `base`.
#[track_caller]
fn check_base(hardset: &Hardset, out: &str, base: &str, numbers: [usize; 3]) {
    let (out, base) = (release(hardset, out), release(hardset, base));
    let said = out.record()["base"].clone();
    let counts = ["added", "removed", "relabelled"].map(|key| said[key].as_u64().unwrap_or(u64::MAX) as usize);
    assert_eq!(counts, numbers, "{said}");
    assert_eq!((&said["version"], &said["key"]), (&base.record()["version"], &base.record()["key"]));
    let changes = out.text("CHANGES.md");
    let listed = |heading: &str| {
        let section = changes.split("\n## ").find_map(|section| section.strip_prefix(heading)).unwrap_or_default();
        section.lines().filter(|line| line.starts_with("- ")).count()
    };
    assert_eq!(["Added", "Removed", "Relabelled"].map(listed), numbers, "{changes}");
    let [added, removed, relabelled] = numbers;
    let images = if added == 1 { "image" } else { "images" };
    assert!(
        changes.contains(&format!("{added} {images} added, {removed} removed, {relabelled} relabelled")),
        "{changes}"
    );
    let card = out.text("README.md");
    assert!(card.contains(&format!("{added} {images} added, {removed} removed, {relabelled} relabelled")), "{card}");
    hardset.line(&format!("verify {}", out.path.display())).ok();
}

/// A run of pictures of these seeds under these categories.
fn photographs(hardset: &Hardset, name: &str, pictures: &[(u64, &str)]) {
    let files: Vec<_> =
        pictures.iter().map(|(seed, category)| (format!("{seed}.png"), png(*seed), *category)).collect();
    photographed(hardset, name, &files);
}

#[test]
fn images_that_are_new_gone_and_relabelled_are_told_apart_by_their_bytes() {
    let hardset = Hardset::new();
    photographs(&hardset, "a", &[(1, "mug"), (2, "mug"), (3, "tie"), (4, "pen"), (5, "fan")]);
    // The numbers of items shift: 1 is gone, 6 and 7 are new, 3 is something else now.
    photographs(&hardset, "b", &[(2, "mug"), (3, "wallet"), (4, "pen"), (5, "fan"), (6, "tv"), (7, "tie")]);
    hardset.line("release a-run --out a").ok();
    hardset.line("release b-run --out b --base a --set release.version=2.0.0").ok();
    check_base(&hardset, "b", "a", [2, 1, 1]);
    let changes = release(&hardset, "b").text("CHANGES.md");
    let hash = |seed: u64| {
        let folder = if seed == 1 { "a" } else { "b" };
        sha256(&fs::read(hardset.path(&format!("{folder}-photos/{seed}.png"))).expect("it is there"))
    };
    for line in [
        format!("## Added\n\n{}", sorted(&[hash(6), hash(7)])),
        format!("## Removed\n\n{}", sorted(&[hash(1)])),
        format!("- `{}`: `tie` to `wallet`\n", hash(3)),
    ] {
        assert!(changes.contains(&line), "{line}\nis not in:\n{changes}");
    }
}

fn sorted(hashes: &[String]) -> String {
    let mut hashes = hashes.to_vec();
    hashes.sort();
    hashes.iter().map(|hash| format!("- `{hash}`\n")).collect()
}

#[test]
fn a_version_that_is_not_newer_is_refused() {
    let hardset = fake_run();
    hardset.line("release run --out old").ok();
    for version in ["1.0.0", "0.9.0", "1.0.0-rc.1"] {
        let line = format!("release run --out new --base old --set release.version={version}");
        hardset.line(&line).refused(2, &["1.0.0", version]);
        assert!(!hardset.path("new").exists() && !hardset.path("new.unfinished").exists());
    }
    hardset.line("release run --out new --set release.version='1.0'").refused(2, &["release.version", "1.0"]);
    hardset.line("release run --out new --set mine.rule=all").refused(2, &["[release]"]);
    let record: Value = release(&hardset, "old").record();
    assert_eq!(record["base"], Value::Null);
}

#[test]
fn a_base_that_is_no_release_is_refused() {
    let hardset = fake_run();
    hardset.line("release run --out old").ok();
    let refusals: BTreeMap<&str, &str> = [
        ("run", "release.json"),
        ("nowhere", "release.json"),
        ("recipe.toml", "release.json"),
        ("cut", "cut/release.json"),
    ]
    .into();
    hardset.write("cut/release.json", &release(&hardset, "old").text("release.json")[..200]);
    for (base, part) in refusals {
        let line = format!("release run --out new --set release.version=1.1.0 --base {base}");
        hardset.line(&line).refused(2, &[base, part]);
        assert!(!hardset.path("new").exists());
    }
}
