//! Targets on a release, as a user evaluates them: figures, tiers, comparison, leaderboard, verification, bad input.
//!
//! Works on fake images and fake classifiers, so that it needs no library; the reference numbers of the statistics are
//! in the unit tests of `stats`, real models in `real_models.rs`.

mod common;

use std::collections::BTreeMap;
use std::fs;

use common::{Hardset, Run, assert_same, copy, floats, hashes, strings, table};
use serde_json::Value;

const TARGETS: &str = "t-good.toml,t-twin.toml,t-bad.toml";

/// A release of fake images, and three fake targets of which two are nearly equal.
fn with_release() -> Hardset {
    let hardset = Hardset::new();
    hardset.write(
        "p.toml",
        "name = \"small\"\ncategories = \"quickstart\"\n\n[generate]\nsource = \"fake\"\nimages_per_category = 40\n\
         size_px = 16\n\n[mine]\nsurrogates = [\"fake-a\", \"fake-b\", \"fake-c\"]\nrule = \"at-least=2\"\n\n\
         [release]\ntitle = \"small\"\nlicense = \"mit\"\n",
    );
    for (name, seed, accuracy) in [("t-good", 11, 0.8), ("t-twin", 12, 0.79), ("t-bad", 13, 0.3)] {
        hardset.write(&format!("{name}.toml"), format!("fake = {{ seed = {seed}, accuracy = {accuracy} }}\n"));
    }
    hardset.line("build p.toml --run-dir run -q").ok();
    hardset.line("release run --out release -q").ok();
    hardset
}

fn evaluate(hardset: &Hardset, rest: &str) -> Run {
    hardset.line(&format!("evaluate release --targets {TARGETS} --out eval -q {rest}"))
}

/// The value of a figure about all images.
fn figure(hardset: &Hardset, eval: &str, target: &str, space: &str, metric: &str) -> Option<f64> {
    let frame = table(&hardset.path(&format!("{eval}/results.parquet")));
    let column = |name: &str| strings(&frame, name);
    let (targets, spaces, metrics) = (column("target"), column("space"), column("metric"));
    let (groups, values) = (column("group_by"), floats(&frame, "value"));
    let at = (0..targets.len())
        .find(|&at| targets[at] == target && spaces[at] == space && metrics[at] == metric && groups[at] == "all");
    values[at?]
}

fn results(hardset: &Hardset, path: &str) -> Value {
    let text = fs::read_to_string(hardset.path(path)).expect("it is there");
    serde_json::from_str(&text).expect("it is JSON")
}

#[test]
fn a_release_is_evaluated_and_nothing_of_it_changes() {
    let hardset = with_release();
    let before = hashes(&hardset.path("release"));
    let run = evaluate(&hardset, "--format json").ok();
    let json = run.json();
    let board = json["leaderboard"].as_array().expect("a list").clone();
    // Best first, then the surrogates without a tier.
    let names: Vec<&str> = board.iter().filter_map(|row| row["target"].as_str()).collect();
    assert_eq!(names.len(), 6, "{names:?}");
    assert_eq!(names[2..], ["t-bad", "fake-a", "fake-b", "fake-c"]);
    assert_eq!((&board[0]["tier"], &board[1]["tier"]), (&1.into(), &1.into()), "twins are one tier");
    assert_eq!((&board[2]["tier"], &board[3]["tier"]), (&2.into(), &Value::Null));
    for row in &board {
        assert!(row["n"].as_u64() > Some(0) && row["low"].is_number() && row["method"].is_string(), "{row}");
    }
    assert_eq!(hashes(&hardset.path("release")), before, "nothing is written into the release");
    for name in ["evaluation.toml", "results.parquet", "comparisons.parquet", "agreement.parquet", "index.html"] {
        assert!(hardset.path("eval").join(name).is_file(), "{name}");
    }
    // The table of a target has each image of the release, with its hash and category.
    let rows = table(&hardset.path("eval/results/t-good/00000.parquet"));
    assert_eq!(rows.height() as u64, json["pool"]["images"].as_u64().expect("a number"));
    for column in ["sha256", "category", "masked_max_logit", "masked_energy", "correct", "masked_correct", "lost"] {
        assert!(rows.column(column).is_ok(), "{column}");
    }
    let shown = figure(&hardset, "eval", "t-bad", "any-of-ids", "accuracy").expect("a value");
    assert!((0.2..0.4).contains(&shown), "{shown}");
    hardset.line("verify eval -q").ok();
}

