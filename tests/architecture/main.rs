//! The house rules that a program can check, held against every file.
//!
//! * Layers: a module imports from layers below its own, never from its own layer or a higher one.
//! * Crates: some may be named in one room only.
//! * Circles: inside a room, imports between files have one direction (tests do not count).
//! * Shape: how long files, lines and functions may be, how many parameters, no tuples that hide parameters, no match
//!   on true and false, every file opens with `//!`.
//!
//! The tables are at the top of this file. `source` reads one file, `tree` joins them, `cases` tests both with made-up
//! lines.

mod cases;
mod source;
mod tree;

use std::fs;
use std::path::{Path, PathBuf};

use source::{Named, Source};
use tree::{File, Place, Tree};

/// Rooms, lowest layer first. A folder inside a room may have a layer of its own: `stage/release`.
const LAYERS: &[&[&str]] = &[
    &["domain"],
    &["input", "installed"],
    &["imaging", "stats", "config", "answers", "text", "table", "store", "onnx"],
    &["people", "assets", "generator", "scorer", "imported", "render"],
    &["source"],
    &["work"],
    &["pool"],
    &["server"],
    &["stage"],
    &["cli"],
    &["main"],
];

/// Crates that may be named below one folder only; some below two.
const HOMES: &[(&str, &str)] = &[
    ("polars", "table"),
    ("parquet", "table/release"),
    ("parquet", "table/image_parquet"),
    ("arrow_array", "table/release"),
    ("arrow_array", "table/image_parquet"),
    ("arrow_schema", "table/release"),
    ("arrow_schema", "table/image_parquet"),
    ("ort", "onnx"),
    ("ort", "scorer/onnx"),
    ("ort", "generator/diffusion/onnx"),
    ("half", "onnx"),
    ("half", "scorer/onnx"),
    ("half", "generator/diffusion/onnx"),
    ("half", "imported"),
    ("memmap2", "generator/diffusion/model"),
    ("libloading", "onnx"),
    ("libloading", "generator/diffusion/candle"),
    ("candle_core", "generator/diffusion/candle"),
    ("candle_nn", "generator/diffusion/candle"),
    ("gemm", "generator/diffusion/candle/cpu"),
    ("safetensors", "generator/diffusion"),
    ("safetensors", "scorer/onnx"),
    ("tokenizers", "text"),
    ("libm", "generator/diffusion"),
    ("png", "imaging/decode"),
    ("png", "imaging/encode"),
    ("clap", "cli"),
    ("clap_complete", "cli"),
    ("clap_mangen", "cli"),
    ("indicatif", "cli"),
    ("mozjpeg", "imaging/decode"),
    ("mozjpeg", "imaging/encode"),
    ("image", "imaging/decode"),
    ("hf_hub", "assets"),
    ("maud", "render"),
    ("rusqlite", "store/ballots"),
    ("axum", "server"),
    ("tokio", "server"),
    ("tokio", "store/bucket"),
    ("object_store", "store/bucket"),
    ("hmac", "domain/secret"),
    ("chrono", "domain/time"),
    ("unicode_normalization", "input/columns"),
    ("unicode_normalization", "answers/two_choice"),
    ("zip", "imported"),
    ("flate2", "imported"),
];

const MOST_LINES: usize = 600;
const MOST_LINES_OF_MAIN: usize = 30;
const MOST_COLUMNS: usize = 120;

