//! Zero-shot surrogates: three tiny models equal transformers tensor by tensor; a run that one scores; what is refused,
//! each with one message that names the surrogate and says what to do.
//!
//! Needs an ONNX Runtime library, and the shared data for the comparison; says so loudly and checks nothing where they
//! are not there.

mod common;

use std::fs;

use common::tiny::Tiny;
use common::tiny_onnx::Type;
use common::tiny_towers::{VOCABULARY, WIDTH, image_tower, joint, text_tower, tokenizer};
use common::{Hardset, Run, ort_library, test_data};

const TEXT: &str = "weights = { path = \"text.onnx\" }\ntokenizer = \"tokenizer.json\"\npositions = 48\n\
                    templates = [\"a photo of a {}.\"]\nduplicates = \"allow\"";
const SOFTMAX: &str = r#"kind = "softmax"
scale = 100.0"#;

fn toml(text: &str, output: &str) -> String {
    format!(
        "weights = {{ path = \"tiny.onnx\" }}\n\
         preprocess = {{ resize = {{ squash = 8 }}, interpolation = \"bilinear\", crop_px = 8 }}\n\
         [input]\nlayout = \"nchw\"\nchannels = \"rgb\"\ndtype = \"f32\"\nscale = 0.00784313725490196\n\
         mean = [1.0, 1.0, 1.0]\nstd = [1.0, 1.0, 1.0]\n[text]\n{text}\n[output]\n{output}\n"
    )
}

/// A recipe with one zero-shot surrogate, `tiny`, of good towers.
fn towers(text: &str, output: &str) -> Option<Tiny> {
    let tiny = Tiny::new(&image_tower(WIDTH).finish(), &toml(text, output))?;
    tiny.hardset.write("surrogates/text.onnx", text_tower(VOCABULARY, WIDTH).finish());
    tiny.hardset.write("surrogates/tokenizer.json", tokenizer(&[]));
    Some(tiny)
}

#[track_caller]
fn refused(tiny: &Tiny, parts: &[&str]) {
    let run = tiny.build().refused(2, parts);
    assert!(run.stderr.contains("tiny"), "the surrogate is named: {}", run.stderr);
    eprintln!("{}", run.stderr.lines().filter(|line| line.contains("error: ")).collect::<String>());
    assert!(!tiny.hardset.path("run/manifest.parquet").exists());
}

/// Side in px, resize, filter, mean, std, positions, cleaning, `[output]`.
type Folder<'a> = (&'a str, &'a str, &'a str, &'a str, u32, &'a str, &'a str);

fn compared(name: &str, folder: Folder) -> Option<Run> {
    let (library, data, photos) = (ort_library()?, test_data(&format!("parity/{name}"))?, test_data("photos")?);
    let (resize, filter, mean, std, positions, clean, output) = folder;
    let hardset = Hardset::new();
    let path = |file: &str| data.join(file).display().to_string();
    let toml = format!(
        "weights = {{ path = {vision:?} }}\n\
         preprocess = {{ resize = {resize}, interpolation = \"{filter}\", crop_px = 64, crop = \"floor\" }}\n\
         [input]\nlayout = \"nchw\"\ndtype = \"f32\"\nchannels = \"rgb\"\nscale = 0.00392156862745098\n\
         mean = {mean}\nstd = {std}\n\
         [text]\nweights = {{ path = {text:?} }}\ntokenizer = {tokens:?}\npositions = {positions}\nclean = \"{clean}\"\n\
         templates = [\"a photo of a {{}}.\"]\nduplicates = \"allow\"\n[output]\n{output}\n",
        vision = path("onnx/vision_model.onnx"),
        text = path("onnx/text_model.onnx"),
        tokens = path("tokenizer.json"),
    );
    hardset.write("model.toml", toml);
    let reference = path("reference.safetensors");
    let args = ["doctor", "--format", "json", "--device", "cpu", "--model", "model.toml", "--reference", &reference];
    let args = [args.as_slice(), &["--data-dir", &photos.display().to_string()]].concat();
    Some(Run::of(hardset.command(&args).env("ORT_DYLIB_PATH", library)))
}