#[test]
fn a_second_evaluation_has_the_same_bytes_and_a_further_target_costs_itself() {
    let hardset = with_release();
    evaluate(&hardset, "").ok();
    hardset.line(&format!("evaluate release --targets {TARGETS} --out again -q --threads 1")).ok();
    assert_same(&hardset.path("again"), &hardset.path("eval"));
    hardset.write("t-new.toml", "fake = { seed = 21, accuracy = 0.5 }\n");
    let run = hardset.line("evaluate release --targets t-new.toml --out eval --format json -q").ok();
    let fresh: BTreeMap<String, u64> = run.json()["fresh"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|row| (row["target"].as_str().unwrap_or_default().to_owned(), row["fresh"].as_u64().unwrap_or(9)))
        .collect();
    assert_eq!(fresh.len(), 4);
    assert!(fresh.iter().all(|(name, fresh)| (*fresh > 0) == (name == "t-new")), "{fresh:?}");
    // Whichever came first, the evaluation of all four is one and the same.
    hardset.line(&format!("evaluate release --targets t-new.toml,{TARGETS} --out all -q")).ok();
    assert_same(&hardset.path("all"), &hardset.path("eval"));
    hardset.line("verify eval -q").ok();
}

#[test]
fn without_targets_the_surrogates_are_shown_and_nothing_is_scored() {
    let hardset = with_release();
    let run = hardset.line("evaluate release --out eval --format json -q").ok();
    let board = run.json()["leaderboard"].as_array().expect("a list").clone();
    assert_eq!(board.len(), 3);
    assert!(board.iter().all(|row| row["tier"].is_null() && row["kind"] == "surrogate"), "{board:?}");
}

#[test]
fn two_targets_are_compared_image_by_image() {
    let hardset = with_release();
    evaluate(&hardset, "").ok();
    let run = hardset.line("compare eval t-good t-bad --format json -q").ok();
    let json = run.json();
    let only = |side: &str| json[side].as_array().map_or(0, Vec::len) as u64;
    assert_eq!(
        (json["only_a"].as_array().map(Vec::len), only("only_b")),
        (Some(only("only_a") as usize), only("only_b"))
    );
    let n = json["n"].as_u64().expect("a number") as f64;
    let difference = json["difference"].as_f64().expect("a number");
    assert!((difference - (only("only_a") as f64 - only("only_b") as f64) / n).abs() < 1e-9);
    assert!(json["equivalent"] == false && hardset.path("eval/compare/t-good--t-bad.any-of-ids.html").is_file());
    hardset.line("compare eval t-good t-twin --margin 20%").ok().out(&["equivalent within 20.0 points"]);
    hardset.line("compare eval t-good nobody").refused(2, &["nobody", "t-bad, t-good, t-twin"]);
    hardset.line("compare eval t-good t-good").refused(2, &["compared with itself"]);
    hardset.line("compare release t-good t-bad").refused(2, &["evaluation.toml"]);
}

