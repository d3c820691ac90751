//! Runs for the tests of this folder, and what is read back from them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hardset::domain::Task;
use hardset::table::tasks_table;
use serde_json::Value;

use crate::common::{Hardset, copy, fake_recipe, secret_file, strings, table, unit_file};

pub const QUESTIONS: [&str; 2] = ["recognise", "use"];

/// A mined run with made-up images in `run`; `annotate` are lines of that section.
pub fn mined(images_per_category: u32, annotate: &str) -> Hardset {
    let hardset = built(images_per_category, annotate);
    with_secret(&hardset);
    hardset
}

/// The same with a secret of its own.
pub fn built(images_per_category: u32, annotate: &str) -> Hardset {
    let hardset = Hardset::new();
    let generate = format!("images_per_category = {images_per_category}");
    let recipe = fake_recipe("people", &generate, "rule = \"at-least=2\"");
    hardset.write(
        "recipe.toml",
        format!("{recipe}\n[annotate]\nimage_px = 64\nsentinels = {{ min_prob = 0.3 }}\n{annotate}"),
    );
    hardset.line("build recipe.toml --run-dir run").ok();
    hardset
}

/// A secret that is known, so that a test does the same each time.
pub fn with_secret(hardset: &Hardset) {
    hardset.write("run/batches/secret", secret_file(&"5e".repeat(32)));
}

pub fn tasks(run: &Path, round: usize) -> Vec<Task> {
    let file = |name: &str| run.join(format!("batches/{round:05}.{name}.parquet"));
    tasks_table::decode(&unit_file(&file("tasks")), &unit_file(&file("sentinels"))).expect("the round is there")
}

/// A copy of the run without answers, so that each format starts from nothing.
pub fn fresh(hardset: &Hardset, name: &str) -> PathBuf {
    let run = hardset.path(name);
    copy(&hardset.path("run"), &run);
    run
}

pub fn collect(hardset: &Hardset, run: &Path, files: &[PathBuf]) -> Value {
    let mut args = vec!["annotate".into(), "collect".into(), run.display().to_string()];
    args.extend(files.iter().map(|file| file.display().to_string()));
    args.extend(["--format".to_owned(), "json".to_owned(), "-q".to_owned()]);
    hardset.run(&args).ok().json()
}

pub fn verdicts(run: &Path) -> BTreeMap<u32, String> {
    let items = table(&run.join("verdicts/all.items.parquet"));
    let ids = items.column("item_id").expect("a column").u32().expect("of numbers").into_no_null_iter();
    ids.zip(strings(&items, "verdict")).collect()
}

pub fn accepted(run: &Path) -> usize {
    verdicts(run).values().filter(|verdict| *verdict == "accept").count()
}

pub fn write_all(hardset: &Hardset, name: &str, files: Vec<Vec<u8>>) -> Vec<PathBuf> {
    files.iter().enumerate().map(|(at, bytes)| hardset.write(&format!("{name}-{at}"), bytes)).collect()
}