/// Everything that the reference has is compared and within tolerance.
#[track_caller]
fn equals_transformers(name: &str, folder: Folder) {
    let Some(run) = compared(name, folder) else { return };
    let json = run.ok().json();
    let rows = json["compared"].as_array().expect("it is a list");
    for row in rows {
        eprintln!("{name}: {}", row);
    }
    let what: Vec<&str> = rows.iter().filter_map(|row| row["what"].as_str()).collect();
    let expected = [
        "token ids",
        "text rows",
        "text rows / norm",
        "class token ids",
        "class rows",
        "pixels of photographs",
        "pixel values",
        "image rows",
        "image rows / norm",
        "image rows one by one",
        "logits",
        "probabilities",
        "class logits",
        "class probabilities",
    ];
    assert_eq!(what, expected);
}

const CLIP: Folder = (
    "{ shorter = 64 }",
    "bicubic",
    "[0.48145466, 0.4578275, 0.40821073]",
    "[0.26862954, 0.26130258, 0.27577711]",
    77,
    "as-is",
    "kind = \"softmax\"\nscale = 100.00296282935913",
);
const HALVES: &str = "[0.5, 0.5, 0.5]";
const SIGMOID: &str = "kind = \"sigmoid\"\nscale = 109.94715148136659\nbias = -12.0";

#[test]
fn tiny_models_of_three_families_equal_transformers() {
    let squash = "{ squash = 64 }";
    equals_transformers("clip-tiny", CLIP);
    equals_transformers("siglip-tiny", (squash, "bicubic", HALVES, HALVES, 64, "as-is", SIGMOID));
    equals_transformers("siglip2-tiny", (squash, "bilinear", HALVES, HALVES, 64, "lower", SIGMOID));
}

#[test]
fn a_wrong_key_is_seen_in_the_comparison() {
    let wrong = |name: &str, folder: Folder, what: &[&str]| {
        let Some(run) = compared(name, folder) else { return };
        let json = run.expect(3).json();
        let rows = json["compared"].as_array().expect("it is a list");
        let found: Vec<&str> =
            rows.iter().filter(|row| row["ok"] == false).filter_map(|row| row["what"].as_str()).collect();
        assert!(what.iter().all(|what| found.contains(what)), "{name}: {found:?}");
    };
    let squash = "{ squash = 64 }";
    wrong("siglip2-tiny", (squash, "bilinear", HALVES, HALVES, 64, "as-is", SIGMOID), &["token ids", "logits"]);
    wrong("siglip2-tiny", (squash, "bicubic", HALVES, HALVES, 64, "lower", SIGMOID), &["pixels of photographs"]);
    wrong("clip-tiny", (squash, "bicubic", CLIP.2, CLIP.3, 77, "as-is", CLIP.6), &["pixels of photographs"]);
    wrong("clip-tiny", (CLIP.0, "bicubic", HALVES, CLIP.3, 77, "as-is", CLIP.6), &["pixel values", "image rows"]);
}

#[test]
fn a_run_is_scored_by_texts_and_its_rows_of_classes_are_made_once() {
    let Some(tiny) = towers(TEXT, SOFTMAX) else { return };
    tiny.build().ok();
    let tops = tiny.tops();
    assert_eq!(tops.len(), 113);
    assert!(tops.iter().collect::<std::collections::BTreeSet<_>>().len() > 10, "it tells images apart: {tops:?}");
    assert!(tiny.predictions("run").iter().all(|row| row.energy.is_some()));
    let cache = tiny.hardset.path("cache/class-rows");
    let file = fs::read_dir(&cache).expect("rows are kept").flatten().next().expect("one file").path();
    let whole = fs::read(&file).expect("it is readable");
    assert_eq!(whole.len(), 32 + 1000 * WIDTH as usize * 4);
    // Damaged rows are made again, and give the same predictions.
    let mut damaged = whole.clone();
    damaged[100] ^= 1;
    fs::write(&file, damaged).expect("it is writable");
    tiny.run("build pipeline.toml --run-dir again --data-dir data").ok();
    assert_eq!(fs::read(&file).expect("it is readable"), whole);
    assert_eq!(tiny.predictions("again"), tiny.predictions("run"));
    tiny.run("verify run").ok();
}

