//! Texts that people read, held word by word: help, errors, a dataset card, a report's page.
//!
//! A changed text fails, on purpose: read the new words in the difference, and if they are right, take them over with
//!
//!     INSTA_UPDATE=always cargo test --release --test snapshots
//!
//! and commit the files below `tests/snapshots/`. What differs from machine to machine (paths, versions, processes,
//! hashes) is replaced by a word in angle brackets.

#![cfg(feature = "candle")]

mod common;

use std::fs;
use std::path::Path;

use common::{Hardset, copy, fake_recipe, reseal, sha256};
use hardset::store::Lock;

/// Every sub-command, each with its own help.
const COMMANDS: [&str; 25] = [
    "",
    "build",
    "plan",
    "generate",
    "mine",
    "submit",
    "worker",
    "finish",
    "annotate",
    "annotate export",
    "annotate serve",
    "annotate collect",
    "evaluate",
    "compare",
    "leaderboard",
    "release",
    "report",
    "status",
    "verify",
    "fetch",
    "doctor",
    "model",
    "model inspect",
    "completions",
    "man",
];

/// The one place that compares: a text and the file that holds it.
#[track_caller]
fn check(name: &str, text: &str) {
    let mut settings = insta::Settings::new();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// `text` without what differs from machine to machine.
fn stable(hardset: &Hardset, text: &str) -> String {
    let folder = hardset.path("").to_string_lossy().trim_end_matches('/').to_owned();
    let version = env!("CARGO_PKG_VERSION");
    let this_test = std::env::args().collect::<Vec<_>>().join(" ");
    let text = text.replace(&folder, "<folder>").replace(version, "<version>").replace(&this_test, "<command>");
    without_hashes(&without_process(&text))
}

/// `process 123 on its-machine` becomes `process <id> on <machine>`.
fn without_process(text: &str) -> String {
    let Some((before, after)) = text.split_once("process ") else { return text.to_owned() };
    let Some((number, rest)) = after.split_once(" on ") else { return text.to_owned() };
    if number.parse::<u32>().is_err() {
        return text.to_owned();
    }
    let machine = rest.split([' ', '\n']).next().unwrap_or_default();
    format!("{before}process <id> on <machine>{}", &rest[machine.len()..])
}

/// Words of twelve and more hexadecimal digits become `<hash>`.
fn without_hashes(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let is_hash =
            word.len() >= 12 && word.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        out += if is_hash { "<hash>" } else { word };
        let next = after.chars().next().map_or(0, char::len_utf8);
        out += &after[..next];
        rest = &after[next..];
    }
    out
}

#[test]
fn every_command_has_this_help() {
    let hardset = Hardset::new();
    for command in COMMANDS {
        let words: Vec<&str> = command.split_whitespace().chain(["--help"]).collect();
        let mut call = hardset.command(&words);
        let help = common::Run::of(call.env_remove("COLUMNS")).ok().stdout;
        let name = if command.is_empty() { "hardset".to_owned() } else { command.replace(' ', "-") };
        check(&format!("help-{name}"), &stable(&hardset, &help));
    }
}

/// A recipe of a few images of the small diffusion model.
const MADE: &str = "name = \"made\"\ncategories = \"imagenet-d\"\n\n[generate]\nsource = \"diffusion\"\n\
                    model = \"model\"\nnuisances = [\"material\"]\nwidth_px = 16\nheight_px = 16\nsteps = 1\n\
                    pairs_per_category = 1\n\n[mine]\nsurrogates = [\"fake-a\"]\n";