#[test]
fn results_of_several_people_are_joined_and_wrong_ones_refused() {
    let hardset = with_release();
    hardset.line("evaluate release --targets t-good.toml,t-bad.toml --out one -q").ok();
    hardset.line("evaluate release --targets t-twin.toml,t-good.toml --out two -q").ok();
    let run = hardset.line("leaderboard one two --out board --format json -q").ok();
    let board = run.json()["leaderboard"].as_array().expect("a list").clone();
    let tiers: Vec<(&str, &Value)> =
        board.iter().map(|row| (row["target"].as_str().unwrap_or_default(), &row["tier"])).collect();
    assert_eq!((tiers.len(), tiers[2]), (3, ("t-bad", &2.into())), "{tiers:?}");
    assert!(hardset.path("board/index.html").is_file() && hardset.path("board/leaderboard.csv").is_file());
    // Files alone, without the tables beside them.
    copy(&hardset.path("two/results/t-twin"), &hardset.path("files/t-twin"));
    fs::remove_file(hardset.path("files/t-twin/00000.parquet")).expect("it is there");
    hardset.line("leaderboard one files --out board2 -q").ok();

    let forge = |name: &str, change: &dyn Fn(&mut Value)| {
        let mut value = results(&hardset, "two/results/t-twin/results.json");
        change(&mut value);
        hardset.write(name, value.to_string());
    };
    let refused = |name: &str, parts: &[&str]| {
        hardset.line(&format!("leaderboard one {name} --out board3 -q")).refused(2, parts);
    };
    forge("pool.json", &|value| value["pool"]["images_sha256"] = "0".repeat(64).into());
    refused("pool.json", &["other images are not comparable"]);
    forge("categories.json", &|value| value["pool"]["categories_sha256"] = "0".repeat(64).into());
    refused("categories.json", &["label space is another one"]);
    forge("missing.json", &|value| value["scored"] = 1.into());
    refused("missing.json", &["images are missing"]);
    forge("short.json", &|value| value["right"]["masked"] = "0f".into());
    refused("short.json", &["images are missing"]);
    forge("better.json", &|value| {
        let metrics = value["metrics"].as_array_mut().expect("a list");
        metrics
            .iter_mut()
            .filter(|metric| metric["metric"] == "accuracy")
            .for_each(|metric| metric["value"] = 0.99.into());
    });
    refused("better.json", &["its accuracy", "not that of its outcomes"]);
    forge("schema.json", &|value| value["schema"] = 9.into());
    refused("schema.json", &["schema 9"]);
    forge("name.json", &|value| value["target"]["name"] = "t-good".into());
    refused("name.json", &["both of a target named `t-good`"]);
    hardset.write("broken.json", "{\"schema\": 1");
    refused("broken.json", &["broken.json", "results.json of schema 1"]);
    refused("release", &["has no results.json"]);
}

#[test]
fn damage_is_found_and_healed() {
    let hardset = with_release();
    evaluate(&hardset, "").ok();
    copy(&hardset.path("eval"), &hardset.path("whole"));
    for name in [
        "results.parquet",
        "comparisons.parquet",
        "agreement.parquet",
        "leaderboard.csv",
        "index.html",
        "images.parquet",
        "surrogates.parquet",
        "results/t-bad/results.json",
        "results/t-bad/00000.parquet",
    ] {
        let path = hardset.path("eval").join(name);
        let mut bytes = fs::read(&path).expect("it is there");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&path, bytes).expect("it can be written");
        let file = name.rsplit('/').next().unwrap_or(name);
        hardset.line("verify eval -q").expect(3).out(&[file]);
        evaluate(&hardset, "").ok();
        assert_same(&hardset.path("eval"), &hardset.path("whole"));
    }
    // A folder that lost its runs still proves its figures.
    fs::remove_dir_all(hardset.path("eval/runs")).expect("it is there");
    hardset.line("verify eval -q").ok();
}

#[test]
fn bad_input_gets_one_message() {
    let hardset = with_release();
    hardset.line("evaluate release --targets nobody.toml --out e -q").refused(2, &["nobody.toml"]);
    hardset.line("evaluate release --targets a/b.onnx --out e -q").refused(2, &["model inspect a/b.onnx"]);
    hardset.line("evaluate nowhere --targets t-good.toml --out e -q").expect(4).err(&["nowhere"]);
    hardset.line("evaluate release --targets fake-a --out e -q").refused(2, &["`fake-a` cannot be a target", "mined"]);
    hardset.write("other-name.toml", fs::read_to_string("surrogates/fake-b.toml").expect("it is there"));
    hardset
        .line("evaluate release --targets other-name.toml --out e2 -q")
        .refused(2, &["`other-name` cannot be a target", "surrogate `fake-b`"]);
    hardset.line("evaluate release --targets t-good.toml --out release/eval -q").refused(2, &["lies inside"]);
    hardset.line("evaluate release --targets t-good.toml --out run -q").refused(2, &["holds other files"]);
    hardset.line("evaluate release --targets t-good.toml --baseline x --out e3 -q").refused(2, &["--baseline", "`x`"]);
    hardset.line("evaluate release --predictions a=b.csv --out e4 -q").expect(2).err(&["--scores"]);
    hardset.write("empty/readme.txt", "nothing");
    hardset.line("evaluate empty --targets t-good.toml --out e5 -q").expect(2).err(&["empty"]);
}

