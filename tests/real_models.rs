//! Five real classifiers over 400 photographs, held against what Pillow, torchvision and onnxruntime gave in Python;
//! files that break readers; and a classifier that is added to a mined run.
//!
//! Needs the project's shared data and an ONNX Runtime library; says so loudly and checks nothing where they are
//! absent.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use common::{Hardset, REAL_MODELS, Run, hashes, ort_library, strings, table, test_data};
use hardset::table::predictions_table;
use serde::Deserialize;
use serde_json::Value;

/// `parity/predictions.json`, as far as it is used here.
#[derive(Deserialize)]
struct Reference {
    accuracy: BTreeMap<String, f64>,
    predictions: BTreeMap<String, BTreeMap<String, Value>>,
    failures_per_photo_histogram: Vec<i64>,
}

/// Where the real things are.
struct Real {
    library: PathBuf,
    surrogates: PathBuf,
    hardset: Hardset,
}

impl Real {
    /// `None` after saying loudly what is absent.
    fn find() -> Option<Self> {
        let surrogates = test_data("surrogates")?;
        Some(Self { library: ort_library()?, surrogates, hardset: Hardset::new() })
    }

    /// Calls the program with the library and the weights.
    fn run(&self, args: &[&str]) -> Run {
        let mut command = self.hardset.command(args);
        Run::of(command.env("ORT_DYLIB_PATH", &self.library).env("HARDSET_DATA_DIR", &self.surrogates))
    }

    /// Builds the real recipe over the photographs in `root` into `run`, with these surrogates.
    fn build(&self, root: &Path, models: &[&str]) -> Run {
        let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/photos.toml");
        let root = format!("generate.root={}", root.display());
        let models =
            format!("mine.surrogates=[{}]", models.iter().map(|m| format!("'{m}'")).collect::<Vec<_>>().join(","));
        let recipe = recipe.to_string_lossy();
        let rule = "mine.rule=at-least=1";
        let options = ["--run-dir", "run", "--format", "json", "--set", &root, "--set", &models, "--set", rule];
        self.run(&[&["build", &recipe], &options[..]].concat())
    }

    /// All predictions of one surrogate: the photograph's name, its five classes and their probabilities, and whether
    /// the first is right.
    fn predictions(&self, model: &str) -> BTreeMap<String, (Vec<i32>, Vec<f32>, bool)> {
        let plan = table(&self.hardset.path("run/plan.parquet"));
        let ids = plan.column("item_id").and_then(|ids| ids.u32()).expect("a plan has ids");
        let names: BTreeMap<u32, String> = ids.into_no_null_iter().zip(strings(&plan, "source")).collect();
        let folder = self.hardset.path("run/predictions").join(model);
        let shards = hashes(&folder).into_keys().filter(|name| name.ends_with(".parquet"));
        let rows = shards.flat_map(|shard| predictions_table::decode(&folder.join(shard)).expect("it is a table"));
        rows.map(|row| (names[&row.item_id.0].clone(), (row.top5_ids, row.top5_probs, row.any.correct))).collect()
    }
}

