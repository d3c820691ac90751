//! Scorers of unlike class spaces in one run: a classifier of ImageNet's classes, one of twelve products, imported
//! predictions over the categories; and what is wrong with lists of classes.
//!
//! Needs an ONNX Runtime library for the classifier of products; says so loudly and checks nothing where there is none.

mod common;

use common::tiny::{BY_PATH, F32, linear, surrogate};
use common::tiny_onnx::Type;
use common::{Hardset, Run, ort_library, strings, table};

/// The categories of the quick start, which the recipe below uses, in their order.
const NAMES: [&str; 12] = [
    "bench",
    "bucket",
    "chair",
    "desk lamp",
    "hammer",
    "mug",
    "plate",
    "teapot",
    "umbrella",
    "vase",
    "wheel",
    "wine bottle",
];
/// Images of each category.
const IMAGES: usize = 3;

fn recipe(surrogates: &str) -> String {
    format!(
        "name = \"mixed\"\ncategories = \"quickstart\"\nshard_items = 16\n\n[generate]\nsource = \"fake\"\n\
         images_per_category = {IMAGES}\nsize_px = 32\n\n[mine]\nsurrogates = [{surrogates}]\nrule = \"at-least=2\"\n\n\
         [release]\ntitle = \"mixed\"\nlicense = \"mit\"\n"
    )
}

/// A classifier of twelve products, in another order than the categories.
fn products(hardset: &Hardset, list: &str) {
    let output = format!("{{ kind = \"logits\", classes = 12, space = \"./{list}\" }}");
    hardset.write("tiny.toml", surrogate(BY_PATH, &output, F32));
    hardset.write("tiny.onnx", linear(-1, 12).output("logits", Type::F32, &[-1, 12]).finish());
}

/// Predictions for each item: right for every second one, else `wine bottle`, or `bench` for a wine bottle.
fn scores() -> String {
    let mut text = "item_id,prediction,prob\n".to_owned();
    for item in 0..NAMES.len() * IMAGES {
        let own = item / IMAGES;
        let wrong = if own == 11 { 0 } else { 11 };
        text += &format!("{item},{},0.75\n", NAMES[if item % 2 == 0 { own } else { wrong }]);
    }
    text
}

fn imported(hardset: &Hardset) {
    hardset.write("scores.csv", scores());
    hardset.write(
        "imported.toml",
        "predictions = \"scores.csv\"\noutput = { kind = \"top-k\", space = \"categories\" }\n",
    );
}

fn run(hardset: &Hardset, line: &str) -> Run {
    let mut command = hardset.command(&line.split(' ').collect::<Vec<_>>());
    if let Some(library) = ort_library() {
        command.env("ORT_DYLIB_PATH", library);
    }
    Run::of(&mut command)
}