#[test]
fn another_pool_in_the_same_folder_is_refused() {
    let hardset = with_release();
    evaluate(&hardset, "").ok();
    hardset.line("mine run --rule all -q").ok();
    hardset.line("release run --out release2 -q --set release.version=2.0.0").ok();
    let run = hardset.line("evaluate release2 --targets t-good.toml --out eval -q");
    run.refused(2, &["eval", "another pool"]);
}

#[test]
fn status_says_what_an_evaluation_has() {
    let hardset = with_release();
    evaluate(&hardset, "").ok();
    let pages = ["images    ", "spaces    any-of-ids, masked", "page      eval/index.html"];
    let run = hardset.line("status eval").ok().out(&pages).out(&["evaluation of small 1.0.0", "by t-bad (fake"]);
    let json = hardset.line("status eval --format json").ok().json();
    let images = json["pool"]["images"].as_u64().expect("a number");
    assert!(run.stdout.contains(&format!("scored    {images} of {images} images by t-good")), "{}", run.stdout);
    let names: Vec<&str> =
        json["targets"].as_array().expect("a list").iter().filter_map(|row| row["target"]["name"].as_str()).collect();
    assert_eq!((names, &json["done"]), (vec!["t-bad", "t-good", "t-twin"], &true.into()));
    assert!(json["targets"].as_array().expect("a list").iter().all(|row| row["scored"] == images), "{json}");
    // What is gone is said; a table that is gone is an error.
    fs::remove_file(hardset.path("eval/index.html")).expect("it is there");
    hardset.line("status eval").ok().out(&["page      not there", "hardset evaluate"]);
    fs::remove_file(hardset.path("eval/results/t-bad/00000.parquet")).expect("it is there");
    hardset.line("status eval").refused(2, &["t-bad/00000.parquet"]);
    // Stopped before its record was written: the run inside says how far it came.
    fs::remove_file(hardset.path("eval/evaluation.toml")).expect("it is there");
    let json = hardset.line("status eval --format json").ok().json();
    assert_eq!((&json["done"], &json["run"]["planned"]), (&false.into(), &images.into()));
    hardset.line("status eval").ok().out(&["not done", "images by t-good"]);
    hardset.line("status release").ok().out(&["UNVERIFIED"]);
}

/// Ten standard models on a line, and one that is not standard.
const STANDARD: &str = "model,type,clean,shift\nm0,standard,50,20\nm1,standard,54,23\nm2,standard,58,26\n\
    m3,standard,62,30\nm4,standard,66,34\nm5,standard,70,38\nm6,standard,74,43\nm7,standard,78,48\n\
    m8,standard,82,55\nm9,standard,86,62\nbig,more_data,90,85\n";

