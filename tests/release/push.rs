//! `release --push`: what can be tried without the hub. tests/python pushes to a server on loopback.

use std::fs;

use crate::common::{Hardset, Run, hashes};
use crate::people::answered;

/// A call of `release run --out release --push NAME`, with further options.
fn push(hardset: &Hardset, name: &str, options: &[&str]) -> Run {
    let mut command = hardset.command(&["release", "run", "--out", "release", "-q", "--push", name]);
    Run::of(command.args(options).env_remove("HF_TOKEN").env("HF_HOME", hardset.path("no-login")))
}

#[test]
fn a_trial_shows_every_file_and_needs_no_login() {
    let hardset = answered();
    let said = push(&hardset, "lab/hard", &["--dry-run"]).expect(0);
    let said = said.out(&["for the dataset lab/hard", "nothing was pushed"]);
    let files = hashes(&hardset.path("release"));
    assert!(files.len() > 8, "{files:?}");
    for name in files.keys() {
        assert!(said.stdout.contains(name.as_str()), "{name} is not in {}", said.stdout);
    }
    let again = push(&hardset, "lab/hard", &["--dry-run", "--format", "json"]).expect(0).json();
    assert_eq!(again["push"]["repo"], "lab/hard");
    assert_eq!(again["push"]["dry_run"], true);
    assert_eq!(again["was_there"], true);
    assert_eq!(hashes(&hardset.path("release")), files);
}

#[test]
fn a_card_that_is_no_card_is_not_pushed() {
    let hardset = answered();
    push(&hardset, "lab/hard", &["--dry-run"]).ok();
    let card = hardset.path("release/README.md");
    let text = fs::read_to_string(&card).expect("the card is there");
    fs::write(&card, text.replacen("---\n", "", 1)).expect("it can be written");
    push(&hardset, "lab/hard", &["--dry-run"]).refused(2, &["release"]);
}

#[test]
fn without_a_login_or_without_python_the_release_is_made_and_the_push_says_what_is_missing() {
    let hardset = answered();
    push(&hardset, "lab/hard", &[]).refused(4, &["hub", "release is complete", "the push to lab/hard"]);
    assert!(hardset.path("release/release.json").is_file());
    let mut command = hardset.command(&["release", "run", "--out", "release", "-q", "--push", "lab/hard"]);
    Run::of(command.env("PATH", "")).refused(4, &["cannot run python3", "huggingface_hub"]);
    push(&hardset, "hard", &[]).expect(2).err(&["LAB/NAME"]);
    hardset.line("release run --out other --dry-run").expect(2).err(&["--push"]);
}
