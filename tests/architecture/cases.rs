//! The checker of layers and crates, tested with made-up lines.

use super::{Tree, faults, strays};

/// The one place that calls the checker: what is wrong with a file of these lines, each by a part of its words.
fn check(file: &str, text: &str, expected: &[&str]) {
    check_beside(&[], file, text, expected);
}

/// As [`check`], beside other files.
fn check_beside(others: &[(&str, &str)], file: &str, text: &str, expected: &[&str]) {
    let files = others.iter().copied().chain([(file, text)]).map(|(name, text)| (name.to_owned(), text.to_owned()));
    let tree = Tree::new(&files.collect::<Vec<_>>());
    let found = strays(&tree, tree.files.last().expect("one file at least"));
    assert_eq!(found.len(), expected.len(), "{file}: {text}\n{found:?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.contains(expected), "{found} / {expected}");
    }
}

#[test]
fn a_higher_layer_is_seen_in_whatever_way_it_is_named() {
    check("stats/select.rs", "use crate::stage::Context;", &["crate::stage"]);
    check("stats/select.rs", "use crate::{domain::Rule, stage::{self, Context}};", &["crate::stage"]);
    check("stats/select.rs", "fn f() { crate::cli::run() }", &["crate::cli"]);
    check("stats/select.rs", "fn f() { println!(\"{}\", crate::cli::run()) }", &["crate::cli"]);
    check("stats/select.rs", "struct A(Vec<crate::cli::B>);", &["crate::cli"]);
    check("stats/select.rs", "use super::super::stage;", &["crate::stage"]);
    check("stats/mod.rs", "use super::{cli, domain};", &["crate::cli"]);
    check("stats/select.rs", "mod tests { use super::super::super::cli; }", &["crate::cli"]);
    check("stats/select.rs", "pub(in crate::stats) fn f() {} use crate::invented;", &["no layer"]);
    check("invented.rs", "", &["no layer"]);
}

#[test]
fn the_own_layer_is_refused_and_the_own_room_is_not() {
    check("table/plan.rs", "use crate::store::write_whole;", &["own layer"]);
    check("table/plan.rs", "use super::frame; use crate::table::frame as f; use crate::domain::ItemId;", &[]);
    check("stats/select.rs", "mod tests { use super::*; use super::super::mean; }", &[]);
    check("main.rs", "fn main() { hardset::cli::run() }", &[]);
    check("cli/mod.rs", "use crate::stage; use crate::store::Check;", &[]);
}

#[test]
fn what_a_room_hands_on_is_judged_by_where_it_comes_from() {
    let stats = ("stats/mod.rs", "pub use crate::stage::Context;");
    let stage = ("stage/mod.rs", "pub struct Context;");
    check_beside(&[stats, stage], "stats/select.rs", "use super::Context;", &["crate::stage"]);
}

#[test]
fn crates_stay_in_their_homes() {
    check("stage/mine/score.rs", "use polars::prelude::*;", &["polars"]);
    check("stage/mine/score.rs", "fn f(x: ort::Value) { image::open(x) }", &["image", "ort"]);
    check("table/frame.rs", "use polars::prelude::*;", &[]);
    check("scorer/mod.rs", "use ort;", &["ort"]);
    check("scorer/onnx/mod.rs", "use ort::session::Session;", &[]);
    check("generator/diffusion/candle/gpu.rs", "use libloading::Library;", &[]);
    check("generator/diffusion/mod.rs", "use libloading::Library;", &["libloading"]);
    check("stage/mine/score.rs", "fn f() { let image = images[0]; image.len(); domain::image::x(); }", &[]);
    check("stage/mine/score.rs", "mod image { pub fn open() {} } fn f() { image::open() }", &[]);
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

#[test]
fn long_and_silent_files_are_seen() {
    let shape = |text: &str| faults("stats/select.rs", text).len();
    assert_eq!(shape("//! What it is for.\n"), 0);
    assert_eq!(shape("\n//! What it is for.\n"), 1);
    assert_eq!(shape(&format!("//! {}\n", "ü".repeat(116))), 0);
    assert_eq!(shape(&format!("//! {}\n", "ü".repeat(117))), 1);
    assert_eq!(shape(&"//! Long.\n".repeat(601)), 1);
}