#[test]
fn robustness_needs_a_clean_twin_and_a_line_of_enough_models() {
    let hardset = with_release();
    hardset.write("standard.csv", STANDARD);
    evaluate(&hardset, "--clean run --fit standard.csv --baseline t-twin").ok();
    let value = |metric: &str| figure(&hardset, "eval", "t-good", "any-of-ids", metric);
    let (clean, drop) = (value("clean_accuracy").expect("a value"), value("drop").expect("a value"));
    assert!((clean - drop - value("accuracy").expect("a value")).abs() < 1e-12);
    assert!(value("effective_robustness").is_some());
    assert_eq!(figure(&hardset, "eval", "t-twin", "any-of-ids", "relative_robustness"), Some(0.0));
    hardset.line("verify eval -q").ok();
    // A further target is scored on the clean twin of the earlier call too.
    hardset.write("t-new.toml", "fake = { seed = 21, accuracy = 0.5 }\n");
    hardset.line("evaluate release --targets t-new.toml --out eval -q").ok();
    assert!(figure(&hardset, "eval", "t-new", "any-of-ids", "effective_robustness").is_some());
    // Nine models are no line.
    hardset.write("few.csv", STANDARD.replace("m9,standard", "m9,more_data"));
    evaluate(&hardset, "--clean run --fit few.csv").ok();
    assert_eq!(value("effective_robustness"), None);
    hardset.write("bad.csv", STANDARD.replace("54", "154"));
    evaluate(&hardset, "--clean run --fit bad.csv").refused(2, &["bad.csv, line 3"]);
}

/// A picture of its own for each number.
fn picture(number: u8) -> Vec<u8> {
    let pixels: Vec<u8> = (0..64).flat_map(|at| [0, number, at]).collect();
    let picture = hardset::imaging::RgbImage::new(8, 8, pixels).expect("it has its size");
    hardset::imaging::encode_png(&picture, &[]).expect("it can be encoded")
}

#[test]
fn corruption_errors_need_a_baseline_on_the_same_pixels() {
    let hardset = with_release();
    let mut number = 0;
    for corruption in ["fog", "snow"] {
        for severity in 1..=5 {
            for image in 0..4 {
                number += 1;
                // The fake classifiers take every such picture for a tench.
                hardset.write(&format!("c/{corruption}/{severity}/n01440764/{image}.png"), picture(number));
            }
        }
    }
    let call = |rest: &str| hardset.line(&format!("evaluate c --targets {TARGETS} --out eval -q {rest}"));
    call("").ok();
    let value = |target: &str, metric: &str| figure(&hardset, "eval", target, "any-of-ids", metric);
    let mean = value("t-bad", "mean_corruption_error_unnormalised").expect("a value");
    let accuracy = value("t-bad", "accuracy").expect("a value");
    assert!((mean + accuracy - 1.0).abs() < 1e-12, "as many images of each severity");
    assert_eq!(value("t-bad", "mce"), None, "without a baseline there is none");
    call("--baseline t-bad").ok();
    assert_eq!(value("t-bad", "mce"), Some(1.0), "it is its own baseline");
    assert!(value("t-good", "mce").expect("a value") < 1.0);
}

#[test]
fn answers_in_words_are_scored_by_both_rules() {
    let hardset = with_release();
    evaluate(&hardset, "").ok();
    let questions = fs::read_to_string(hardset.path("eval/questions.csv")).expect("it is there");
    let mut answers = "path;answer\n".to_owned();
    for (row, line) in csv::Reader::from_reader(questions.as_bytes()).records().enumerate() {
        let line = line.expect("a row");
        let (path, truth, other) = (&line[0], &line[1], &line[2]);
        assert_ne!(truth, other);
        let answer = match row % 4 {
            0 => format!("It is a {truth}."),
            1 => format!("{other}s"),
            2 => format!("a {truth} or a {other}"),
            _ => "no idea".to_owned(),
        };
        answers += &format!("{path};{answer}\n");
    }
    hardset.write("chat.csv", &answers);
    evaluate(&hardset, "--answers chat=chat.csv").ok();
    let value = |metric: &str| figure(&hardset, "eval", "chat", "two-choice", metric);
    let right = value("accuracy").expect("a value");
    assert!((0.2..0.3).contains(&right), "{right}");
    assert!((value("accuracy_at_most").expect("a value") - right - 0.5).abs() < 0.02);
    assert!(value("first_choice").is_some() && value("accuracy_official").is_some());
    hardset.line("verify eval -q").ok();
    let twice = answers.lines().last().map(|line| format!("{answers}{line}\n")).expect("a line");
    hardset.write("twice.csv", twice);
    evaluate(&hardset, "--answers chat=twice.csv").refused(2, &["twice.csv", "answered in line"]);
    hardset.write("columns.csv", "image;text\na;b\n");
    evaluate(&hardset, "--answers chat=columns.csv").refused(2, &["columns `path` and `answer`"]);
    hardset.write("other.csv", "path,answer\nx.png,mug\n");
    evaluate(&hardset, "--answers chat=other.csv").refused(2, &["none of its paths"]);
}