/// What goes wrong, one call after the other: the command, its exit code and what it says.
#[test]
fn typical_errors_are_said_in_these_words() {
    let hardset = Hardset::new();
    let recipe = fake_recipe("tiny", "images_per_category = 1", "rule = \"at-least=2\"");
    hardset.write("tiny.toml", &recipe);
    hardset.write("broken.toml", recipe.replace("shard_items = 64", "shard_items = "));
    hardset.write("unknown-key.toml", recipe.replace("size_px", "sise_px"));
    hardset.write("target.toml", format!("{recipe}targets = [\"fake-b\"]\n"));
    hardset.write("with-weights.toml", recipe.replace("at-least=2", "all"));
    let second = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/sd-second");
    copy(&second, &hardset.path("model"));
    hardset.write("made.toml", MADE);
    hardset.write("net.onnx", "these are not the weights");
    let weights = |source: &str| {
        format!(
            "weights = {source}\noutput = {{ kind = \"logits\", classes = 1000 }}\n\
             preprocess = {{ resize = {{ squash = 8 }}, interpolation = \"bilinear\", crop_px = 8 }}\n\n\
             [input]\nlayout = \"nchw\"\nchannels = \"rgb\"\ndtype = \"f32\"\nscale = 1.0\n\
             mean = [0.0, 0.0, 0.0]\nstd = [1.0, 1.0, 1.0]\n"
        )
    };
    hardset.write("missing.toml", weights("{ path = \"none.onnx\" }"));
    let other = sha256(b"other weights");
    hardset.write("net.toml", weights(&format!("{{ path = \"net.onnx\", sha256 = \"{other}\" }}")));
    hardset.line("build tiny.toml --run-dir run -q").ok();
    hardset.line("build tiny.toml --run-dir newer -q").ok();
    reseal(&hardset.path("newer/spec.toml"), |spec| spec.replace("major = 2", "major = 99"));
    let lock = Lock::take(&hardset.path("run")).expect("nobody else works on the run");

    let mut text = String::new();
    for (what, line) in [
        ("a path at which there is no recipe", "build recipes/none.toml"),
        ("a recipe that is not TOML", "build broken.toml"),
        ("an unknown key", "build unknown-key.toml"),
        ("an unknown surrogate", "build tiny.toml --run-dir new --set mine.surrogates=['fake-z']"),
        ("weights that are not there", "build with-weights.toml --set mine.surrogates=['missing.toml']"),
        ("weights with another hash", "build with-weights.toml --set mine.surrogates=['net.toml']"),
        ("a target that is a surrogate", "build target.toml --run-dir new"),
        ("a run that another process works on", "mine run --rule all"),
        ("a run of a newer version", "status newer"),
        ("a run that is not there", "status none"),
        ("a device that is not there", "build made.toml --engine candle --device cuda:9"),
        ("a value that does not fit its key", "build tiny.toml --run-dir new --set generate.size_px=big"),
    ] {
        let run = hardset.line(line);
        let said = stable(&hardset, &run.stderr);
        text += &format!("# {what}\n$ hardset {line}\n{}exit code {}\n\n", said, run.code.unwrap_or(-1));
        assert!(run.code != Some(0) && run.stdout.is_empty(), "{line}: {run:?}");
    }
    drop(lock);
    check("errors", text.trim_end());
}

#[test]
fn a_release_of_made_up_images_has_this_card() {
    let hardset = Hardset::new();
    hardset.line("build fake --run-dir run -q").ok();
    hardset.line("release run --out out -q").ok();
    let card = fs::read_to_string(hardset.path("out/README.md")).expect("a release has a card");
    check("card", &stable(&hardset, &card));
}

#[test]
fn a_report_of_made_up_images_has_this_text() {
    let hardset = Hardset::new();
    hardset.line("build fake --run-dir run -q").ok();
    let page = fs::read_to_string(hardset.path("run/report/index.html")).expect("a run has a report");
    check("report", &stable(&hardset, &visible(&page)));
}

/// The text of a page, one line for each block that has some.
fn visible(page: &str) -> String {
    const INLINE: [&str; 11] = ["a", "abbr", "b", "bdi", "code", "em", "small", "span", "strong", "time", "wbr"];
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    let mut rest = page;
    while let Some(start) = rest.find('<') {
        line += &rest[..start];
        let tag = &rest[start + 1..];
        let name = tag.trim_start_matches('/').split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        if !INLINE.contains(&name) {
            lines.push(words(&std::mem::take(&mut line)));
        }
        // Neither scripts nor styles are text.
        let end = if tag.starts_with("script") || tag.starts_with("style") {
            tag.find(&format!("</{name}>")).map(|at| at + name.len() + 3)
        } else {
            tag.find('>').map(|at| at + 1)
        };
        rest = &tag[end.unwrap_or(tag.len())..];
    }
    lines.push(words(&(line + rest)));
    lines.retain(|line| !line.is_empty());
    lines.join("\n")
}

/// Without breaks and entities.
fn words(text: &str) -> String {
    let plain = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let plain = plain.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    plain.replace("&amp;", "&")
}
