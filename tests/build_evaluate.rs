//! A build whose recipe has a section `[evaluate]`: it goes on to a release and a leaderboard beside the run, resumes,
//! and leaves alone whatever lies there.
//!
//! Works on fake images and fake classifiers, so that it needs no library; the quick start itself is in
//! `quickstart.rs`.

mod common;

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::{Hardset, Run, assert_same, hashes};
use serde_json::Value;

/// The section, after a recipe of 40 images of each of 12 categories.
fn with_section(section: &str) -> Hardset {
    let hardset = Hardset::new();
    hardset.write(
        "p.toml",
        format!(
            "name = \"small\"\ncategories = \"quickstart\"\nshard_items = 100\n\n[generate]\nsource = \"fake\"\n\
             images_per_category = 40\nsize_px = 16\n\n[mine]\nsurrogates = [\"fake-a\", \"fake-b\", \"fake-c\"]\n\
             rule = \"at-least=2\"\n\n[release]\ntitle = \"small\"\nlicense = \"mit\"\n\n{section}\n"
        ),
    );
    for (name, seed, accuracy) in [("t-good", 11, 0.8), ("t-bad", 13, 0.3)] {
        hardset.write(&format!("{name}.toml"), format!("fake = {{ seed = {seed}, accuracy = {accuracy} }}\n"));
    }
    hardset
}

fn with_targets() -> Hardset {
    with_section("[evaluate]\ntargets = [\"./t-good.toml\", \"./t-bad.toml\"]")
}

fn build(hardset: &Hardset, rest: &str) -> Run {
    hardset.line(&format!("build p.toml --run-dir run -q {rest}"))
}

fn built(hardset: &Hardset, rest: &str) -> Value {
    build(hardset, &format!("--format json {rest}")).ok().json()
}

/// The folders that a build says it has made.
fn places(json: &Value) -> [String; 2] {
    [&json["release"]["out"], &json["evaluation"]["evaluation"]].map(|place| place.as_str().unwrap_or("").to_owned())
}

/// Folders beside the run, in order.
fn beside(hardset: &Hardset) -> Vec<String> {
    let entries = fs::read_dir(hardset.path("")).expect("it is there").flatten();
    let mut found: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    found.retain(|name| name.starts_with("run-"));
    found.sort();
    found
}

#[test]
fn a_build_goes_on_to_the_leaderboard_and_does_what_the_verbs_do() {
    let hardset = with_targets();
    let json = built(&hardset, "");
    let [release, evaluation] = places(&json);
    let mining = json["mining"]["id"].as_str().expect("a name").rsplit('.').next().expect("a hash").to_owned();
    assert_eq!([&release, &evaluation], [&format!("run-release-{mining}"), &format!("run-evaluation-{mining}")]);
    assert_eq!(json["release"]["verified"], false);
    let board = json["evaluation"]["leaderboard"].as_array().expect("a list");
    let targets: Vec<&str> = board.iter().filter_map(|row| row["target"].as_str()).collect();
    assert_eq!(targets, ["t-good", "t-bad", "fake-a", "fake-b", "fake-c"]);
    assert!(hardset.path(json["evaluation"]["page"].as_str().expect("a path")).is_file());
    assert!(hardset.path(json["evaluation"]["leaderboard_csv"].as_str().expect("a path")).is_file());
    for folder in ["run", &release, &evaluation] {
        hardset.line(&format!("verify {folder} -q")).ok();
    }
    hardset.line("release run --out by-hand -q").ok();
    assert_same(&hardset.path(&release), &hardset.path("by-hand"));
    hardset.line(&format!("evaluate {release} --targets t-bad.toml,t-good.toml --out by-hand-eval -q")).ok();
    assert_same(&hardset.path(&evaluation), &hardset.path("by-hand-eval"));
    let text = build(&hardset, "").ok().stdout;
    let last: Vec<&str> = text.lines().rev().take(5).collect();
    assert!(last[0].contains("fake-c") && last[4].contains("tier 1") && last[4].contains("t-good"), "{text}");
    for part in [format!("release: {release}"), format!("evaluation: {evaluation}/index.html")] {
        assert!(text.lines().any(|line| line == part), "{part}: {text}");
    }
}

#[test]
fn a_second_build_scores_nothing_and_changes_no_byte() {
    let hardset = with_targets();
    built(&hardset, "");
    let before = hashes(&hardset.path(""));
    let json = built(&hardset, "");
    assert_eq!(hashes(&hardset.path("")), before);
    assert_eq!(json["release"]["was_there"], true);
    let fresh = json["evaluation"]["fresh"].as_array().expect("a list");
    assert!(fresh.len() == 2 && fresh.iter().all(|row| row["fresh"] == 0), "{fresh:?}");
}