#[test]
fn what_one_call_gives_stays_in_the_next() {
    let hardset = with_release();
    hardset.write("standard.csv", STANDARD);
    hardset.line("evaluate release --targets t-good.toml --out eval -q --seed 3 --keep-logits").ok();
    // The twin comes later, and the targets of before are scored on it; the seed and what is kept stay.
    hardset.line("evaluate release --clean run --fit standard.csv --out eval -q").ok();
    let value = |metric: &str| figure(&hardset, "eval", "t-good", "any-of-ids", metric);
    assert!(value("clean_accuracy").is_some() && value("temperature").is_some());
    hardset.line("evaluate release --targets t-bad.toml --out eval -q").ok();
    assert!(value("effective_robustness").is_some(), "the line stays");
    assert!(figure(&hardset, "eval", "t-bad", "any-of-ids", "drop").is_some());
    hardset.line("verify eval -q").ok();
    // Given at once, it is the same.
    let all = "evaluate release --targets t-bad.toml,t-good.toml --clean run --fit standard.csv --seed 3 --keep-logits";
    hardset.line(&format!("{all} --out all -q")).ok();
    assert_same(&hardset.path("all"), &hardset.path("eval"));
    hardset.line("evaluate release --out eval -q --seed 4").refused(2, &["another pool", "seed"]);
    // Another model under the name of a target takes its place, and it is said.
    hardset.write("alt/t-good.toml", "fake = { seed = 99, accuracy = 0.1 }\n");
    hardset.line("compare eval t-good t-bad -q").ok();
    hardset.line("evaluate release --targets alt/t-good.toml --out eval").ok().err(&["`t-good` is another model"]);
    assert!(value("accuracy").expect("a value") < 0.3 && !hardset.path("eval/compare").exists());
    let two = "evaluate release --targets t-good.toml,alt/t-good.toml --out eval -q";
    hardset.line(two).refused(2, &["two models are named `t-good`"]);
    // Without its runs nothing can be added to it.
    fs::remove_dir_all(hardset.path("eval/runs")).expect("it is there");
    hardset.line("evaluate release --targets t-twin.toml --out eval -q").refused(2, &["lost its folder runs", "t-bad"]);
}

#[test]
fn a_clean_twin_has_the_categories_of_the_pool_and_scores_of_its_own() {
    let hardset = with_release();
    hardset.write(
        "other.toml",
        fs::read_to_string(hardset.path("p.toml")).expect("it is there").replace("quickstart", "imagenet-d"),
    );
    hardset.line("build other.toml --run-dir other -q --set generate.images_per_category=1").ok();
    let other = "evaluate release --targets t-good.toml --clean other --out eval -q";
    hardset.line(other).refused(2, &["categories of imagenet-d", "quickstart"]);
    // Imported scores are of the pool: a twin with the same names has none.
    for (folder, first) in [("pool", 0), ("twin", 100)] {
        for image in 0..12 {
            hardset.write(&format!("{folder}/n01440764/{image}.png"), picture(first + image));
        }
        hardset.write(&format!("{folder}/n01443537/x.png"), picture(first + 50));
    }
    let rows: String = (0..12).map(|image| format!("n01440764/{image}.png,0,0.9\n")).collect();
    hardset.write("scores.csv", format!("path,prediction,prob\n{rows}n01443537/x.png,1,0.9\n"));
    let imported =
        "evaluate pool --predictions mine=scores.csv --scores top-k --targets t-good.toml --clean twin --out e2";
    hardset.line(imported).ok().err(&["mine: imported scores are of the pool"]);
    assert_eq!(figure(&hardset, "e2", "mine", "any-of-ids", "accuracy"), Some(1.0));
    assert_eq!(figure(&hardset, "e2", "mine", "any-of-ids", "drop"), None);
    assert!(figure(&hardset, "e2", "t-good", "any-of-ids", "drop").is_some());
    hardset.line("verify e2 -q").ok();
}

