//! Names that would break out of a document or a folder, if they could.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use serde_json::Value;

use crate::common::{Hardset, hashes, strings, table};
use crate::contents::{QUESTIONS, members};
use crate::pages::{ALSO, Release, release};

/// Ids of categories; names are the same with something in front.
fn names() -> Vec<String> {
    let mut names: Vec<String> = [
        "<script>alert(1)</script>",
        "a, \"b\"; 'c'",
        "line\nbreak\ttab\r\nend",
        "../../etc/passwd",
        "..",
        ".",
        "/etc/passwd",
        "C:\\Windows\\x",
        "right \u{202e}gpj.exe\u{202c} left",
        "CON",
        "nul.txt",
        "mug",
        "Mug",
        "MUG",
        "---",
        "- [x](https://example.org) `code` | $x$ ![i](j)",
        "=HYPERLINK(\"https://example.org\")",
        "-rf",
        "null",
        "{{ 7 * 7 }}",
        "\u{fc}n\u{ef}c\u{f6}de \u{1f600}",
        "nothing\u{0}more",
        "ends with a dot.",
        " ",
    ]
    .map(str::to_owned)
    .into();
    names.push("x".repeat(300));
    names
}

/// A text in TOML's basic quotes.
fn toml(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => write!(quoted, "\\u{:04x}", u32::from(c)).expect("texts take anything"),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

fn categories() -> String {
    let mut entries = String::new();
    for (at, name) in names().into_iter().enumerate() {
        let called = toml(&format!("the {name}").replace(['{', '}'], "%"));
        entries += &format!("  {{ id = {}, name = {called}, imagenet_ids = [{}] }},\n", toml(&name), 20 + at);
    }
    format!("categories = [\n{entries}]\n")
}

/// Everything that readers of the release read can be read, and all paths are tame.
fn check(hardset: &Hardset, before: &BTreeSet<String>) -> Release {
    let out = release(hardset, "out");
    let after: BTreeSet<String> = hashes(&hardset.path("")).into_keys().collect();
    let strayed: Vec<_> = after.difference(before).filter(|name| !name.starts_with("out/")).collect();
    assert!(strayed.is_empty(), "{strayed:?}");
    for name in out.files() {
        let tame =
            |part: &str| !part.is_empty() && part.len() <= 255 && !part.starts_with(['.', '-']) && !part.ends_with('.');
        assert!(name.is_ascii() && name.split('/').all(tame), "{name:?}");
        assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./".contains(&b)), "{name:?}");
    }
    let folders: BTreeSet<String> = (out.files().iter())
        .filter_map(|name| Some(name.strip_prefix("imagefolder/")?.rsplit_once('/')?.0.to_lowercase()))
        .collect();
    let named: BTreeSet<(String, String)> =
        strings(&out.table(), "nuisance_kind").into_iter().zip(strings(&out.table(), "category")).collect();
    assert_eq!(folders.len(), named.len(), "one folder each, whatever the case: {folders:?}");
    for (at, line) in out.text("imagefolder/metadata.jsonl").lines().enumerate() {
        let row: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert!(out.path.join("imagefolder").join(row["file_name"].as_str().expect("a path")).is_file());
        assert_eq!(row["category"], strings(&out.table(), "category")[at]);
    }
    let members = members(&out.path.join("webdataset/test-00000-of-00001.tar"));
    for (name, bytes) in members.iter().filter(|(name, _)| name.ends_with(".json")) {
        serde_json::from_slice::<Value>(bytes).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
    for name in ["croissant.json", "release.json", "fiftyone/labels.json"] {
        assert!(out.json(name).is_object(), "{name}");
    }
    toml::from_str::<toml::Table>(&out.text("recipe.toml")).expect("it is TOML");
    hardset.line("verify out").ok();
    out
}

/// No character that shows nothing or turns the direction of what follows.
fn is_visible(text: &str) -> bool {
    !text.chars().any(|c| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c))
}

/// Markdown without what stands in code spans.
fn outside_code(card: &str) -> String {
    let line = |line: &str| line.replace("\\`", "").split('`').step_by(2).collect::<Vec<_>>().join(" ");
    card.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn categories_of_any_name_stay_inside_and_come_back_exactly() {
    let hardset = Hardset::new();
    hardset.write("hostile.toml", categories());
    let recipe = crate::common::fake_recipe("hostile", "images_per_category = 2", "rule = \"at-least=1\"");
    hardset.write("recipe.toml", recipe.replace("\"imagenet-d\"", "\"hostile.toml\""));
    hardset.line("build recipe.toml --run-dir run -q").ok();
    let before = hashes(&hardset.path("")).into_keys().collect();
    hardset.line(&format!("release run --out out {ALSO} -q")).ok();
    let out = check(&hardset, &before);
    let released: BTreeSet<String> = strings(&out.table(), "category").into_iter().collect();
    assert!(released.len() > 20 && released.is_subset(&names().into_iter().collect()), "{released:?}");
    let record = out.record();
    let ids: Vec<&str> = record["categories"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|category| category["id"].as_str())
        .collect();
    assert_eq!(ids, names());
    let called: BTreeSet<String> = names().iter().map(|name| format!("the {name}").replace(['{', '}'], "%")).collect();
    for row in out.csv("questions/noise.csv", QUESTIONS) {
        assert!(called.contains(&row[1]), "{row:?}");
    }
    let card = out.text("README.md");
    let (_, card) = card.split_once("\n---\n").expect("there is a front matter");
    assert!(!outside_code(card).contains("<script"), "{card}");
    assert!(!card.contains("](https://example.org)"), "{card}");
    assert!(is_visible(card), "{card}");
}

/// A kind of nuisance is called as its file is: everything but `/` can be in it.
#[cfg(feature = "candle")]
#[test]
fn kinds_and_prompts_of_any_name_stay_inside_and_come_back_exactly() {
    let hardset = Hardset::new();
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/sd-second");
    crate::common::copy(&model, &hardset.path("model"));
    hardset.write(
        "few.toml",
        "categories = [\n  { id = \"../<b>,\", name = \"a <b>, \\\"c\\\"\", imagenet_ids = [504] },\n]\n",
    );
    let kinds = ["CON", "con", "a, \"b\"\t<i>\n\u{202e}", "..\\up"];
    let phrases = ["in \"quotes\", and\nlines\ttabs", "../../<script>x</script>", "\u{202e}backwards | $x$"];
    for kind in kinds {
        let values: String =
            phrases.iter().map(|phrase| format!("  {{ id = {0}, phrase = {0} }},\n", toml(phrase))).collect();
        let templates = "templates = [\"A photo of {a} {category}, {nuisance}\"]";
        hardset.write(&format!("kinds/{kind}.toml"), format!("{templates}\nvalues = [\n{values}]\n"));
    }
    let files: Vec<String> = kinds.iter().map(|kind| toml(&format!("kinds/{kind}.toml"))).collect();
    hardset.write(
        "recipe.toml",
        format!(
            "name = \"hostile\"\ncategories = \"few.toml\"\n\n[generate]\nsource = \"diffusion\"\nmodel = \"model\"\n\
             nuisances = [{}]\nwidth_px = 32\nheight_px = 16\nsteps = 1\n\n\
             [mine]\nsurrogates = [\"fake-a\"]\nrule = \"all\"\n",
            files.join(", ")
        ),
    );
    hardset.line("build recipe.toml --run-dir run -q").ok();
    let before = hashes(&hardset.path("")).into_keys().collect();
    hardset.line(&format!("release run --out out {ALSO} --set release.near_duplicates=keep -q")).ok();
    let out = check(&hardset, &before);
    let plan = table(&hardset.path("run/plan.parquet"));
    for column in ["nuisance_kind", "nuisance", "prompt", "template"] {
        let distinct = |table: &polars::prelude::DataFrame| strings(table, column).into_iter().collect::<BTreeSet<_>>();
        assert_eq!(distinct(&out.table()), distinct(&plan), "{column}");
    }
    let questions: Vec<String> = out.files().into_iter().filter(|name| name.starts_with("questions/")).collect();
    assert_eq!(questions.len(), kinds.len(), "{questions:?}");
    let rows: usize = questions.iter().map(|name| out.csv(name, QUESTIONS).len()).sum();
    assert_eq!(rows, out.items().len());
    assert!(is_visible(&out.text("README.md")));
}