fn json_file<T: for<'a> Deserialize<'a>>(path: &Path) -> T {
    let text = fs::read_to_string(path).expect("the shared data is readable");
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn five_classifiers_say_of_400_photographs_what_they_say_in_python() {
    let (Some(real), Some(photos), Some(parity)) = (Real::find(), test_data("photos"), test_data("parity")) else {
        return;
    };
    let reference: Reference = json_file(&parity.join("predictions.json"));
    let mining = real.build(&photos, &REAL_MODELS).ok().json()["mining"].clone();
    let (mut pairs, mut same_top1, mut near, mut worst) = (0, 0, 0, 0.0_f64);
    for model in REAL_MODELS {
        let ours = real.predictions(model);
        assert_eq!(ours.len(), reference.predictions.len(), "{model}");
        let right = ours.values().filter(|(_, _, correct)| *correct).count() as f64 / ours.len() as f64;
        eprintln!("{model}: accuracy {right} (Python: {})", reference.accuracy[model]);
        assert!((right - reference.accuracy[model]).abs() <= 0.0025, "{model}: {right}");
        for (photo, (ids, probs, _)) in &ours {
            let theirs = &reference.predictions[photo][model];
            let distance = (f64::from(probs[0]) - theirs["p"][0].as_f64().expect("a number")).abs();
            pairs += 1;
            same_top1 += usize::from(theirs["top5"][0] == ids[0]);
            near += usize::from(distance <= 0.002);
            worst = worst.max(distance);
        }
    }
    let histogram: Vec<i64> =
        mining["histogram"].as_array().expect("a list").iter().filter_map(Value::as_i64).collect();
    eprintln!(
        "top-1 equal for {same_top1} of {pairs} pairs; its probability within 0.002 for {near}, worst {worst:.5}"
    );
    eprintln!("failures per photo {histogram:?} (Python: {:?})", reference.failures_per_photo_histogram);
    assert_eq!(pairs, 2000);
    assert!(same_top1 as f64 >= 0.998 * f64::from(pairs), "top-1 equal for {same_top1} of {pairs}");
    assert!(near as f64 >= 0.99 * f64::from(pairs), "top-1 probability within 0.002 for {near} of {pairs}");
    let bins = histogram.iter().zip(&reference.failures_per_photo_histogram);
    assert!(histogram.len() == 6 && bins.clone().all(|(ours, theirs)| (ours - theirs).abs() <= 2), "{histogram:?}");
}

#[test]
fn every_file_that_breaks_readers_is_mined_or_has_a_row() {
    let (Some(real), Some(edge)) = (Real::find(), test_data("edge")) else { return };
    let expected: BTreeMap<String, Value> = json_file(&edge.join("expected.json"));
    real.build(&edge, &[REAL_MODELS[0], REAL_MODELS[4]]).expect(3);
    let manifest: BTreeSet<String> =
        strings(&table(&real.hardset.path("run/manifest.parquet")), "path").into_iter().collect();
    let dropped = table(&real.hardset.path("run/dropped.parquet"));
    let reasons: BTreeMap<String, String> =
        strings(&dropped, "source").into_iter().zip(strings(&dropped, "reason")).collect();
    assert_eq!(reasons.len(), dropped.height(), "each file has one row");
    for (file, expected) in &expected {
        let readable = expected.get("error").is_none() && file != "nolabel.jpg";
        assert_eq!((manifest.contains(file), reasons.contains_key(file)), (readable, !readable), "{file}: {reasons:?}");
        if !readable {
            eprintln!("{file}: {}", reasons[file]);
            assert!(!reasons[file].is_empty());
        }
    }
    assert_eq!(manifest.len() + reasons.len(), expected.len());
    real.run(&["verify", "run"]).ok();
}

/// A folder with the first `count` photographs.
fn few_photos(real: &Real, count: usize) -> Option<PathBuf> {
    let photos = test_data("photos")?;
    let names = hashes(&photos).into_keys().take(count);
    names.for_each(|name| {
        real.hardset.write(&format!("photos/{name}"), fs::read(photos.join(&name)).expect("photos are readable"));
    });
    Some(real.hardset.path("photos"))
}

#[test]
fn a_classifier_added_to_a_mined_run_is_the_only_one_that_runs() {
    let Some(real) = Real::find() else { return };
    let Some(photos) = few_photos(&real, 24) else { return };
    real.build(&photos, &REAL_MODELS[..2]).ok();
    let before = hashes(&real.hardset.path("run/predictions"));
    let added = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/real/surrogates/{}.toml", REAL_MODELS[3]));
    let names = format!("{},{},{}", REAL_MODELS[0], REAL_MODELS[1], added.display());
    let run = real.run(&["mine", "run", "--surrogates", &names, "--rule", "at-least=2", "--format", "json"]).ok();
    let fresh: Vec<_> = run.json()["scored"].as_array().expect("a list").iter().map(|s| s["fresh"].clone()).collect();
    assert_eq!(fresh, [0, 0, 24]);
    assert!(run.stderr.contains(&format!("scoring with {} (", REAL_MODELS[3])), "{}", run.stderr);
    let after = hashes(&real.hardset.path("run/predictions"));
    assert!(before.iter().all(|(name, hash)| after[name] == *hash), "what was scored stays as it was");
    assert!(after.keys().filter(|name| !before.contains_key(*name)).all(|name| name.starts_with(REAL_MODELS[3])));
    // Another rule over all three needs no library and no weights.
    let again = real.hardset.line("mine run --rule all --format json").ok().json();
    assert!(again["scored"].as_array().expect("a list").iter().all(|s| s["fresh"] == 0), "{again}");
}

#[test]
fn the_number_of_threads_changes_no_byte_of_real_predictions() {
    let Some(real) = Real::find() else { return };
    let Some(photos) = few_photos(&real, 20) else { return };
    real.build(&photos, &REAL_MODELS).ok();
    fs::rename(real.hardset.path("run"), real.hardset.path("all-threads")).expect("it can be moved");
    let root = format!("generate.root={}", photos.display());
    let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/photos.toml");
    let recipe = recipe.to_string_lossy();
    let rule = "mine.rule=at-least=1";
    real.run(&["build", &recipe, "--set", &root, "--set", rule, "--run-dir", "run", "--threads", "1"]).ok();
    common::assert_same(&real.hardset.path("run"), &real.hardset.path("all-threads"));
}

#[test]
fn a_photograph_that_changes_after_it_was_pinned_is_lost_with_a_reason() {
    let Some(real) = Real::find() else { return };
    let Some(photos) = few_photos(&real, 12) else { return };
    real.build(&photos, &REAL_MODELS[..1]).ok();
    let changed = hashes(&photos).into_keys().next().expect("there are photographs");
    fs::write(photos.join(&changed), b"another picture").expect("files can be written");
    real.run(&["verify", "run"]).expect(3).out(&[&changed, "changed since it was pinned", "1 problem(s)"]);
    let added = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/real/surrogates/{}.toml", REAL_MODELS[1]));
    let names = format!("{},{}", REAL_MODELS[0], added.display());
    real.run(&["mine", "run", "--surrogates", &names, "--rule", "all"]).expect(3);
    let dropped = table(&real.hardset.path("run/dropped.parquet"));
    assert_eq!(strings(&dropped, "source"), [changed]);
    assert!(strings(&dropped, "reason")[0].contains("changed since it was pinned"));
    // The run says of that one that it is lost.
    real.run(&["verify", "run"]).ok();
}
