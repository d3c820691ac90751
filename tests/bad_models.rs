//! Models that are not what their TOML says, and libraries that are none: one clear message that names the surrogate,
//! the right exit code, never a panic. The good tiny model shows that it is the fault that is refused, not the model.
//!
//! Needs an ONNX Runtime library; says so loudly and checks nothing where there is none.

mod common;

use std::fs;
use std::path::PathBuf;

use common::tiny::{BY_PATH, CLASSES, F32, INPUTS, LOGITS, Tiny, check, good, linear, surrogate, weights};
use common::tiny_onnx::{Model, Type};
use common::{Run, sha256, strings, table};

#[test]
fn a_good_tiny_model_works_whatever_its_batch_and_however_its_output_is_named() {
    let three = linear(-1, CLASSES).node("Identity logits -> other").node("Identity logits -> third");
    let three =
        ["other", "logits", "third"].iter().fold(three, |m, name| m.output(name, Type::F32, &[-1, 1000])).finish();
    let named = r#"{ kind = "logits", classes = 1000, name = "logits" }"#;
    let fixed = format!("{F32}\nbatch = 5");
    let variants = [
        (good(-1), surrogate(BY_PATH, LOGITS, F32)),
        (good(1), surrogate(BY_PATH, LOGITS, F32)),
        (good(5), surrogate(BY_PATH, LOGITS, &fixed)),
        (three, surrogate(BY_PATH, named, F32)),
    ];
    let mut tops = Vec::new();
    for (model, toml) in variants {
        let Some(tiny) = Tiny::new(&model, &toml) else { return };
        tiny.build().ok();
        tops.push(tiny.tops());
    }
    assert_eq!(tops[0].len(), 113);
    assert!(tops[0].iter().collect::<std::collections::BTreeSet<_>>().len() > 50, "it tells images apart");
    assert!(tops.iter().all(|other| *other == tops[0]));
}

