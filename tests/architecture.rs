//! Holds every import in `src/` against the table of DESIGN part 2, and every file against the house rules that a
//! program can check.
//!
//! Reads Rust as tokens: comments, doc comments and strings do not count, `use` trees, inline paths and chains of
//! `super` do. Test modules are held to the same table.

use std::fs;
use std::path::{Path, PathBuf};

/// The top-level modules, lowest layer first; nothing imports its own layer or a higher one.
const LAYERS: &[&[&str]] = &[
    &["domain"],
    &["imaging", "stats", "config", "answers", "table", "store", "onnx"],
    &["assets", "generator", "surrogate", "render"],
    &["server"],
    &["stage"],
    &["cli"],
    &["main"],
];

/// Crates that may be named below one folder only; some below two.
const HOMES: &[(&str, &str)] = &[
    ("polars", "table"),
    ("parquet", "table/release"),
    ("arrow_array", "table/release"),
    ("arrow_schema", "table/release"),
    ("ort", "onnx"),
    ("ort", "surrogate/onnx"),
    ("ort", "generator/diffusion/onnx"),
    ("half", "onnx"),
    ("half", "surrogate/onnx"),
    ("half", "generator/diffusion/onnx"),
    ("memmap2", "generator/diffusion/model"),
    ("libloading", "onnx"),
    ("libloading", "generator/diffusion/candle"),
    ("candle_core", "generator/diffusion/candle"),
    ("candle_nn", "generator/diffusion/candle"),
    ("gemm", "generator/diffusion/candle/cpu"),
    ("safetensors", "generator/diffusion"),
    ("tokenizers", "generator/diffusion/model"),
    ("libm", "generator/diffusion"),
    ("png", "imaging"),
    ("clap", "cli"),
    ("anyhow", "cli"),
    ("indicatif", "cli"),
    ("mozjpeg", "imaging"),
    ("image", "imaging"),
    ("hf_hub", "assets"),
    ("maud", "render"),
    ("rusqlite", "store/ballots"),
    ("axum", "server"),
    ("tokio", "server"),
    ("hmac", "domain/secret"),
];

const MAX_LINES: usize = 600;
const MAX_LINES_OF_MAIN: usize = 30;

/// Splits Rust into words, `::` and single characters; comments, strings, character literals and lifetimes vanish.
fn tokens(source: &str) -> Vec<String> {
    let chars: Vec<char> = source.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let (next, token) = token(&chars, at);
        tokens.extend(token);
        at = next;
    }
    tokens
}

fn token(chars: &[char], at: usize) -> (usize, Option<String>) {
    let peek = |ahead: usize| chars.get(at + ahead).copied().unwrap_or('\n');
    let word = |c: char| c.is_alphanumeric() || c == '_';
    match (chars[at], peek(1)) {
        ('/', '/') => (find(chars, at, |i| chars[i] == '\n'), None),
        ('/', '*') => (find(chars, at + 2, |i| chars[i - 1] == '*' && chars[i] == '/') + 1, None),
        ('r', '"' | '#') if peek(1) == '"' || matches!(peek(2), '"' | '#') => (raw_string(chars, at + 1), None),
        ('"', _) => (string(chars, at + 1), None),
        // A character literal closes after one character or an escape; else it is a lifetime.
        ('\'', '\\') => (find(chars, at + 3, |i| chars[i] == '\'') + 1, None),
        ('\'', _) if peek(2) == '\'' => (at + 3, None),
        ('\'', _) => (at + 1, None),
        (':', ':') => (at + 2, Some("::".to_owned())),
        (c, _) if word(c) => {
            let end = find(chars, at, |i| !word(chars[i]));
            (end, Some(chars[at..end].iter().collect()))
        }
        (c, _) if c.is_whitespace() => (at + 1, None),
        (c, _) => (at + 1, Some(c.to_string())),
    }
}

fn find(chars: &[char], from: usize, is_end: impl Fn(usize) -> bool) -> usize {
    (from..chars.len()).find(|&i| is_end(i)).unwrap_or(chars.len())
}

