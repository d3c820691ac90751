//! The whole journey with made-up images and classifiers: what a run directory holds, that it is the same whoever makes
//! it, that mining again costs nothing, and that what is wrong is refused with file and key.
//!
//! Needs no library, no network and no data; `common` sets an ONNX Runtime path at which there is nothing.

mod common;

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use common::{
    Hardset, Run, assert_same, fake_recipe, has_unit_file, hash_of, hashes, sha256, strings, table, unit_file,
};
use polars::prelude::DataFrame;
use serde_json::Value;

/// Items of the recipe below: 113 categories, two images of each.
const ITEMS: u64 = 226;
const SHARDS: usize = 4;

/// A program whose folder holds `tiny.toml`; `generate` and `mine` are more lines of those sections.
fn tiny(generate: &str, mine: &str) -> Hardset {
    let hardset = Hardset::new();
    let generate = format!("images_per_category = 2\n{generate}");
    hardset.write("tiny.toml", fake_recipe("tiny", &generate, &format!("rule = \"at-least=2\"\n{mine}")));
    hardset
}

/// The same, built into `run`.
fn built() -> Hardset {
    let hardset = tiny("", "");
    hardset.line("build tiny.toml --run-dir run").ok();
    hardset
}

/// Images scored afresh, by surrogate, from the JSON of `mine` or of `build`'s `mining`.
fn fresh(json: &Value) -> Vec<(String, u64)> {
    let scored = json["scored"].as_array().expect("there is a list of surrogates");
    scored
        .iter()
        .map(|s| (s["surrogate"].as_str().unwrap_or("?").to_owned(), s["fresh"].as_u64().unwrap_or(99)))
        .collect()
}

fn columns(path: &Path) -> (DataFrame, Vec<String>) {
    let table = table(path);
    let names = table.get_column_names().iter().map(|name| name.to_string()).collect();
    (table, names)
}

#[test]
fn the_built_in_recipe_runs_from_an_empty_folder() {
    let hardset = Hardset::new();
    let run = hardset.line("build fake").ok();
    assert!(run.stdout.contains("of 226 items are hard"), "{}", run.stdout);
    assert!(hardset.path("runs/fake/report/index.html").is_file());
}

#[test]
fn a_build_makes_every_file_of_the_run_directory() {
    let hardset = built();
    let files: Vec<String> = hashes(&hardset.path("run")).into_keys().collect();
    let mined = files.iter().find(|file| file.starts_with("mined/") && file.ends_with(".json")).expect("one is made");
    assert!(mined.starts_with("mined/at-least-2-of-3.any-of-ids."), "{mined}");
    let links = ["dropped.parquet", "lock", "manifest.parquet", "report/index.html", "spec.toml"];
    let mut units = vec![("plan".to_owned(), "parquet"), ("dropped".to_owned(), "parquet")];
    units.push((mined.trim_end_matches(".json").to_owned(), "parquet"));
    for shard in 0..SHARDS {
        units.push((format!("images/000/{shard:06}"), "parquet tar"));
        let scorers = ["fake-a", "fake-b", "fake-c"];
        units.extend(scorers.map(|name| (format!("predictions/{name}/000/{shard:06}"), "parquet")));
    }
    let mut expected: Vec<String> = links.map(str::to_owned).into();
    for (unit, extensions) in units {
        expected.push(format!("{unit}.json"));
        for extension in extensions.split(' ') {
            let bytes = fs::read(named(&hardset, &format!("{unit}.{extension}"))).expect("the file is readable");
            expected.push(format!("{unit}.{}.{extension}", &sha256(&bytes)[..8]));
        }
    }
    expected.sort();
    assert_eq!(files, expected);
}

/// A unit's file, not the link for people that has the same name without the hash.
fn named(hardset: &Hardset, name: &str) -> PathBuf {
    let record = fs::read(hardset.path("run").join(name).with_extension("json")).expect("the unit has a record");
    let record: Value = serde_json::from_slice(&record).expect("it is JSON");
    let extension = name.rsplit('.').next().expect("it has one");
    let files = record["files"].as_array().expect("a list").iter().filter_map(|file| file["name"].as_str());
    let file = files.into_iter().find(|file| file.ends_with(extension)).expect("the record names it");
    hardset.path("run").join(name).with_file_name(file)
}