#[test]
fn a_joint_model_gives_what_its_towers_give() {
    let Some(split) = towers(TEXT, SOFTMAX) else { return };
    split.build().ok();
    let text = TEXT.replace("weights = { path = \"text.onnx\" }\n", "");
    let Some(tiny) = Tiny::new(&joint().finish(), &toml(&text, SOFTMAX)) else { return };
    tiny.hardset.write("surrogates/tokenizer.json", tokenizer(&[]));
    tiny.build().ok();
    assert_eq!(tiny.predictions("run"), split.predictions("run"));
}

#[test]
fn several_templates_names_and_a_sigmoid_are_all_parts_of_what_is_asked() {
    let of = |text: &str, output: &str| -> Option<Vec<f32>> {
        let tiny = towers(text, output)?;
        tiny.build().ok();
        Some(tiny.predictions("run").iter().map(|row| row.top5_probs[0]).collect())
    };
    let Some(first) = of(TEXT, SOFTMAX) else { return };
    let more = TEXT.replace("[\"a photo of a {}.\"]", "[\"a photo of a {}.\", \"a bad photo of the {}.\"]");
    let other = [
        of(&more, SOFTMAX),
        of(&format!("{TEXT}\nclean = \"canonical\""), SOFTMAX),
        of(&format!("{TEXT}\npadding = \"<end>\""), SOFTMAX),
        of(TEXT, &SOFTMAX.replace("100.0", "99.0")),
        of(TEXT, "kind = \"sigmoid\"\nscale = 100.0\nbias = -90.0"),
    ];
    for (at, other) in other.into_iter().enumerate() {
        assert_ne!(other, Some(first.clone()), "change {at}");
    }
}

#[test]
fn towers_and_tokenizers_of_other_models_are_refused() {
    let Some(tiny) = towers(TEXT, SOFTMAX) else { return };
    let text = |bytes: Vec<u8>| tiny.hardset.write("surrogates/text.onnx", bytes);
    text(text_tower(VOCABULARY, WIDTH + 8).finish());
    refused(&tiny, &["text.onnx gives rows of 24 numbers", "tiny.onnx gives rows of 16", "take both from one model"]);
    text(text_tower(VOCABULARY - 3, WIDTH).finish());
    let known = format!("the text tower knows {} tokens", VOCABULARY - 3);
    refused(&tiny, &["tokenizer.json is the tokenizer of another model", &known, "from the folder of the text tower"]);
    text(image_tower(WIDTH).finish());
    refused(&tiny, &["its text tower cannot be used", "is it the image tower?"]);
    text(text_tower(VOCABULARY, WIDTH).finish());
    tiny.hardset.write("surrogates/tiny.onnx", text_tower(VOCABULARY, WIDTH).finish());
    refused(&tiny, &["input `input_ids` takes Int64"]);
    tiny.hardset.write("surrogates/tiny.onnx", image_tower(WIDTH).finish());
    tiny.hardset.write("surrogates/tokenizer.json", "{}");
    refused(&tiny, &["tokenizer.json: is not a tokenizer.json"]);
    tiny.hardset.write("surrogates/tokenizer.json", tokenizer(&[]));
    let write = |text: &str| tiny.hardset.write("surrogates/tiny.toml", toml(text, SOFTMAX));
    write(&TEXT.replace("48", "77"));
    refused(&tiny, &["it reads 48 tokens at a time; write text.positions = 48"]);
    write(&format!("{TEXT}\npadding = \"!!\""));
    refused(&tiny, &["has no token `!!`; correct text.padding"]);
    write(TEXT);
    tiny.build().ok();
}