#[test]
fn nothing_of_a_pool_disappears() {
    let hardset = with_release();
    for image in 0..12 {
        hardset.write(&format!("pool/n01440764/{image}.png"), picture(image));
        hardset.write(&format!("pool/n01443537/{image}.png"), picture(image + 20));
    }
    hardset.write("pool/n01440764/broken.png", &picture(90)[..40]);
    hardset.write("pool/zz_unknown/a.png", picture(91));
    let run = hardset.line(&format!("evaluate pool --targets {TARGETS} --out eval --format json -q")).expect(3);
    let json = run.json();
    let counts = ["lost", "left_out"].map(|name| json[name].as_u64());
    assert_eq!((counts, json["pool"]["images"].as_u64()), ([Some(1), Some(1)], Some(25)));
    let left = fs::read_to_string(hardset.path("eval/left-out.csv")).expect("it is there");
    assert!(left.contains("zz_unknown/a.png"), "{left}");
    let value = results(&hardset, "eval/results/t-good/results.json");
    assert_eq!((&value["images"], &value["scored"]), (&25.into(), &24.into()));
    assert_eq!(value["not_scored"][0]["path"], "n01440764/broken.png");
    let page = fs::read_to_string(hardset.path("eval/index.html")).expect("it is there");
    assert!(page.contains("left-out.csv") && page.contains("Not scored"));
    hardset.line("verify eval -q").ok();
}

#[test]
fn a_leaderboard_does_not_depend_on_the_order_of_files_nor_on_what_they_claim() {
    let hardset = with_release();
    hardset.line("evaluate release --targets t-good.toml,t-bad.toml --out one -q --clean run").ok();
    hardset.line("evaluate release --targets t-twin.toml --out two -q --clean release --label-space masked").ok();
    let board = |line: &str| hardset.line(line).ok();
    board("leaderboard one two --out b1").err(&["clean twin"]);
    board("leaderboard two one --out b2 -q");
    assert_same(&hardset.path("b1"), &hardset.path("b2"));
    let csv = fs::read_to_string(hardset.path("b1/leaderboard.csv")).expect("it is there");
    assert!(csv.lines().filter(|line| line.starts_with("any-of-ids,")).count() >= 3, "{csv}");
    let mut forged = results(&hardset, "one/results/t-bad/results.json");
    let metrics = forged["metrics"].as_array_mut().expect("a list");
    let mut tier = metrics[0].clone();
    tier["metric"] = "tier".into();
    tier["value"] = 1.into();
    metrics.insert(0, tier);
    metrics.iter_mut().filter(|metric| metric["metric"] == "accuracy").for_each(|metric| metric["high"] = 1.0.into());
    forged["target"]["name"] = "t-forged".into();
    hardset.write("forged.json", forged.to_string());
    let run = board("leaderboard one forged.json --out b3 -q --format json");
    let rows = run.json()["leaderboard"].as_array().expect("a list").clone();
    let row = |name: &str| rows.iter().find(|row| row["target"] == name).cloned().expect("it has a row");
    assert_eq!((&row("t-forged")["tier"], &row("t-forged")["high"]), (&row("t-bad")["tier"], &row("t-bad")["high"]));
    let refused = |change: &dyn Fn(&mut Value), part: &str| {
        let mut value = forged.clone();
        change(&mut value);
        hardset.write("f.json", value.to_string());
        hardset.line("leaderboard one f.json --out b4 -q").refused(2, &[part]);
    };
    refused(&|value| value["target"]["name"] = "../x".into(), "a name has letters");
    refused(&|value| value["pool"]["prepared_px"] = 224.into(), "not comparable");
    refused(&|value| value["right"]["masked"] = Value::Null, "results.json of schema");
}