#[test]
fn the_tables_have_the_columns_of_the_contract() {
    let hardset = built();
    let mined = "item_id category nuisance_kind nuisance prompt path n_surrogates n_failed failed_by \
                 agreed_wrong n_agreed_wrong near_tie hard";
    let tables = [
        ("plan", "item_id category label_ids nuisance_kind nuisance template prompt negative_prompt seed", ITEMS),
        ("images/000/000000", "item_id path offset bytes sha256 width_px height_px", 64),
        (
            "predictions/fake-b/000/000003",
            "item_id top5_ids top5_probs true_prob true_rank correct margin max_logit energy",
            ITEMS - 3 * 64,
        ),
        ("manifest", mined, ITEMS),
        ("dropped", "item_id stage reason", 0),
    ];
    for (name, wanted, rows) in tables {
        let (table, names) = columns(&hardset.path(&format!("run/{name}.parquet")));
        let missing: Vec<_> = wanted.split_whitespace().filter(|name| !names.iter().any(|n| n == name)).collect();
        assert!(missing.is_empty(), "{name} lacks {missing:?}; it has {names:?}");
        assert_eq!(table.height() as u64, rows, "{name}");
    }
}

#[test]
fn images_are_in_webdataset_tars_at_the_offsets_that_the_table_gives() {
    let hardset = built();
    let tar = fs::read(unit_file(&hardset.path("run/images/000/000001.tar"))).unwrap();
    let images = table(&hardset.path("run/images/000/000001.parquet"));
    let number = |name: &str, row: usize| images.column(name).unwrap().u64().unwrap().get(row).unwrap() as usize;
    let mut archive = tar::Archive::new(&tar[..]);
    let mut entries = 0;
    for (row, entry) in archive.entries().unwrap().enumerate() {
        entries += 1;
        let entry = entry.unwrap();
        let id = images.column("item_id").unwrap().u32().unwrap().get(row).unwrap();
        assert_eq!(entry.path().unwrap().to_str().unwrap(), format!("{id:08}.png"));
        let bytes = &tar[number("offset", row)..number("offset", row) + number("bytes", row)];
        assert_eq!(sha256(bytes), strings(&images, "sha256")[row]);
    }
    assert_eq!((entries, images.height()), (64, 64));
}

#[test]
fn building_again_changes_no_byte_and_scores_nothing() {
    let hardset = built();
    let before = hashes(&hardset.path("run"));
    let again = hardset.line("build tiny.toml --run-dir run --format json").ok().json();
    assert!(fresh(&again["mining"]).iter().all(|(_, fresh)| *fresh == 0), "{again}");
    assert_eq!(hashes(&hardset.path("run")), before);
}

#[test]
fn the_number_of_threads_changes_no_byte() {
    let hardset = tiny("fail_every = 7", "");
    for threads in ["1", "2", "3"] {
        let line = format!("build tiny.toml --run-dir threads-{threads} --threads {threads}");
        hardset.line(&line).expect(3);
    }
    assert_same(&hardset.path("threads-2"), &hardset.path("threads-1"));
    assert_same(&hardset.path("threads-3"), &hardset.path("threads-1"));
}

