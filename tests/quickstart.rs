//! The quick start, with its real diffusion model and classifiers: what it writes, whether images show what their
//! prompts say (the judge says so, `models/quickstart/judge`), whether what is mined is hard for a model that did not
//! mine.
//!
//! Fewer images than the recipe makes; figures over all of them stand in `models/quickstart/README.md`.

#![cfg(feature = "diffusion")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use common::{Hardset, Run, has_unit_file, needs, ort_library, strings, table};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// ONNX Runtime, if the models are there too.
fn library() -> Option<PathBuf> {
    models()?;
    ort_library()
}

/// The folder of models, which what is published as a crate lacks.
fn models() -> Option<PathBuf> {
    needs("models/, which a checkout of the repository has", Some(root().join("models")).filter(|path| path.is_dir()))
}

/// Builds the quick start's recipe into `run` with some keys set.
fn build(hardset: &Hardset, library: &Path, run: &str, set: &[&str]) -> Run {
    let recipe = root().join("pipelines/quickstart.toml");
    let mut command = hardset.command(&["build", recipe.to_str().expect("paths are UTF-8 here"), "--run-dir", run]);
    for pair in set {
        command.args(["--set", pair]);
    }
    Run::of(command.env("ORT_DYLIB_PATH", library))
}

/// The judge as TOML's string, to be set as a surrogate or a target.
fn judge() -> String {
    format!("'{}'", root().join("models/quickstart/judge/judge.toml").display())
}

/// A column of flags of a run's table, in the order of items.
fn flags(path: PathBuf, column: &str) -> Vec<bool> {
    table(&path).column(column).expect("it is a column").bool().expect("of flags").iter().flatten().collect()
}

/// Whether `model` is right about each image of a run of one or two shards.
fn right(hardset: &Hardset, run: &str, model: &str) -> Vec<bool> {
    let shards = (0..2).map(|shard| hardset.path(&format!("{run}/predictions/{model}/000/{shard:06}.parquet")));
    shards.filter(|path| has_unit_file(path)).flat_map(|path| flags(path, "correct")).collect()
}

/// Hashes of all images of a run.
fn images(hardset: &Hardset, run: &str) -> Vec<String> {
    let shards = (0..2).map(|shard| hardset.path(&format!("{run}/images/000/{shard:06}.parquet")));
    shards.filter(|path| has_unit_file(path)).flat_map(|path| strings(&table(&path), "sha256")).collect()
}

fn share(of: &[bool]) -> f64 {
    of.iter().filter(|yes| **yes).count() as f64 / of.len() as f64
}

#[test]
fn nuisance_images_show_their_category_and_fool_models_that_did_not_mine() {
    let Some(library) = library() else { return };
    let hardset = Hardset::new();
    let mixer = root().join("models/quickstart/surrogates/quick-mixer.toml");
    let clip = root().join("models/quickstart/quick-clip/quick-clip.toml");
    let targets = format!("mine.targets=['{}', '{}', {}]", mixer.display(), clip.display(), judge());
    let set = ["generate.pairs_per_category=8", "generate.images_per_prompt=1", &targets];
    let built = build(&hardset, &library, "run", &set).ok();

    let judged = right(&hardset, "run", "judge");
    assert_eq!(judged.len(), 96);
    assert!(share(&judged) >= 0.7, "the judge agrees for {}", share(&judged));
    let hashes: BTreeSet<String> = images(&hardset, "run").into_iter().collect();
    assert_eq!(hashes.len(), 96, "no two images are equal");

    let hard = flags(hardset.path("run/manifest.parquet"), "hard");
    assert!((0.02..=0.4).contains(&share(&hard)), "{} are hard", share(&hard));
    let fifth = right(&hardset, "run", "quick-mixer");
    let on_hard: Vec<bool> = fifth.iter().zip(&hard).filter(|(_, hard)| **hard).map(|(right, _)| *right).collect();
    assert!(share(&on_hard) <= share(&fifth) - 0.25, "{} on the pool, {} on hard", share(&fifth), share(&on_hard));

    // Asked for the categories by name, the small CLIP sees through the nuisances that fool classifiers.
    let asked = right(&hardset, "run", "quick-clip");
    assert!(asked.len() == 96 && share(&asked) >= 0.9, "{} of what is asked by name", share(&asked));

    assert!(built.stdout.trim_end().lines().any(|line| line.contains("run/report/index.html")), "{}", built.stdout);
    let page = fs::read_to_string(hardset.path("run/report/index.html")).expect("there is a report");
    for part in ["A photo of a", "By nuisance", "Targets: models that do not vote", "quick-mixer", "Hardest: "] {
        assert!(page.contains(part), "the report lacks `{part}`");
    }
    assert!(
        has_unit_file(&hardset.path("run/batches/00000.tasks.parquet")) && hardset.path("run/export/html").is_dir()
    );
    // On to the leaderboard: models of other kinds, none of which mined.
    let [release, evaluation] = ["release", "evaluation"].map(|what| beside(&hardset, &format!("run-{what}-")));
    for folder in ["run", &release, &evaluation] {
        Run::of(hardset.command(&["verify", folder]).env("ORT_DYLIB_PATH", &library)).ok();
    }
    let board = fs::read_to_string(hardset.path(&format!("{evaluation}/leaderboard.csv"))).expect("there is one");
    for target in ["quick-clip", "quick-mixer", "quick-patches", "quick-local"] {
        let row = built.stdout.lines().find(|line| line.starts_with("tier ") && line.contains(target));
        assert!(row.is_some() && board.contains(target), "{}", built.stdout);
    }
}