#[test]
fn a_model_with_another_hash_is_refused_before_it_is_used() {
    let (right, mut wrong) = (good(-1), good(-1));
    let last = wrong.len() / 2;
    wrong[last] ^= 1;
    let manifest = |hash: &str| {
        format!("[[file]]\nid = \"tiny-weights\"\nfile = \"weights.onnx\"\nlicence = \"MIT\"\nsha256 = \"{hash}\"\n")
    };
    let toml = surrogate(r#"{ id = "tiny-weights" }"#, LOGITS, F32);
    let Some(tiny) = Tiny::new(&[], &toml) else { return };
    tiny.hardset.write("data-manifest.toml", manifest(&sha256(&right)));
    tiny.build().refused(4, &["weights.onnx", "tiny-weights", "--data-dir"]);
    tiny.hardset.write("data/below/weights.onnx", &wrong);
    tiny.build().refused(2, &["data/below/weights.onnx", "tiny-weights", &sha256(&wrong), &sha256(&right)]);
    tiny.hardset.write("data/below/weights.onnx", &right);
    tiny.build().ok();
    let by_path = format!("{{ path = \"tiny.onnx\", sha256 = \"{}\" }}", sha256(&right));
    check(&wrong, &surrogate(&by_path, LOGITS, F32), &["tiny.onnx is not `tiny`", &sha256(&right)]);
    tiny.hardset.write("surrogates/tiny.toml", surrogate(r#"{ path = "none.onnx" }"#, LOGITS, F32));
    tiny.build().refused(4, &["surrogates/none.onnx"]);
}

#[test]
fn a_wrong_hash_names_the_surrogate_and_not_only_its_file() {
    let manifest = "[[file]]\nid = \"net-7\"\nfile = \"net-7.onnx\"\nlicence = \"MIT\"\nsha256 = ";
    let toml = surrogate(r#"{ id = "net-7" }"#, LOGITS, F32);
    let Some(tiny) = Tiny::new(&[], &toml) else { return };
    tiny.hardset.write("data-manifest.toml", format!("{manifest}\"{}\"\n", sha256(b"another")));
    tiny.hardset.write("data/net-7.onnx", good(-1));
    tiny.build().refused(2, &["net-7.onnx", "surrogate `tiny`"]);
}

#[test]
fn weights_that_change_are_scored_anew_and_equal_ones_elsewhere_are_not() {
    let Some(tiny) = Tiny::new(&good(-1), &surrogate(BY_PATH, LOGITS, F32)) else { return };
    tiny.build().ok();
    let first = tiny.tops();
    fs::rename(tiny.hardset.path("surrogates/tiny.onnx"), tiny.hardset.path("moved.onnx")).unwrap();
    tiny.hardset.write("surrogates/tiny.toml", surrogate(r#"{ path = "../moved.onnx" }"#, LOGITS, F32));
    let fresh = || tiny.build().ok().json()["mining"]["scored"][0]["fresh"].clone();
    assert_eq!(fresh(), 0);
    let other = linear(-1, CLASSES).node("Neg logits -> negative").output("negative", Type::F32, &[-1, 1000]).finish();
    tiny.hardset.write("moved.onnx", other);
    assert_eq!(fresh(), 113);
    assert_ne!(tiny.tops(), first);
}

#[test]
fn files_that_are_no_models_are_refused_with_surrogate_and_file() {
    let model = good(-1);
    let toml = surrogate(BY_PATH, LOGITS, F32);
    for bytes in [&model[..model.len() / 2], &model[..40], b"not a model", b""] {
        check(bytes, &toml, &["surrogate `tiny`", "tiny.onnx cannot be"]);
    }
}

#[test]
fn inputs_that_do_not_fit_are_refused_with_both_sides() {
    let toml = surrogate(BY_PATH, LOGITS, F32);
    let larger = toml.replace("squash = 8", "squash = 16").replace("crop_px = 8", "crop_px = 16");
    check(&good(-1), &larger, &["surrogate `tiny`", "`image`", "3, 8, 8", "3, 16, 16", "crop_px"]);
    check(&good(-1), &toml.replace("nchw", "nhwc"), &["surrogate `tiny`", "input.layout"]);
    check(&good(-1), &toml.replace("f32", "f16"), &["surrogate `tiny`", "input.dtype", "Float16"]);
    check(&good(-1), &surrogate(BY_PATH, LOGITS, "dtype = \"u8\""), &["surrogate `tiny`", "Uint8"]);
    check(&good(1), &format!("{toml}batch = 4\n"), &["surrogate `tiny`", "fixed at 1", "input.batch says 4"]);
    let flat =
        Model::default().input("image", &[-1, 192]).node("Identity image -> y").output("y", Type::F32, &[-1, 192]);
    check(&flat.finish(), &toml, &["surrogate `tiny`", "192"]);
    let two =
        linear(-1, CLASSES).input("mask", &[-1, 1000]).node("Mul logits mask -> y").output("y", Type::F32, &[-1, 1000]);
    check(&two.finish(), &toml, &["surrogate `tiny`", "2 inputs", "`mask`"]);
}

#[test]
fn outputs_that_do_not_fit_are_refused_with_what_to_write() {
    let toml = surrogate(BY_PATH, LOGITS, F32);
    let three = linear(-1, CLASSES).node("Identity logits -> b").node("Identity logits -> c");
    let three = ["logits", "b", "c"].iter().fold(three, |m, name| m.output(name, Type::F32, &[-1, 1000])).finish();
    check(&three, &toml, &["surrogate `tiny`", "3 outputs", "`logits`, `b`, `c`", "output.name"]);
    let named = surrogate(BY_PATH, r#"{ kind = "logits", classes = 1000, name = "d" }"#, F32);
    check(&three, &named, &["surrogate `tiny`", "no output `d`"]);

    let ten = linear(-1, 10).output("logits", Type::F32, &[-1, 10]).finish();
    check(&ten, &toml, &["surrogate `tiny`", "classes"]);
    let more = linear(-1, 1001).output("logits", Type::F32, &[-1, 1001]).finish();
    check(&more, &toml, &["surrogate `tiny`", "classes"]);
    let best = linear(-1, CLASSES).node_with("ArgMax logits -> best", &[("axis", &[1]), ("keepdims", &[1])]);
    check(&best.output("best", Type::I64, &[-1, 1]).finish(), &toml, &["surrogate `tiny`", "f32 or f16 is needed"]);
    // The whole batch in one row: the number of rows is not the number of pictures.
    let summed = linear(-1, CLASSES).node_with("ReduceMean logits -> y", &[("axes", &[0]), ("keepdims", &[1])]);
    check(&summed.output("y", Type::F32, &[1, 1000]).finish(), &toml, &["surrogate `tiny`"]);

    let wrong = surrogate(BY_PATH, r#"{ kind = "logits", classes = 10 }"#, F32);
    check(&ten, &wrong, &["tiny.toml", "output.classes"]);
    let probabilities = surrogate(BY_PATH, r#"{ kind = "probabilities", classes = 1000 }"#, F32);
    check(&good(-1), &probabilities, &["surrogate `tiny`", "output.kind"]);
}

#[test]
fn a_model_that_gives_no_numbers_is_refused() {
    let nan = linear(-1, CLASSES).constant("nan", &[1], &[f32::NAN]).node("Mul logits nan -> y");
    let toml = surrogate(BY_PATH, LOGITS, F32);
    check(&nan.output("y", Type::F32, &[-1, 1000]).finish(), &toml, &["surrogate `tiny`", "NaN"]);
    let infinite = linear(-1, CLASSES).constant("inf", &[1], &[f32::INFINITY]).node("Mul logits inf -> y");
    check(&infinite.output("y", Type::F32, &[-1, 1000]).finish(), &toml, &["surrogate `tiny`"]);
}

#[test]
fn a_model_that_gives_no_numbers_for_some_images_loses_those_alone() {
    // The logarithm of a mean that is negative for dark pictures, added to the logits.
    let mean = [("axes", &[1][..]), ("keepdims", &[1])];
    let model = linear(-1, CLASSES).node_with("ReduceMean flat -> mean", &mean).node("Log mean -> log");
    let model = model.node("Add logits log -> y").output("y", Type::F32, &[-1, 1000]).finish();
    let Some(tiny) = Tiny::new(&model, &surrogate(BY_PATH, LOGITS, F32)) else { return };
    tiny.build().expect(3);
    let dropped = table(&tiny.hardset.path("run/dropped.parquet"));
    let kept = table(&tiny.hardset.path("run/manifest.parquet")).height();
    assert_eq!(kept + dropped.height(), 113);
    assert!(kept > 20 && dropped.height() > 20, "{kept} kept");
    assert!(strings(&dropped, "reason").iter().all(|reason| reason.starts_with("surrogate `tiny`: ")));
    assert!(strings(&dropped, "stage").iter().all(|stage| stage == "mine"));
    Run::of(&mut tiny.hardset.command(&["verify", "run"])).ok();
}

#[test]
fn a_model_that_takes_one_picture_at_a_time_without_saying_so_is_refused_until_the_recipe_says_so() {
    // Its input declares any batch, but the first axis is squeezed away: only a batch of one runs.
    let model = Model::default()
        .input("image", &[-1, 3, 8, 8])
        .constant("weights", &[INPUTS as u64, CLASSES], &weights(CLASSES))
        .node_with("Squeeze image -> single", &[("axes", &[0])])
        .node_with("Flatten single -> flat", &[("axis", &[0])])
        .node("MatMul flat weights -> logits")
        .output("logits", Type::F32, &[-1, 1000])
        .finish();
    let Some(tiny) = Tiny::new(&model, &surrogate(BY_PATH, LOGITS, &format!("{F32}\nbatch = 1"))) else { return };
    tiny.build().ok();
    check(&model, &surrogate(BY_PATH, LOGITS, F32), &["surrogate `tiny`", "input.batch"]);
}

#[test]
fn a_refused_surrogate_leaves_the_run_as_it_was() {
    let Some(tiny) = Tiny::new(&good(-1), &surrogate(BY_PATH, LOGITS, F32)) else { return };
    tiny.build().ok();
    let before = common::hashes(&tiny.hardset.path("run"));
    tiny.hardset.write("bad.onnx", "not a model");
    tiny.hardset.write("bad.toml", surrogate(r#"{ path = "bad.onnx" }"#, LOGITS, F32));
    let mut mine = tiny.hardset.command(&["mine", "run", "--surrogates", "tiny,bad.toml", "--rule", "all"]);
    Run::of(mine.env("ORT_DYLIB_PATH", &tiny.library)).refused(2, &["surrogate `bad`"]);
    assert_eq!(common::hashes(&tiny.hardset.path("run")), before);
    tiny.hardset.line("mine run --near-tie 0.5").ok();
    tiny.hardset.line("verify run").ok();
}

#[test]
fn a_library_that_is_missing_or_none_is_named_and_the_exit_code_is_4() {
    let Some(tiny) = Tiny::new(&good(-1), &surrogate(BY_PATH, LOGITS, F32)) else { return };
    let text = tiny.hardset.write("libonnxruntime.so", "no library");
    let providers = tiny.library.with_file_name("libonnxruntime_providers_shared.so");
    let mut wrong = vec![PathBuf::from("/nonexistent"), tiny.hardset.path(""), text];
    wrong.extend(providers.is_file().then_some(providers));
    for path in wrong {
        let run =
            Run::of(tiny.hardset.command(&["build", "pipeline.toml", "--run-dir", "run"]).env("ORT_DYLIB_PATH", &path));
        run.refused(4, &["ONNX Runtime", path.to_str().unwrap(), "hardset fetch onnxruntime"]);
        let doctor = Run::of(tiny.hardset.command(&["doctor"]).env("ORT_DYLIB_PATH", &path));
        assert!(matches!(doctor.code, Some(3 | 4)), "{doctor:?}");
    }
    tiny.build().ok();
    let args = ["build", "pipeline.toml", "--run-dir", "other", "--device", "cuda:99"];
    let run = Run::of(tiny.hardset.command(&args).env("ORT_DYLIB_PATH", &tiny.library));
    let gpu = ["cuda:99", "--device cpu"];
    run.refused(4, &gpu);
    let doctor = Run::of(tiny.hardset.command(&["doctor", "--device", "cuda:99"]).env("ORT_DYLIB_PATH", &tiny.library));
    let doctor = doctor.expect(4);
    let why: Vec<&str> = doctor.stdout.lines().filter(|line| line.contains("cannot use cuda:99: ")).collect();
    let [mining] = why[..] else { panic!("what is wrong is said once: {doctor:?}") };
    let (_, problem) = mining.split_once("cuda:99: ").expect("it is there");
    assert_eq!(doctor.stdout.matches(problem).count(), 1, "{doctor:?}");
    assert!(!tiny.hardset.path("other/images").exists(), "it was refused before any image was made");
}
