//! A classifier of two layers over images of 8 x 8 px, written by hand, and a run that it scores.
//!
//! Needs an ONNX Runtime library; says so loudly and gives nothing where there is none.

use std::path::PathBuf;

use hardset::domain::Prediction;
use hardset::table::predictions_table;

use super::tiny_onnx::{Model, Type};
use super::{Hardset, Run, fake_recipe, ort_library, unit_file};

/// Numbers of an image of 8 x 8 px, and of the weights that turn them into classes.
pub const INPUTS: usize = 3 * 8 * 8;
pub const CLASSES: u64 = 1000;

/// A surrogate's TOML for the tiny models; `rest` is more lines of `[input]`.
pub fn surrogate(weights: &str, output: &str, rest: &str) -> String {
    format!(
        "weights = {weights}\npreprocess = {{ resize = {{ squash = 8 }}, interpolation = \"bilinear\", crop_px = 8 }}\n\
         output = {output}\n\n[input]\nlayout = \"nchw\"\nchannels = \"rgb\"\n{rest}\n"
    )
}

pub const LOGITS: &str = r#"{ kind = "logits", classes = 1000 }"#;
pub const F32: &str = "dtype = \"f32\"\nscale = 0.00784313725490196\nmean = [1.0, 1.0, 1.0]\nstd = [1.0, 1.0, 1.0]";

/// Weights without any pattern that the classes could share.
pub fn weights(classes: u64) -> Vec<f32> {
    let level = |i: u64| ((i.wrapping_mul(2_654_435_761) >> 7) % 2001) as f32 / 1000.0 - 1.0;
    (0..INPUTS as u64 * classes).map(level).collect()
}

/// Pixels times weights: `image` of `[batch, 3, 8, 8]` -> `logits` of `[batch, classes]`, no output declared yet.
pub fn linear(batch: i64, classes: u64) -> Model {
    Model::default()
        .input("image", &[batch, 3, 8, 8])
        .constant("weights", &[INPUTS as u64, classes], &weights(classes))
        .node("Flatten image -> flat")
        .node("MatMul flat weights -> logits")
}

pub fn good(batch: i64) -> Vec<u8> {
    linear(batch, CLASSES).output("logits", Type::F32, &[batch, 1000]).finish()
}

/// The program with a library, and a recipe of 113 made-up images over one surrogate, `tiny`.
pub struct Tiny {
    pub hardset: Hardset,
    pub library: PathBuf,
}

impl Tiny {
    /// `None` after saying loudly that there is no library.
    pub fn new(model: &[u8], toml: &str) -> Option<Self> {
        let library = ort_library()?;
        let hardset = Hardset::new();
        let recipe = fake_recipe("tiny", "", "rule = \"all\"");
        let recipe = recipe.replace(r#"["fake-a", "fake-b", "fake-c"]"#, r#"["surrogates/tiny.toml"]"#);
        hardset.write("pipeline.toml", recipe);
        hardset.write("surrogates/tiny.toml", toml);
        hardset.write("surrogates/tiny.onnx", model);
        std::fs::create_dir(hardset.path("data")).expect("a folder");
        Some(Self { hardset, library })
    }

    pub fn build(&self) -> Run {
        self.run("build pipeline.toml --run-dir run --data-dir data --format json")
    }

    /// The program with these arguments.
    pub fn run(&self, line: &str) -> Run {
        let arguments: Vec<&str> = line.split(' ').collect();
        Run::of(self.hardset.command(&arguments).env("ORT_DYLIB_PATH", &self.library))
    }

    /// The predictions of the run in this folder.
    pub fn predictions(&self, run: &str) -> Vec<Prediction> {
        let shards = (0..2).map(|shard| self.hardset.path(&format!("{run}/predictions/tiny/000/{shard:06}.parquet")));
        shards.flat_map(|path| predictions_table::decode(&unit_file(&path)).expect("it is a table")).collect()
    }

    /// The first class of each image.
    pub fn tops(&self) -> Vec<i32> {
        self.predictions("run").iter().map(|row| row.top5_ids[0]).collect()
    }
}

pub const BY_PATH: &str = r#"{ path = "tiny.onnx" }"#;

/// Builds with this model and TOML: refused with exit code 2 and a message that names the surrogate and says these
/// parts.
pub fn check(model: &[u8], toml: &str, parts: &[&str]) {
    let Some(tiny) = Tiny::new(model, toml) else { return };
    let run = tiny.build().refused(2, parts);
    assert!(run.stderr.contains("tiny"), "the surrogate is named: {}", run.stderr);
    assert_eq!(run.stderr.matches("error: ").count(), 1, "{}", run.stderr);
    eprintln!("{}", run.stderr.lines().filter(|line| line.contains("error: ")).collect::<String>());
    assert!(!tiny.hardset.path("run/manifest.parquet").exists());
}