#[test]
fn two_devices_share_the_mining_and_give_the_same_bytes() {
    let hardset = tiny("fail_every = 7", "");
    hardset.write("mine/fake-d.toml", "fake = { seed = 4, accuracy = 0.4 }\n");
    hardset.line("build tiny.toml --run-dir one").expect(3);
    let run = hardset.line("build tiny.toml --run-dir two --device cpu,cpu --format json").expect(3);
    assert!(run.stderr.contains("scoring on cpu, cpu"), "{}", run.stderr);
    let left = |json: &Value| fresh(json).iter().map(|(_, fresh)| *fresh).sum::<u64>();
    assert_eq!(left(&run.json()["mining"]), 0, "nothing was left for the first process");
    assert_same(&hardset.path("two"), &hardset.path("one"));
    // The run learns of a new surrogate only when its mining is made; the processes know it all the same.
    let again = "--surrogates fake-b,mine/fake-d.toml --rule all --format json";
    let one = hardset.line(&format!("mine one {again}")).expect(3).json();
    let two = hardset.line(&format!("mine two {again} --device cpu,cpu")).expect(3);
    assert!(left(&one) > 100 && left(&two.json()) == 0, "{one} {two:?}");
    assert!(two.stderr.contains("scoring on cpu, cpu"), "{}", two.stderr);
    assert_same(&hardset.path("two"), &hardset.path("one"));
    let nothing = hardset.line("mine two --device cpu,cpu").expect(3);
    assert!(!nothing.stderr.contains("scoring on"), "{}", nothing.stderr);
}

#[test]
fn a_build_says_that_it_returns_to_the_mining_of_the_recipe() {
    let hardset = built();
    hardset.line("mine run --rule all -q").ok();
    let words = "the mining is that of the recipe: at-least-2-of-3";
    hardset.line("build tiny.toml --run-dir run").ok().err(&[words]);
    let again = hardset.line("build tiny.toml --run-dir run").ok();
    assert!(!again.stderr.contains(words), "{}", again.stderr);
}

#[test]
fn who_reads_json_is_told_in_words_what_was_lost() {
    let hardset = tiny("fail_every = 7", "");
    hardset.line("build tiny.toml --run-dir run --format json -q").expect(3).err(&["lost", "dropped.parquet"]);
}

#[test]
fn the_pixels_of_an_item_do_not_depend_on_the_size_of_shards() {
    let hardset = tiny("", "");
    hardset.line("build tiny.toml --run-dir small --set shard_items=10").ok();
    hardset.line("build tiny.toml --run-dir large --set shard_items=1000").ok();
    let shards = |run: &str| {
        let folder = fs::read_dir(hardset.path(run).join("images/000")).unwrap().map(|entry| entry.unwrap().path());
        let mut tables: Vec<_> = folder.filter(|path| path.extension().is_some_and(|ext| ext == "parquet")).collect();
        tables.sort();
        tables.iter().flat_map(|path| strings(&table(path), "sha256")).collect::<Vec<String>>()
    };
    assert_eq!(shards("small").len() as u64, ITEMS);
    assert_eq!(shards("small"), shards("large"));
}

#[test]
fn json_is_one_object_on_stdout_and_quiet_says_nothing_else() {
    let hardset = tiny("", "");
    let run = hardset.line("build tiny.toml --run-dir run --format json -q").ok();
    let json = run.json();
    assert_eq!(run.stderr, "");
    assert_eq!(json["mining"]["items"], ITEMS);
    let histogram: u64 = json["mining"]["histogram"].as_array().unwrap().iter().filter_map(Value::as_u64).sum();
    assert_eq!(histogram, ITEMS);
    for (command, key) in [
        ("status run", "planned"),
        ("verify run", "problems"),
        ("report run", "shown"),
        ("mine run", "items"),
        ("generate run", "kept"),
        ("plan tiny.toml --run-dir run", "items"),
        ("plan tiny.toml --dry-run", "inferences"),
    ] {
        let json = hardset.line(&format!("{command} --format json")).ok().json();
        assert!(json.get(key).is_some_and(|value| !value.is_null()), "{command} has no {key}: {json}");
    }
}

#[test]
fn set_and_seed_change_the_recipe_and_nothing_else() {
    let hardset = tiny("", "");
    let hard =
        |line: &str| hardset.line(&format!("build tiny.toml {line} --format json")).ok().json()["mining"].clone();
    let plain = hard("--run-dir a");
    assert_eq!(hard("--run-dir b --set mine.rule=all")["id"].as_str().unwrap().split('.').next(), Some("all-of-3"));
    assert_eq!(hard("--run-dir c --set generate.images_per_category=1")["items"], 113);
    assert_eq!(hard("--run-dir d --seed 0")["hard"], plain["hard"]);
    hard("--run-dir e --seed 5");
    hard("--run-dir f --set seed=5");
    assert_same(&hardset.path("f"), &hardset.path("e"));
    let tar = |run: &str| hash_of(&hashes(&hardset.path(run)), "images/000/000000.tar");
    assert_ne!(tar("e"), tar("a"));
}