#[test]
fn without_the_section_or_without_hard_images_there_is_no_release() {
    let hardset = with_section("");
    let json = built(&hardset, "");
    assert!(json.get("release").is_none() && json.get("evaluation").is_none(), "{json}");
    assert!(beside(&hardset).is_empty());
    let hardset = with_targets();
    for name in ["s-1", "s-2", "s-3"] {
        hardset.write(&format!("{name}.toml"), format!("fake = {{ seed = {}, accuracy = 1.0 }}\n", name.len()));
    }
    let set = "--set mine.surrogates=['./s-1.toml','./s-2.toml','./s-3.toml']";
    // Fake ones of one seed are one model, so two of them differ.
    hardset.write("s-2.toml", "fake = { seed = 72, accuracy = 1.0 }\n");
    hardset.write("s-3.toml", "fake = { seed = 73, accuracy = 1.0 }\n");
    let run = hardset.line(&format!("build p.toml --run-dir run --format json {set}")).ok();
    let run = run.err(&["no release and no evaluation: no item is hard"]);
    assert!(run.json()["release"].is_null() && run.json()["evaluation"].is_null(), "{}", run.stdout);
    assert!(beside(&hardset).is_empty());
}

#[test]
fn another_mining_gets_other_folders_and_the_first_ones_stay() {
    let hardset = with_targets();
    let first = places(&built(&hardset, ""));
    let before = first.clone().map(|place| hashes(&hardset.path(&place)));
    let second = places(&built(&hardset, "--set mine.rule=all"));
    assert!(first[0] != second[0] && first[1] != second[1], "{first:?} {second:?}");
    assert_eq!(first.clone().map(|place| hashes(&hardset.path(&place))), before);
    assert_eq!(places(&built(&hardset, "")), first);
    // The same mining, released with other words.
    let third = places(&built(&hardset, "--set release.title=other"));
    assert_eq!(third, first.clone().map(|place| format!("{place}-2")));
    assert_eq!(first.clone().map(|place| hashes(&hardset.path(&place))), before);
    assert_eq!(places(&built(&hardset, "--set release.title=other")), third);
    assert_eq!(beside(&hardset).len(), 6);
}

#[test]
fn what_lies_at_the_places_stays_and_stops_nothing() {
    let hardset = with_targets();
    let [release, evaluation] = places(&built(&hardset, ""));
    for place in [&release, &evaluation] {
        fs::remove_dir_all(hardset.path(place)).expect("it is there");
        hardset.write(&format!("{place}/mine.txt"), "mine");
    }
    let second = places(&built(&hardset, ""));
    assert_eq!(second, [format!("{release}-2"), format!("{evaluation}-2")]);
    // A card that somebody has edited, and an evaluation whose record is broken.
    hardset.write(&format!("{release}-2/README.md"), "my own words");
    hardset.write(&format!("{evaluation}-2/evaluation.toml"), "broken");
    let run = hardset.line("build p.toml --run-dir run --format json").ok().err(&["left alone", "README.md"]);
    assert_eq!(places(&run.json()), [format!("{release}-3"), format!("{evaluation}-3")]);
    let kept = |name: String| fs::read_to_string(hardset.path(&name)).expect("it is there");
    assert_eq!(kept(format!("{release}-2/README.md")), "my own words");
    assert_eq!(kept(format!("{evaluation}-2/evaluation.toml")), "broken");
    for place in [release, evaluation] {
        assert_eq!(kept(format!("{place}/mine.txt")), "mine");
    }
}