fn string(chars: &[char], mut at: usize) -> usize {
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

fn raw_string(chars: &[char], at: usize) -> usize {
    let hashes = chars[at..].iter().take_while(|&&c| c == '#').count();
    let closes =
        |i: usize| chars[i] == '"' && chars[i + 1..].iter().take(hashes).filter(|&&c| c == '#').count() == hashes;
    find(chars, at + hashes + 1, closes) + 1 + hashes
}

/// Module path of a file below `src/`: `stage/score.rs` -> `[stage, score]`; the root is empty.
fn module(file: &str) -> Vec<String> {
    let stem = file.strip_suffix(".rs").unwrap_or(file);
    let stem = stem.strip_suffix("/mod").unwrap_or(stem);
    match stem {
        "lib" => Vec::new(),
        stem => stem.split('/').map(str::to_owned).collect(),
    }
}

/// First names of the paths that begin at `at`: one, or one for each branch of a `{…}`.
fn branches(tokens: &[String], at: usize) -> Vec<&str> {
    if tokens.get(at).is_none_or(|token| token != "{") {
        return tokens.get(at).map(String::as_str).into_iter().collect();
    }
    let mut depth = 0;
    let mut names = Vec::new();
    for (i, token) in tokens.iter().enumerate().skip(at) {
        match token.as_str() {
            "{" => depth += 1,
            "}" if depth == 1 => break,
            "}" => depth -= 1,
            _ => {}
        }
        if depth == 1 && matches!(token.as_str(), "{" | ",") && tokens.get(i + 1).is_some_and(|next| next != "}") {
            names.push(tokens[i + 1].as_str());
        }
    }
    names
}

/// Everything outside its own top-level module that a file names: modules of this crate as `crate::x`, crates as `x`.
fn imports(file: &str, source: &str) -> Vec<String> {
    let tokens = tokens(source);
    let home = module(file);
    let mut inline: Vec<usize> = Vec::new();
    let mut depth = 0;
    let mut found = Vec::new();
    for at in 0..tokens.len() {
        let is = |i: usize, text: &str| tokens.get(i).is_some_and(|token| token == text);
        let opens_path = is(at + 1, "::") && (at == 0 || !is(at - 1, "::"));
        match tokens[at].as_str() {
            "{" => {
                depth += 1;
                if at >= 2 && is(at - 2, "mod") {
                    inline.push(depth);
                }
            }
            "}" => {
                inline.retain(|&opened| opened < depth);
                depth -= 1;
            }
            "crate" | "hardset" if opens_path => {
                found.extend(branches(&tokens, at + 2).into_iter().map(|name| format!("crate::{name}")));
            }
            "super" if opens_path => {
                let supers = (at..tokens.len()).step_by(2).take_while(|&i| is(i, "super") && is(i + 1, "::")).count();
                if supers == home.len() + inline.len() {
                    let names = branches(&tokens, at + 2 * supers);
                    found.extend(names.into_iter().map(|name| format!("crate::{name}")));
                }
            }
            name if HOMES.iter().any(|(known, _)| *known == name) && (opens_path || (at > 0 && is(at - 1, "use"))) => {
                found.push(name.to_owned());
            }
            _ => {}
        }
    }
    let own = home.first().map(|top| format!("crate::{top}"));
    found.retain(|name| Some(name) != own.as_ref());
    found.sort();
    found.dedup();
    found
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// What is wrong with the imports of one file.
fn violations(file: &str, source: &str) -> Vec<String> {
    let here = module(file);
    let Some(top) = here.first() else { return Vec::new() };
    let Some(ours) = layer(top) else { return vec![format!("{file}: module `{top}` stands in no layer")] };
    let wrong = |name: &String| match name.strip_prefix("crate::") {
        Some(module) => match layer(module) {
            None => Some(format!("{file} imports `{name}`, which stands in no layer")),
            Some(theirs) if theirs >= ours => Some(format!("{file} imports `{name}` of its own layer or a higher one")),
            Some(_) => None,
        },
        None => {
            let homes: Vec<&str> = HOMES.iter().filter(|(known, _)| known == name).map(|(_, home)| *home).collect();
            let at_home = |home: &&str| file.starts_with(&format!("{home}/")) || file == format!("{home}.rs");
            let stray = !homes.is_empty() && !homes.iter().any(at_home);
            stray.then(|| format!("{file} names the crate `{name}`, which belongs to {} alone", homes.join(" and ")))
        }
    };
    imports(file, source).iter().filter_map(wrong).collect()
}

/// Files below `src/`, by their path there.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut files: Vec<PathBuf> = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("src/ is readable") {
            let path = entry.expect("src/ is readable").path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    files.sort();
    let read = |path: &PathBuf| fs::read_to_string(path).expect("sources are UTF-8");
    let name = |path: &PathBuf| path.strip_prefix(&root).expect("it lies there").to_string_lossy().into_owned();
    files.iter().map(|path| (name(path), read(path))).collect()
}

#[test]
fn every_import_keeps_to_the_table() {
    let sources = sources();
    assert!(sources.len() > 50, "only {} files found", sources.len());
    let wrong: Vec<String> = sources.iter().flat_map(|(file, source)| violations(file, source)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn files_say_what_they_are_for_and_are_not_too_long() {
    let wrong = |(file, source): (String, String)| {
        let limit = if file == "main.rs" { MAX_LINES_OF_MAIN } else { MAX_LINES };
        let lines = source.lines().count();
        let silent = !source.starts_with("//!");
        (silent || lines > limit).then(|| format!("{file}: {lines} lines of {limit}, opens with //!: {}", !silent))
    };
    let wrong: Vec<String> = sources().into_iter().filter_map(wrong).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_is_the_one_of_the_crate() {
    let (_, lib) = sources().into_iter().find(|(file, _)| file == "lib.rs").expect("src/lib.rs is there");
    let tokens = tokens(&lib);
    let named: Vec<&str> = tokens.windows(3).filter(|w| w[0] == "mod" && w[2] == ";").map(|w| w[1].as_str()).collect();
    let unknown: Vec<_> = named.iter().filter(|name| layer(name).is_none()).collect();
    assert!(named.len() > 8 && unknown.is_empty(), "{unknown:?} of {named:?}");
}

/// The one place that calls the checker with made-up lines.
fn check(file: &str, source: &str, expected: &[&str]) {
    let found = violations(file, source);
    assert_eq!(found.len(), expected.len(), "{file}: {source}\n{found:?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.contains(expected), "{found} / {expected}");
    }
}

#[test]
fn a_higher_layer_is_seen_in_whatever_way_it_is_named() {
    check("stats/select.rs", "use crate::stage::Context;", &["crate::stage"]);
    check("stats/select.rs", "use crate::{domain::Rule, stage::{self, Context}};", &["crate::stage"]);
    check("stats/select.rs", "fn f() { crate::cli::run() }", &["crate::cli"]);
    check("stats/select.rs", "use super::super::stage;", &["crate::stage"]);
    check("stats/mod.rs", "use super::{cli, domain};", &["crate::cli"]);
    check("stats/select.rs", "mod tests { use super::super::super::cli; }", &["crate::cli"]);
    check("stats/select.rs", "pub(in crate::stats) fn f() {} use crate::invented;", &["no layer"]);
    check("invented.rs", "", &["no layer"]);
}

#[test]
fn the_own_layer_is_refused_and_the_own_module_is_not() {
    check("table/plan.rs", "use crate::store::write_whole;", &["own layer"]);
    check("table/plan.rs", "use super::frame; use crate::table::frame as f; use crate::domain::ItemId;", &[]);
    check("stats/select.rs", "mod tests { use super::*; use super::super::mean; }", &[]);
    check("main.rs", "fn main() { hardset::cli::run() }", &[]);
    check("cli/mod.rs", "use crate::stage; use crate::store::Check;", &[]);
}

#[test]
fn crates_stay_in_their_homes() {
    check("stage/score.rs", "use polars::prelude::*;", &["polars"]);
    check("stage/score.rs", "fn f(x: ort::Value) { image::open(x) }", &["image", "ort"]);
    check("table/frame.rs", "use polars::prelude::*;", &[]);
    check("surrogate/mod.rs", "use ort;", &["ort"]);
    check("surrogate/onnx/mod.rs", "use ort::session::Session;", &[]);
    check("generator/diffusion/candle/gpu.rs", "use libloading::Library;", &[]);
    check("generator/diffusion/mod.rs", "use libloading::Library;", &["libloading"]);
    check("stage/score.rs", "let image = images[0]; image.len(); domain::image::x();", &[]);
}

#[test]
fn words_in_comments_and_texts_do_not_count() {
    let source = r##"
        //! See [`crate::cli`].
        /* use crate::cli; */
        const A: &str = "use crate::cli; \" crate::cli";
        const B: &str = r#"crate::"cli"#;
        fn f<'a>(c: &'a char) -> bool { *c == '"' || *c == '\'' }
        use crate::domain::Rule;
    "##;
    check("stats/select.rs", source, &[]);
    check("stats/select.rs", &format!("{source} use crate::cli;"), &["crate::cli"]);
}

/// Features that feature `name` of this package turns on.
fn feature(name: &str) -> Vec<String> {
    let manifest = include_str!("../Cargo.toml").parse::<toml::Table>().expect("Cargo.toml is TOML");
    let names = manifest["features"][name].as_array().expect("a feature is a list");
    names.iter().filter_map(|name| name.as_str()).map(str::to_owned).collect()
}

/// candle-core's `cudnn` brings its `cuda`, candle-nn's does not: without `candle-nn/cuda` the first layer norm on a
/// GPU
/// ends in "no cuda implementation". scripts/build_cuda.sh holds the resolved features.
#[test]
fn the_feature_cuda_reaches_every_part_of_candle() {
    let cuda = feature("cuda");
    for wanted in ["candle", "candle-core/cudnn", "candle-nn/cuda"] {
        assert!(cuda.iter().any(|name| name == wanted), "{wanted} is not in {cuda:?}");
    }
    let parts = feature("candle").into_iter().filter(|name| name.starts_with("dep:candle-")).count();
    assert_eq!(parts, 2, "a further crate of candle wants a word here: has it a feature `cuda`?");
}