/// Adds `line` to `[mine]` of the tiny recipe, or gives `args` to `build`: refused with exit code 2 and these parts.
fn check_refused(line: &str, args: &str, parts: &[&str]) {
    let hardset = tiny("", line);
    hardset.line(&format!("build tiny.toml --run-dir run {args}")).refused(2, parts);
    assert!(!has_unit_file(&hardset.path("run/plan.parquet")), "nothing is planned for {line}{args}");
}

#[test]
fn wrong_recipes_are_refused_with_file_and_key() {
    check_refused("sead = 3", "", &["tiny.toml", "sead"]);
    check_refused("", "--set generate.sise_px=8", &["tiny.toml", "sise_px"]);
    check_refused("", "--set generate.root=/photos", &["tiny.toml", "`root`", "in `generate`"]);
    check_refused("", "--set mine.rule=most", &["tiny.toml", "most", "at-least=K"]);
    check_refused("", "--set mine.rule=at-least=4", &["tiny.toml", "at-least=4", "3 surrogate"]);
    check_refused("max_true_prob = 2.0", "", &["tiny.toml", "mine.max_true_prob", "0 to 1"]);
    check_refused("", "--set mine.surrogates=['fake-z']", &["fake-z", "fake-a, fake-b, fake-c"]);
    check_refused("targets = ['fake-a']", "", &["tiny.toml", "mine.targets", "fake-a", "surrogate"]);
    check_refused("targets = ['fake-z']", "", &["fake-z", "fake-a, fake-b, fake-c"]);
    check_refused("", "--set categories=none-such", &["none-such", "imagenet-1k, imagenet-a, imagenet-d"]);
    check_refused("", "--set name=../up", &["tiny.toml", "name"]);
}

#[test]
fn wrong_words_on_the_command_line_are_usage_errors() {
    let hardset = built();
    for line in ["", "bild fake", "build", "build fake --threads 0", "mine run --rule most", "build fake --device tpu"]
    {
        assert_eq!(hardset.line(line).code, Some(2), "{line}");
    }
    hardset.line("build none-such").refused(2, &["no pipeline `none-such`", "fake, imagenet-d, photos"]);
    hardset.line("build quickstart").refused(2, &["`quickstart`", "checkout", "pipelines/quickstart.toml"]);
    hardset.line("mine run --rule at-least=4").refused(2, &["at-least=4"]);
    hardset.line("status nowhere").refused(2, &["nowhere", "not a run directory"]);
    hardset.line("fetch none-such").refused(2, &["none-such"]);
}

#[test]
fn another_pool_in_the_same_directory_is_refused_and_nothing_is_harmed() {
    let hardset = built();
    let before = hashes(&hardset.path("run"));
    for (change, difference) in
        [("--seed 9", "seed"), ("--set generate.size_px=16", "[generate]"), ("--set shard_items=8", "shard_items")]
    {
        let line = format!("build tiny.toml --run-dir run {change}");
        hardset.line(&line).refused(2, &["pool of another recipe", difference, "--run-dir"]);
        assert_eq!(hashes(&hardset.path("run")), before, "{change}");
    }
}