#[test]
fn scorers_of_unlike_spaces_mine_together() {
    if ort_library().is_none() {
        return;
    }
    let hardset = Hardset::new();
    hardset.write("p.toml", recipe("\"fake-a\", \"./tiny.toml\", \"./imported.toml\""));
    hardset.write("products.txt", NAMES.map(|name| format!("{name}\n")).into_iter().rev().collect::<String>());
    products(&hardset, "products.txt");
    imported(&hardset);
    run(&hardset, "build p.toml --run-dir run").ok();

    let manifest = table(&hardset.path("run/manifest.parquet"));
    let agreed: Vec<Option<i32>> = manifest.column("agreed_wrong").unwrap().i32().unwrap().iter().collect();
    let counts: Vec<u32> = manifest.column("n_agreed_wrong").unwrap().u32().unwrap().iter().flatten().collect();
    let failed: Vec<u32> = manifest.column("n_failed").unwrap().u32().unwrap().iter().flatten().collect();
    assert_eq!(agreed.len(), 36);
    assert!(agreed.iter().flatten().all(|class| (0..12).contains(class)), "places of categories: {agreed:?}");
    assert!(counts.iter().zip(&failed).all(|(count, failed)| count <= failed));
    // The imported one fails on each second item.
    let by = manifest.column("failed_by").unwrap().list().unwrap();
    let fails = (0..36).filter(|&at| {
        let names = by.get_as_series(at).unwrap();
        names.str().unwrap().iter().any(|name| name == Some("imported"))
    });
    assert_eq!(fails.collect::<Vec<_>>(), (0..36).filter(|at| at % 2 == 1).collect::<Vec<_>>());

    let page = std::fs::read_to_string(hardset.path("run/report/index.html")).unwrap();
    for part in ["imagenet-1k (1,000)", "products (12)", "categories (12)", "wine bottle"] {
        assert!(page.contains(part), "{part}");
    }
    run(&hardset, "release run --out release").ok();
    run(&hardset, "verify run").ok();
    run(&hardset, "verify release").ok();
    let card = std::fs::read_to_string(hardset.path("release/README.md")).unwrap();
    assert!(card.contains("imagenet-1k (1,000) or products (12) or categories (12)"), "the spaces are named");
    assert!(card.contains("The label of the category that most failing surrogates gave"));
    let croissant = std::fs::read_to_string(hardset.path("release/croissant.json")).unwrap();
    assert!(croissant.contains("categories/products_ids"), "what a category accepts of the list");

    // By subsets, without anything being scored again.
    for (names, rule) in [("tiny,imported", "all"), ("imported", "all"), ("fake-a,tiny,imported", "at-least=2")] {
        let mined = run(&hardset, &format!("mine run --surrogates {names} --rule {rule} --format json")).ok();
        for scored in mined.json()["scored"].as_array().unwrap() {
            assert_eq!(scored["fresh"], 0, "{names}");
        }
    }
}

#[test]
fn a_scorer_of_another_space_comes_to_a_run_that_is_there() {
    let hardset = Hardset::new();
    hardset.write("p.toml", recipe("\"fake-a\", \"fake-b\""));
    hardset.line("build p.toml --run-dir run").ok();
    let before = strings(&table(&hardset.path("run/manifest.parquet")), "category");
    imported(&hardset);
    let mined = hardset.line("mine run --surrogates fake-a,./imported.toml --rule all --format json").ok();
    assert_eq!((&mined.json()["scored"][0]["fresh"], &mined.json()["scored"][1]["fresh"]), (&0.into(), &36.into()));
    assert_eq!(strings(&table(&hardset.path("run/manifest.parquet")), "category"), before);
    hardset.line("report run").ok();
    hardset.line("verify run").ok();
}

#[test]
fn lists_that_do_not_fit_are_refused_with_what_to_do() {
    let check = |list: &str, text: &str, parts: &[&str]| {
        let hardset = Hardset::new();
        hardset.write("p.toml", recipe("\"fake-a\", \"./tiny.toml\""));
        hardset.write(list, text);
        products(&hardset, list);
        hardset.line("plan p.toml --run-dir run").refused(2, parts);
    };
    let all = NAMES.join("\n");
    check("l.txt", &format!("{all}\ncup"), &["output.classes", "is 12", "has 13 classes"]);
    check("l.txt", &all.replace("vase", "mug"), &["l.txt", "has `mug` twice, as class 5 and as class 9"]);
    check("l.txt", &all.replace("vase", "jug"), &["accepts no class of the space `l`", "(`vase`)", "classes = { l ="]);
    check("l.json", "[1]", &["l.json", "class 0 is neither a name nor"]);
    let mapped = format!(
        "classes = {:?}\naccepts = {{ vase = [\"jug\"] }}",
        NAMES.map(|name| if name == "vase" { "jug" } else { name })
    );
    let hardset = Hardset::new();
    hardset.write("p.toml", recipe("\"fake-a\", \"./tiny.toml\""));
    hardset.write("l.toml", mapped);
    products(&hardset, "l.toml");
    hardset.line("plan p.toml --dry-run").ok();
}