#[test]
fn rows_without_a_direction_are_found_before_any_image_or_cost_one_image() {
    let Some(tiny) = towers(TEXT, SOFTMAX) else { return };
    let scaled = |by: f32| {
        let model = text_tower(VOCABULARY, WIDTH).constant("by", &[1], &[by]).node("Mul text_rows by -> scaled");
        model.output("scaled", Type::F32, &[-1, WIDTH as i64]).finish()
    };
    tiny.hardset.write("surrogates/tiny.toml", toml(&format!("{TEXT}\noutput = \"scaled\""), SOFTMAX));
    tiny.hardset.write("surrogates/text.onnx", scaled(0.0));
    refused(&tiny, &["its row of the text \"a photo of a ", "is zero, and has no direction"]);
    tiny.hardset.write("surrogates/text.onnx", scaled(f32::NAN));
    refused(&tiny, &["its row of the text", "not finite"]);
    tiny.hardset.write("surrogates/text.onnx", scaled(2.0));
    // Grey pictures have a mean of 0 in the tensor, nearly; brighter ones overflow.
    let image = image_tower(WIDTH).constant("huge", &[1], &[1e38]).node("Mul image_rows huge -> overflowing");
    let image = image.output("overflowing", Type::F32, &[-1, WIDTH as i64]).finish();
    tiny.hardset.write("surrogates/tiny.onnx", image);
    let output = format!("{SOFTMAX}\nname = \"overflowing\"");
    tiny.hardset.write("surrogates/tiny.toml", toml(&format!("{TEXT}\noutput = \"scaled\""), &output));
    let run = tiny.build();
    assert!(run.stderr.contains("its row of the image has numbers that are not finite") || run.code == Some(0));
}

#[test]
fn what_the_toml_says_wrong_is_named_with_file_and_key() {
    let Some(tiny) = towers(TEXT, SOFTMAX) else { return };
    let check = |text: &str, output: &str, parts: &[&str]| {
        tiny.hardset.write("surrogates/tiny.toml", toml(text, output));
        refused(&tiny, parts);
    };
    let unique = TEXT.replace("\nduplicates = \"allow\"", "");
    check(
        &unique,
        SOFTMAX,
        &["`text.names`", "class 134 (\"crane\") and class 517 (\"crane\")", "duplicates = \"allow\""],
    );
    check(
        &format!("{TEXT}\nnames = [\"cat\", \"dog\"]"),
        SOFTMAX,
        &["has 2 names in text.names", "there are 1000 classes"],
    );
    tiny.hardset.write("surrogates/names.txt", "cat\n\ndog\n");
    check(&format!("{TEXT}\nnames = \"names.txt\""), SOFTMAX, &["has no name at place 2 of", "names.txt"]);
    check(&format!("{TEXT}\nnames = \"none.txt\""), SOFTMAX, &["cannot read", "none.txt"]);
    check(&TEXT.replace("{}", "thing"), SOFTMAX, &["`text.templates`", "needs `{}` once"]);
    check(&TEXT.replace("[\"a photo of a {}.\"]", "[]"), SOFTMAX, &["`text.templates` is empty"]);
    check(&TEXT.replace("48", "1"), SOFTMAX, &["`text.positions` is outside 2 to 4096"]);
    check(&format!("{TEXT}\nclean = \"loud\""), SOFTMAX, &["as-is", "lower", "canonical"]);
    check(&format!("{TEXT}\ncleaned = \"lower\""), SOFTMAX, &["unknown field `cleaned`"]);
    check(TEXT, "kind = \"softmax\"", &["`output.scale` is missing"]);
    check(TEXT, "kind = \"softmax\"\nscale = 0.0", &["`output.scale` is not above 0"]);
    check(TEXT, "kind = \"softmax\"\nscale = 1.0\nbias = nan", &["`output.bias`"]);
    check(TEXT, "kind = \"logits\"\nscale = 1.0", &["`output.kind` is that of a classifier", "softmax"]);
    check(TEXT, &format!("{SOFTMAX}\nclasses = 1000"), &["`output` has classes or offset"]);
    let plain = toml("", SOFTMAX).replace("[text]\n\n", "");
    tiny.hardset.write("surrogates/tiny.toml", plain);
    refused(&tiny, &["`output.kind` is that of a zero-shot model, which needs [text]"]);
}