#[test]
fn mining_again_by_rule_subset_or_label_space_scores_nothing() {
    let hardset = built();
    let mine = |args: &str| hardset.line(&format!("mine run {args} --format json")).ok().json();
    let mut ids = std::collections::BTreeSet::new();
    for args in [
        "--rule all",
        "--rule at-least=1",
        "--surrogates fake-c,fake-a --rule all",
        "--surrogates fake-b --rule all",
        "--surrogates fake-a,fake-b,fake-c --label-space masked",
        "--max-true-prob 0.1",
        "--max-margin -0.2",
        "--near-tie 0.3",
    ] {
        let json = mine(args);
        assert!(fresh(&json).iter().all(|(_, fresh)| *fresh == 0), "{args}: {json}");
        assert_eq!(json["items"], ITEMS);
        assert!(ids.insert(json["id"].to_string()), "{args} has an id of its own");
    }
    // Each has a table and a record.
    assert_eq!(fs::read_dir(hardset.path("run/mined")).unwrap().count(), 2 * (ids.len() + 1));
    let rows = |json: &Value| json["hard"].as_u64().unwrap();
    let [one, two, all] = ["at-least=1", "at-least=2", "all"]
        .map(|rule| rows(&mine(&format!("--rule {rule} --label-space any-of-ids --max-true-prob 1 --max-margin 0"))));
    assert!(one > two && two > all && all > 0, "{one} {two} {all}");
}

#[test]
fn the_manifest_follows_from_the_predictions() {
    let hardset = built();
    let flag =
        |table: &DataFrame, name: &str, row: usize| table.column(name).unwrap().bool().unwrap().get(row).unwrap();
    let manifest = table(&hardset.path("run/manifest.parquet"));
    let predictions: Vec<DataFrame> = ["fake-a", "fake-b", "fake-c"]
        .map(|name| table(&hardset.path(&format!("run/predictions/{name}/000/000000.parquet"))))
        .into();
    for row in 0..64 {
        let failed = predictions.iter().filter(|table| !flag(table, "correct", row)).count();
        let said = manifest.column("n_failed").unwrap().u32().unwrap().get(row).unwrap();
        assert_eq!((said as usize, flag(&manifest, "hard", row)), (failed, failed >= 2), "row {row}");
    }
}

#[test]
fn an_added_surrogate_is_the_only_one_that_scores() {
    let hardset = built();
    hardset.write("mine/fake-d.toml", "fake = { seed = 9, accuracy = 0.7 }\n");
    let before = hashes(&hardset.path("run"));
    let line = "mine run --surrogates fake-a,fake-b,fake-c,mine/fake-d.toml --rule at-least=3 --format json";
    let json = hardset.line(line).ok().json();
    let expected = [("fake-a", 0), ("fake-b", 0), ("fake-c", 0), ("fake-d", ITEMS)];
    assert_eq!(fresh(&json), expected.map(|(name, fresh)| (name.to_owned(), fresh)));
    let after = hashes(&hardset.path("run"));
    let changed: Vec<_> = before.keys().filter(|name| after[*name] != before[*name]).collect();
    assert_eq!(changed, ["dropped.json", "manifest.parquet", "spec.toml"]);
    // From now on it goes by its name.
    let json = hardset.line("mine run --surrogates fake-d,fake-a --rule all --format json").ok().json();
    assert!(fresh(&json).iter().all(|(_, fresh)| *fresh == 0), "{json}");
}