#[test]
fn a_wrong_section_is_refused_before_any_image_is_made() {
    let of = |section: &str, code: i32, parts: &[&str]| {
        let hardset = with_section(&format!("[evaluate]\n{section}"));
        hardset.write("copy.toml", fs::read_to_string("surrogates/fake-b.toml").expect("it is there"));
        build(&hardset, "").refused(code, parts);
        assert!(!hardset.path("run/images").exists() && beside(&hardset).is_empty(), "{section}");
    };
    of("targets = [\"./t-good.toml\"]\nsurprise = 1", 2, &["p.toml", "surprise"]);
    of("clean = \"x\"", 2, &["p.toml", "targets"]);
    of("targets = []", 2, &["p.toml", "evaluate.targets", "is empty"]);
    of("targets = \"./t-good.toml\"", 2, &["p.toml", "targets"]);
    of("targets = [\"nobody\"]", 2, &["nobody"]);
    of("targets = [\"./nobody.toml\"]", 2, &["nobody.toml"]);
    of("targets = [\"fake-b\"]", 2, &["evaluate.targets", "`fake-b`", "a surrogate cannot be a target"]);
    of("targets = [\"./t-good.toml\", \"./t-good.toml\"]", 2, &["evaluate.targets", "`t-good` twice"]);
    of("targets = [\"./copy.toml\"]", 2, &["`copy` cannot be a target", "surrogate `fake-b`"]);
    of("targets = [\"./t-good.toml\"]\nclean = \"\"", 2, &["evaluate.clean", "is empty"]);
    of("targets = [\"./t-good.toml\"]\nclean = \"nowhere\"", 4, &["nowhere"]);
    // A file is a pool only if it is Parquet.
    of("targets = [\"./t-good.toml\"]\nclean = \"p.toml\"", 2, &["p.toml", "no Parquet"]);
}

#[test]
fn the_clean_twin_of_the_recipe_is_used_and_lies_beside_the_recipe() {
    let hardset = with_section("[evaluate]\ntargets = [\"./t-good.toml\", \"./t-bad.toml\"]\nclean = \"photographs\"");
    // A path of --set is relative to the working directory.
    build(&hardset, "--set evaluate.clean=run0").refused(4, &["run0"]);
    hardset.write(
        "plain.toml",
        fs::read_to_string(hardset.path("p.toml")).expect("it is there").split("[evaluate]").next().unwrap_or_default(),
    );
    hardset.line("build plain.toml --run-dir photographs -q --set seed=5").ok();
    let json = built(&hardset, "");
    let [_, evaluation] = places(&json);
    let csv = fs::read_to_string(hardset.path(&format!("{evaluation}/leaderboard.csv"))).expect("it is there");
    assert!(csv.lines().next().is_some_and(|head| head.contains("drop")), "{csv}");
    hardset.line(&format!("verify {evaluation} -q")).ok();
    // Another twin is another evaluation.
    hardset.line("build plain.toml --run-dir others -q --set seed=6").ok();
    assert_eq!(places(&built(&hardset, "--set evaluate.clean=others"))[1], format!("{evaluation}-2"));
}

#[test]
fn a_run_inside_the_current_folder_and_a_path_without_a_name_work() {
    let hardset = with_targets();
    fs::create_dir_all(hardset.path("here")).expect("folders can be made");
    let command = ["build", "../p.toml", "--run-dir", ".", "-q", "--format", "json"];
    let json = Run::of(hardset.command(&command).current_dir(hardset.path("here"))).ok().json();
    for place in places(&json) {
        let name = PathBuf::from(&place).file_name().expect("a name").to_string_lossy().into_owned();
        assert!(name.starts_with("here-") && hardset.path(&name).is_dir(), "{place}");
    }
}

/// Kills are drawn over the time that an undisturbed build takes, so that they fall into all of its steps.
#[test]
fn killed_at_any_moment_the_same_call_gives_the_same_bytes() {
    const KILLS: u32 = 12;
    let hardset = with_targets();
    let started = Instant::now();
    let folders = places(&built(&hardset, "--threads 2"));
    let all = started.elapsed();
    let whole = ["run".to_owned(), folders[0].clone(), folders[1].clone()];
    for folder in &whole {
        fs::rename(hardset.path(folder), hardset.path(&format!("whole-{folder}"))).expect("it can be renamed");
    }
    for kill in 1..=KILLS {
        let args = ["build", "p.toml", "--run-dir", "run", "-q", "--threads", "2"];
        let mut command = hardset.command(&args);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it can be started");
        // Later kills come later, because the work before is done by then.
        sleep(all.mul_f64(f64::from(kill % 4 + 1) / 5.0) + Duration::from_millis(u64::from(kill) * 7));
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
        if kill % 4 == 0 {
            // From the beginning of the release, or of the evaluation.
            for place in folders.iter().skip(usize::from(kill % 8 == 0)) {
                let _ = fs::remove_dir_all(hardset.path(place));
            }
        }
    }
    built(&hardset, "--threads 2");
    for folder in &whole {
        assert_same(&hardset.path(folder), &hardset.path(&format!("whole-{folder}")));
        hardset.line(&format!("verify {folder} -q")).ok();
    }
    let mut expected = folders.to_vec();
    expected.sort();
    assert_eq!(beside(&hardset), expected, "nothing unfinished is left");
}