/// The one folder whose name begins so.
fn beside(hardset: &Hardset, start: &str) -> String {
    let entries = fs::read_dir(hardset.path("")).expect("it is there").flatten();
    let mut names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.find(|name| name.starts_with(start)).expect("it is made")
}

#[test]
fn images_of_plain_prompts_show_what_they_say() {
    let Some(library) = library() else { return };
    let hardset = Hardset::new();
    let plain =
        hardset.write("plain.toml", "values = [{ id = \"plain\", template = \"A photo of {a} {category}\" }]\n");
    let nuisances = format!("generate.nuisances=['{}']", plain.display());
    let surrogates = format!("mine.surrogates=[{}]", judge());
    let set = [&nuisances, "generate.images_per_prompt=8", &surrogates, "mine.targets=[]", "annotate.export=[]"];
    build(&hardset, &library, "run", &set).ok();
    let judged = right(&hardset, "run", "judge");
    assert_eq!(judged.len(), 96);
    assert!(share(&judged) >= 0.85, "the judge agrees for {}", share(&judged));
}

#[test]
fn a_missing_library_is_said_before_any_image_is_made() {
    let Some(_) = models() else { return };
    let hardset = Hardset::new();
    let damaged = hardset.write("libonnxruntime.so", "not a library");
    let untouched = || has_unit_file(&hardset.path("run/plan.parquet")) && !hardset.path("run/images").exists();
    for (library, part) in [(Path::new(common::NO_LIBRARY), "ORT_DYLIB_PATH"), (&damaged, "libonnxruntime.so")] {
        build(&hardset, library, "run", &[]).refused(4, &[part]);
        assert!(untouched());
    }
    let mut mine = hardset.command(&["mine", "run"]);
    Run::of(&mut mine).refused(4, &["ORT_DYLIB_PATH"]);
    assert!(untouched());
}

#[test]
fn weights_of_our_own_stay_small() {
    let sizes = |name: &str| common::sizes(&root().join("models/quickstart").join(name));
    let [diffusion, classifiers, judge, clip] = ["quick-diffusion", "surrogates", "judge", "quick-clip"].map(sizes);
    let all: u64 = [&diffusion, &classifiers, &judge, &clip].into_iter().flatten().sum();
    assert!(all <= 25_000_000, "{all} bytes; git keeps every version");
    assert!(diffusion.iter().sum::<u64>() <= 16_000_000 && classifiers.iter().all(|size| *size <= 1_500_000));
}

#[test]
fn another_seed_and_other_settings_make_other_images() {
    let Some(library) = library() else { return };
    let hardset = Hardset::new();
    let small = ["generate.pairs_per_category=1", "generate.images_per_prompt=1", "annotate.export=[]"];
    let mut seen = BTreeSet::new();
    for (run, more) in [
        ("first", &["generate.steps=2"][..]),
        ("seed", &["generate.steps=2", "seed=1"]),
        ("steps", &["generate.steps=3"]),
        ("guidance", &["generate.steps=2", "generate.guidance=5"]),
        ("images", &["generate.steps=2", "generate.images_per_prompt=2", "seed=2"]),
    ] {
        build(&hardset, &library, run, &[&small, more].concat()).ok();
        let made = images(&hardset, run);
        assert_eq!(made.len(), if run == "images" { 24 } else { 12 }, "{run}");
        for image in made {
            assert!(seen.insert(image), "{run} makes an image that another run made");
        }
    }
}
