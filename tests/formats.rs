//! Formats that last: what this program does with runs and releases of older and of newer formats.
//!
//! `fixtures/format-1` was made by hardset 0.1.0, `fixtures/format-2` by the first program of format 2, from the recipe
//! beside them. Holds always: fixtures are never made again by a newer program, because people's runs are not either.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Hardset, copy, hashes, reseal, reseal_json, unsealed_toml};
use hardset::table::{ReleaseFile, ReleaseRowCheck};
use serde_json::Value;

/// Commands on a run, and whether they change it.
const COMMANDS: [(&str, bool); 9] = [
    ("status run", false),
    ("verify run", false),
    ("report run --out page.html", false),
    ("release run --out out", false),
    ("build small.toml --run-dir run", true),
    ("generate run", true),
    ("mine run", true),
    ("annotate export run --to csv --out sheets", true),
    ("annotate collect run", true),
];

fn with_fixture(name: &str) -> Hardset {
    let hardset = Hardset::new();
    copy(&fixture(name), &hardset.path(""));
    hardset
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

#[test]
fn a_run_of_format_1_is_refused_with_one_line_and_left_alone() {
    let hardset = with_fixture("format-1");
    let before = hashes(&hardset.path("run"));
    for (command, _) in COMMANDS {
        hardset.line(command).refused(2, &["run/spec.toml has format 1", "hardset 0.1.0", "reads format 2"]);
    }
    let after = hashes(&hardset.path("run"));
    assert_eq!(after, before);
}

#[test]
fn a_release_of_format_1_is_refused_with_one_line() {
    let hardset = with_fixture("format-2");
    fs::remove_dir_all(hardset.path("release")).expect("it is there");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format-1/release"), &hardset.path("release"));
    for command in ["status release", "verify release", "release run --out new --base release"] {
        hardset.line(command).refused(2, &["release/release.json has format 1", "hardset 0.1.0", "reads format 2"]);
    }
}

#[test]
fn the_first_run_of_format_2_is_whole_and_nothing_of_it_is_made_again() {
    let hardset = with_fixture("format-2");
    let before = hashes(&hardset.path("run"));
    hardset.line("verify run").ok();
    hardset.line("verify release").ok();
    let json = hardset.line("status run --format json").ok().json();
    assert_eq!((&json["planned"], &json["hard"], &json["dropped"]), (&9.into(), &8.into(), &1.into()));
    let mined = hardset.line("mine run --format json").expect(3).json();
    assert!(mined["scored"].as_array().expect("a list").iter().all(|scored| scored["fresh"] == 0), "{mined}");
    let generated = hardset.line("generate run --format json").expect(3).json();
    assert_eq!(generated["fresh"], 0);
    // What changes a run makes it one of the program's own minor version, and changes nothing else of its spec.
    let spec = fs::read_to_string(hardset.path("run/spec.toml")).expect("it is text");
    let planned = fs::read_to_string(fixture("format-2").join("run/spec.toml")).expect("it is text");
    let minor = format!("minor = {}", hardset::store::FORMAT.minor);
    assert_eq!(unsealed_toml(&spec), unsealed_toml(&planned).replace("minor = 0", &minor));
    let after = hashes(&hardset.path("run"));
    assert!(before.iter().all(|(name, hash)| name == "spec.toml" || after[name] == *hash), "{before:#?} {after:#?}");
    hardset.line("release run --out again").ok();
    hardset.line("verify again").ok();
    // Rows and lists, not the bytes of the data files: another version of `parquet` writes another footer.
    assert_eq!(rows(&hardset, "again"), rows(&hardset, "release"));
    let (again, first) = (hashes(&hardset.path("again")), hashes(&hardset.path("release")));
    for name in ["excluded.csv", "near-duplicates.csv", "questions/noise.csv"] {
        assert_eq!(again.get(name), first.get(name), "{name}");
    }
}

/// The rows of a release, with their images.
fn rows(hardset: &Hardset, release: &str) -> Vec<ReleaseRowCheck> {
    let path = hardset.path(&format!("{release}/data/test-00000-of-00001.parquet"));
    let mut rows = Vec::new();
    let file = ReleaseFile::open(&path).expect("it is a data file");
    file.rows(true, |row| rows.push(row)).expect("its rows can be read");
    assert_eq!(rows.len(), 8, "{rows:?}");
    rows
}

/// Adds a field that nobody knows to every table of a spec.
fn add_to_tables(value: &mut toml::Value) {
    match value {
        toml::Value::Table(table) => {
            table.iter_mut().for_each(|(_, value)| add_to_tables(value));
            table.insert("new_in_2_7".to_owned(), toml::Value::Integer(1));
        }
        toml::Value::Array(values) => values.iter_mut().for_each(add_to_tables),
        _ => {}
    }
}

fn add_to_objects(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.values_mut().for_each(add_to_objects);
            object.insert("new_in_2_7".to_owned(), "1".into());
        }
        Value::Array(values) => values.iter_mut().for_each(add_to_objects),
        _ => {}
    }
}

/// A run as a newer minor version would have written it: more fields in the spec, and in the records from which no
/// others follow.
fn of_newer_minor() -> Hardset {
    let hardset = with_fixture("format-2");
    reseal(&hardset.path("run/spec.toml"), |spec| {
        let mut spec: toml::Value = toml::from_str(&spec.replace("minor = 0", "minor = 7")).expect("it is TOML");
        add_to_tables(&mut spec);
        toml::to_string(&spec).expect("it is TOML")
    });
    let mined = fs::read_dir(hardset.path("run/mined")).expect("a folder").flatten().map(|entry| entry.path());
    let records: Vec<PathBuf> = mined.filter(|path| path.extension().is_some_and(|e| e == "json")).collect();
    for record in records.into_iter().chain([hardset.path("run/dropped.json")]) {
        reseal_json(&record, |rest| {
            let mut value: Value = serde_json::from_str(&format!("{{{rest}")).expect("it is JSON");
            add_to_objects(&mut value);
            let text = serde_json::to_string_pretty(&value).expect("it is JSON");
            text.strip_prefix("{\n").expect("an object").to_owned() + "\n"
        });
    }
    hardset
}

#[test]
fn a_newer_minor_version_is_read_and_not_changed() {
    let hardset = of_newer_minor();
    let before = hashes(&hardset.path("run"));
    for (command, changes) in COMMANDS {
        let run = hardset.line(command);
        if changes {
            run.refused(2, &["format 2.7", "hardset 0.2.0", "can read it, but not change it"]);
        } else {
            run.ok();
        }
    }
    assert_eq!(hashes(&hardset.path("run")), before);
}

#[test]
fn a_newer_major_version_is_refused_with_what_wrote_it() {
    let hardset = with_fixture("format-2");
    reseal(&hardset.path("run/spec.toml"), |spec| {
        spec.replace("major = 2", "major = 3").replace("hardset 0.2.0", "hardset 1.4.0")
    });
    for (command, _) in COMMANDS {
        hardset.line(command).refused(2, &["format 3.0", "written by hardset 1.4.0", "use hardset 1.4.0"]);
    }
    reseal_json(&hardset.path("release/release.json"), |record| {
        record.replace("\"major\": 2", "\"major\": 3").replace("hardset 0.2.0", "hardset 1.4.0")
    });
    for command in ["status release", "verify release"] {
        hardset.line(command).refused(2, &["format 3.0", "written by hardset 1.4.0"]);
    }
}