#[test]
fn targets_are_scored_and_have_no_say() {
    let hardset = Hardset::new();
    let generate = "images_per_category = 2";
    let recipe = fake_recipe("tiny", generate, "rule = \"all\"").replace(", \"fake-c\"", "");
    hardset.write("without.toml", &recipe);
    hardset.write("with.toml", recipe + "targets = [\"fake-c\"]\n");
    hardset.line("build without.toml --run-dir without").ok();
    hardset.line("build with.toml --run-dir with").ok();
    let files = |run: &str| hashes(&hardset.path(run));
    assert_eq!(files("with")["manifest.parquet"], files("without")["manifest.parquet"]);
    hardset.line("verify with").ok();
    let is_apart = |line: &str| line.contains("226 images by fake-c") && line.ends_with("a target: it does not vote");
    assert!(hardset.line("status with").ok().stdout.lines().any(is_apart));
    let page = |run: &str| fs::read_to_string(hardset.path(&format!("{run}/report/index.html"))).unwrap();
    assert!(
        page("with").contains("Targets: models that do not vote")
            && !page("without").contains("Targets: models that do not vote")
    );

    // A target that is named later is the only one that scores, and the result is the same.
    let json = hardset.line("build with.toml --run-dir without --format json").ok().json();
    let expected = [("fake-a", 0), ("fake-b", 0), ("fake-c", ITEMS)];
    assert_eq!(fresh(&json["mining"]), expected.map(|(name, fresh)| (name.to_owned(), fresh)));
    assert_same(&hardset.path("without"), &hardset.path("with"));

    // Mining again keeps it apart, also when it is named as a file.
    hardset.line("mine with --rule at-least=1").ok();
    assert!(hardset.line("status with").ok().stdout.lines().any(is_apart));
    hardset.write("other/fake-c.toml", "fake = { seed = 9, accuracy = 0.7 }\n");
    hardset.write("other/alias.toml", "fake = { seed = 3, accuracy = 0.7 }\n");
    for name in ["fake-c", "other/fake-c.toml", "other/alias.toml"] {
        let line = format!("mine with --surrogates fake-a,{name}");
        hardset.line(&line).refused(2, &["fake-c", "target", "mine.targets"]);
    }
    let line =
        "build with.toml --run-dir third --set mine.targets=['other/alias.toml'] --set mine.surrogates=['fake-c']";
    hardset.line(line).refused(2, &["`fake-c` is the same model as the target `alias`"]);
}

#[test]
fn a_report_counts_a_target_as_its_predictions_say() {
    let hardset = tiny("", "");
    let line = "build tiny.toml --run-dir run --set mine.surrogates=['fake-a','fake-b'] --set mine.targets=['fake-c']";
    hardset.line(line).ok();
    let manifest = table(&hardset.path("run/manifest.parquet"));
    let flags = |table: &DataFrame, name: &str| -> Vec<bool> {
        table.column(name).unwrap().bool().unwrap().iter().flatten().collect()
    };
    let hard = flags(&manifest, "hard");
    let shard = |at: usize| table(&hardset.path(&format!("run/predictions/fake-c/000/{at:06}.parquet")));
    let right: Vec<bool> = (0..SHARDS).flat_map(|at| flags(&shard(at), "correct")).collect();
    let percent = |of: &mut dyn Iterator<Item = bool>| {
        let of: Vec<bool> = of.collect();
        format!("{:.1}\u{a0}%", 100.0 * of.iter().filter(|right| **right).count() as f64 / of.len() as f64)
    };
    let on_pool = percent(&mut right.iter().copied());
    let on_hard = percent(&mut right.iter().zip(&hard).filter(|(_, hard)| **hard).map(|(right, _)| *right));
    let page = fs::read_to_string(hardset.path("run/report/index.html")).unwrap();
    let (start, end) = (page.find("id=\"targets\"").unwrap(), page.find("id=\"nuisances\"").unwrap_or(page.len()));
    let section = &page[start..end];
    assert!(section.contains(&on_pool) && section.contains(&on_hard), "{on_pool} {on_hard} {section}");
}

#[test]
fn failed_items_cost_themselves_alone_and_have_a_row_each() {
    let hardset = tiny("fail_every = 10", "");
    let json = hardset.line("build tiny.toml --run-dir run --format json").expect(3).json();
    let dropped = table(&hardset.path("run/dropped.parquet"));
    assert_eq!((json["mining"]["items"].as_u64(), dropped.height()), (Some(204), 22));
    assert!(strings(&dropped, "stage").iter().all(|stage| stage == "generate"));
    let ids: Vec<u32> = dropped.column("item_id").unwrap().u32().unwrap().into_no_null_iter().collect();
    assert_eq!(ids, (0..22).map(|i| 10 * i + 9).collect::<Vec<u32>>());
    assert_eq!(table(&hardset.path("run/manifest.parquet")).height(), 204);
    hardset.line("verify run").ok();
}