#[test]
fn every_import_keeps_to_the_layers_and_every_crate_to_its_home() {
    let tree = Tree::new(&files("src"));
    assert!(tree.files.len() > 50, "only {} files found", tree.files.len());
    let wrong: Vec<String> = tree.files.iter().flat_map(|file| strays(&tree, file)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_entry_of_the_tables_is_a_room() {
    let tree = Tree::new(&files("src"));
    let layers = LAYERS.iter().flat_map(|layer| layer.iter());
    let entries: Vec<&str> = layers.copied().chain(HOMES.iter().map(|&(_, home)| home)).collect();
    let is_unknown = |entry: &&str| !tree.files.iter().any(|file| is_in(&file.module, entry));
    let unknown: Vec<&str> = entries.into_iter().filter(is_unknown).collect();
    assert!(unknown.is_empty(), "no file is in {unknown:?}");
}

#[test]
fn imports_inside_a_room_have_one_direction() {
    let tree = Tree::new(&files("src"));
    assert!(tree.arrows().iter().map(std::collections::BTreeSet::len).sum::<usize>() > 500, "arrows are not seen");
    let mut wrong = Vec::new();
    for circle in tree.circles() {
        let arrows: Vec<String> = circle.arrows.iter().map(|(from, to)| format!("    {from} -> {to}")).collect();
        wrong.push(format!("a circle of {} files:\n{}", circle.files.len(), arrows.join("\n")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_lines_and_functions_have_the_shape_of_the_house() {
    let mut wrong = Vec::new();
    for folder in ["src", "tests", "benches"] {
        for (name, text) in files(folder) {
            wrong.extend(faults(&name, &text).into_iter().map(|fault| format!("{folder}/{fault}")));
        }
    }
    assert!(wrong.is_empty(), "{} faults:\n{}", wrong.len(), wrong.join("\n"));
}

/// candle-core's `cudnn` brings its `cuda`, candle-nn's does not: without `candle-nn/cuda` the first layer norm on a
/// GPU ends in "no cuda implementation". scripts/build_cuda.sh holds the resolved features.
#[test]
fn the_feature_cuda_reaches_every_part_of_candle() {
    let cuda = feature("cuda");
    for wanted in ["candle", "candle-core/cudnn", "candle-nn/cuda"] {
        assert!(cuda.iter().any(|name| name == wanted), "{wanted} is not in {cuda:?}");
    }
    let parts = feature("candle").into_iter().filter(|name| name.starts_with("dep:candle-")).count();
    assert_eq!(parts, 2, "another crate of candle: if it has a feature `cuda`, that must be in ours too");
}

/// What a file imports against the layers, and which crates it names outside their homes.
fn strays(tree: &Tree, file: &File) -> Vec<String> {
    let Some(ours) = file.module.first().map(|_| layer(&file.module)) else { return Vec::new() };
    let Some(ours) = ours else { return vec![format!("{}: `{}` is in no layer", file.name, file.module.join("/"))] };
    let mut wrong: Vec<String> = file.source.named.iter().filter_map(|named| stray(tree, file, ours, named)).collect();
    wrong.sort();
    wrong.dedup();
    wrong
}

fn stray(tree: &Tree, file: &File, ours: (usize, &str), named: &Named) -> Option<String> {
    let (spoken, home) = match tree.place(file, named) {
        Place::Here { spoken, .. } if tree.has_only_for_tests(&spoken) => return None,
        Place::Elsewhere(name) => {
            let names_it = named.imported || named.path.len() > 1;
            return Some(name).filter(|_| names_it).and_then(|name| stray_crate(file, &name));
        }
        Place::Here { .. } if tree::is_handed_on(file, named) => return None,
        Place::Here { spoken, home } => (spoken, home),
    };
    // What a room around this one hands on is judged by where it comes from.
    let spoken = Some(spoken).filter(|spoken| !file.module.starts_with(spoken));
    for module in spoken.into_iter().chain([home]).filter(|module| !module.is_empty()) {
        let shown = module.join("::");
        match layer(&module) {
            None => return Some(format!("{} imports `crate::{shown}`, which is in no layer", file.name)),
            Some(theirs) if theirs.1 != ours.1 && theirs.0 >= ours.0 => {
                return Some(format!("{} imports `crate::{shown}` of its own layer or a higher one", file.name));
            }
            Some(_) => {}
        }
    }
    None
}

fn stray_crate(file: &File, name: &str) -> Option<String> {
    let homes: Vec<&str> = HOMES.iter().filter(|(known, _)| *known == name).map(|(_, home)| *home).collect();
    if homes.is_empty() || homes.iter().any(|home| is_in(&file.module, home)) {
        return None;
    }
    Some(format!("{} names the crate `{name}`, which belongs to {} alone", file.name, homes.join(" and ")))
}

/// Number and entry of a module's layer: that of the innermost folder that the table names.
fn layer(module: &[String]) -> Option<(usize, &'static str)> {
    let numbered = LAYERS.iter().enumerate().flat_map(|(at, layer)| layer.iter().map(move |&entry| (at, entry)));
    numbered.filter(|(_, entry)| is_in(module, entry)).max_by_key(|(_, entry)| entry.len())
}

fn is_in(module: &[String], entry: &str) -> bool {
    let parts: Vec<&str> = entry.split('/').collect();
    module.len() >= parts.len() && module.iter().zip(&parts).all(|(module, part)| module == part)
}

/// What is wrong with the shape of a file.
fn faults(name: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let (most, lines) = (if name == "main.rs" { MOST_LINES_OF_MAIN } else { MOST_LINES }, text.lines().count());
    // The program's `main.rs` is a few lines; those of test programs are files like others.
    let most = if name == "main.rs" && !text.contains("hardset::cli") { MOST_LINES } else { most };
    if lines > most {
        faults.push(format!("{name}: {lines} lines; {most} are allowed"));
    }
    if !text.starts_with("//!") {
        faults.push(format!("{name}: does not open with //!"));
    }
    for (at, line) in text.lines().enumerate() {
        let columns = line.chars().count();
        if columns > MOST_COLUMNS {
            faults.push(format!("{name}:{}: {columns} columns; {MOST_COLUMNS} are allowed", at + 1));
        }
    }
    let source = Source::read(text).unwrap_or_else(|error| panic!("{name}: {error}"));
    faults.extend(source.faults.iter().map(|(line, what)| format!("{name}:{line}: {what}")));
    faults
}

/// Rust files below a folder of the package, by their path there, and their texts.
fn files(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut folders = vec![root.clone()];
    let mut found: Vec<PathBuf> = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("the folder is readable") {
            let path = entry.expect("the folder is readable").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    let read = |path: &PathBuf| fs::read_to_string(path).expect("sources are UTF-8");
    let name =
        |path: &PathBuf| path.strip_prefix(&root).expect("it is below the folder").to_string_lossy().into_owned();
    found.iter().map(|path| (name(path), read(path))).collect()
}

/// Features that feature `name` of this package turns on.
fn feature(name: &str) -> Vec<String> {
    let manifest = include_str!("../../Cargo.toml").parse::<toml::Table>().expect("Cargo.toml is TOML");
    let names = manifest["features"][name].as_array().expect("a feature is a list");
    names.iter().filter_map(|name| name.as_str()).map(str::to_owned).collect()
}