#[test]
fn rows_in_are_rows_kept_dropped_and_failed() {
    let hardset = tiny("fail_every = 10", "");
    hardset.line("build tiny.toml --run-dir run").expect(3);
    let totals = |prefix: &str| {
        let mut totals = [0; 4];
        for name in hashes(&hardset.path("run")).into_keys().filter(|n| n.starts_with(prefix) && n.ends_with(".json")) {
            let record: Value = serde_json::from_slice(&fs::read(hardset.path("run").join(&name)).unwrap()).unwrap();
            let rows = ["given", "kept", "dropped", "failed"].map(|key| record["rows"][key].as_u64().unwrap());
            assert_eq!(rows[0], rows[1] + rows[2] + rows[3], "{name}");
            assert_eq!(record["lost"].as_array().unwrap().len() as u64, rows[2] + rows[3], "{name}");
            totals.iter_mut().zip(rows).for_each(|(total, rows)| *total += rows);
        }
        totals
    };
    let (plan, images) = (totals("plan"), totals("images/"));
    assert_eq!((plan[1], images[0]), (ITEMS, ITEMS));
    for name in ["fake-a", "fake-b", "fake-c"] {
        assert_eq!(totals(&format!("predictions/{name}/"))[0], images[1], "{name}");
    }
}

#[test]
fn a_dry_run_counts_and_writes_nothing() {
    let hardset = tiny("", "");
    let json = hardset.line("plan tiny.toml --dry-run --format json").ok().json();
    assert_eq!((&json["items"], &json["categories"], &json["shards"]), (&ITEMS.into(), &113.into(), &SHARDS.into()));
    assert_eq!(json["inferences"], 3 * ITEMS);
    assert_eq!(hashes(&hardset.path("")).into_keys().collect::<Vec<_>>(), ["tiny.toml"]);
}

#[test]
fn the_stages_one_by_one_give_what_build_gives() {
    let hardset = tiny("", "");
    let step = |line: &str| -> Run { hardset.line(line).ok() };
    hardset.line("mine steps").refused(2, &["steps"]);
    step("plan tiny.toml --run-dir steps");
    assert_eq!(step("status steps --format json").json()["image_shards"], 0);
    step("generate steps");
    step("mine steps");
    step("report steps");
    step("build tiny.toml --run-dir whole");
    assert_same(&hardset.path("steps"), &hardset.path("whole"));
}

#[test]
fn status_says_how_far_a_run_is() {
    let hardset = built();
    let json = hardset.line("status run --format json").ok().json();
    assert_eq!((&json["planned"], &json["image_shards"], &json["dropped"]), (&ITEMS.into(), &SHARDS.into(), &0.into()));
    assert_eq!(json["surrogates"].as_array().unwrap().len(), 3);
    assert_eq!(json["surrogates"][1]["scored"], ITEMS);
    assert!(hardset.line("status run").ok().stdout.contains("226 images by fake-b"));
}

/// Damages one file of a finished run: `verify` names it, `build` mends it.
fn check_repair(file: &str) {
    let hardset = built();
    let before = hashes(&hardset.path("run"));
    hardset.line("verify run").ok();
    let path = unit_file(&hardset.path("run").join(file));
    let file = path.file_name().expect("it has a name").to_str().expect("it is text");
    let mut bytes = fs::read(&path).expect("the run can be read and written");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    // A second name of the file, if it has one, is not to be damaged through this one.
    fs::remove_file(&path).expect("the run can be read and written");
    fs::write(&path, bytes).expect("the run can be read and written");
    let verified = hardset.line("verify run --format json").expect(3).json();
    let problems = verified["problems"].as_array().expect("a list");
    assert!(problems.iter().any(|problem| problem.as_str().unwrap_or_default().contains(file)), "{verified}");
    hardset.line("build tiny.toml --run-dir run").ok();
    hardset.line("verify run").ok();
    assert_eq!(hashes(&hardset.path("run")), before, "{file}");
}

#[test]
fn a_flipped_bit_is_found_by_verify_and_mended_by_build() {
    for file in
        ["predictions/fake-b/000/000002.parquet", "images/000/000001.tar", "images/000/000000.parquet", "plan.parquet"]
    {
        check_repair(file);
    }
    for file in ["manifest.parquet", "dropped.parquet"] {
        check_repair(file);
    }
}
