//! `model inspect`: drafts of models written by hand, of the project's real ones and of the folders of two towers, each
//! held against what is known of it.
//!
//! Needs an ONNX Runtime library, and the project's shared data where a test says so; says loudly what is absent.

#![cfg(feature = "onnx")]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use common::tiny::{INPUTS, linear, weights};
use common::tiny_onnx::Type;
use common::{Hardset, RealInput, Run, fake_recipe, ort_library, test_data};
use hardset::config::wordnet_ids;
use hardset::imaging::{RgbImage, encode_png};
use serde_json::Value;

/// A folder of its own with the library.
struct Bench {
    hardset: Hardset,
    library: std::path::PathBuf,
}

impl Bench {
    fn new() -> Option<Self> {
        Some(Self { library: ort_library()?, hardset: Hardset::new() })
    }

    fn line(&self, line: &str) -> Run {
        let mut command = self.hardset.command(&line.split(' ').collect::<Vec<_>>());
        Run::of(command.env("ORT_DYLIB_PATH", &self.library))
    }

    /// The draft of a model as TOML, and the keys of its questions.
    #[track_caller]
    fn draft(&self, model: &str) -> (toml::Table, Vec<String>) {
        let json = self.line(&format!("model inspect {model} --format json")).ok().json();
        let toml = json["toml"].as_str().expect("it is text");
        let key = |question: &Value| question["key"].as_str().unwrap_or_default().to_owned();
        let questions = json["questions"].as_array().expect("it is a list").iter().map(key).collect();
        (toml.parse().unwrap_or_else(|e| panic!("{e}: {toml}")), questions)
    }
}

fn value(text: &str) -> toml::Value {
    format!("value = {text}").parse::<toml::Table>().expect("it is TOML")["value"].clone()
}

fn tiny(classes: u64) -> Vec<u8> {
    linear(-1, classes).output("logits", Type::F32, &[-1, classes as i64]).finish()
}

/// The same with a softmax behind it.
fn tiny_probabilities(classes: u64) -> Vec<u8> {
    let model = linear(-1, classes).node("Softmax logits -> probs");
    model.output("probs", Type::F32, &[-1, classes as i64]).finish()
}

#[test]
fn the_draft_of_a_graph_alone_asks_what_no_graph_says_and_loads_as_a_surrogate() {
    let Some(bench) = Bench::new() else { return };
    bench.hardset.write("net.onnx", tiny(1000));
    let (toml, questions) = bench.draft("net.onnx");
    assert_eq!(questions, ["preprocess", "input.channels", "input.scale"]);
    assert_eq!(toml["output"], value("{ kind = \"logits\", classes = 1000 }"));
    assert_eq!((toml["input"]["layout"].as_str(), toml["preprocess"]["crop_px"].as_integer()), (Some("nchw"), Some(8)));
    bench
        .line("model inspect net.onnx --out surrogates/net.toml")
        .ok()
        .out(&["wrote surrogates/net.toml", "3 question"]);
    bench.line("model inspect net.onnx --out surrogates/net.toml").refused(2, &["already there"]);
    bench.hardset.write("recipe.toml", fake_recipe("x", "", "").replace("\"fake-b\"", "\"net\""));
    bench.line("build recipe.toml --run-dir run").ok();
}

#[test]
fn probabilities_and_a_background_class_are_seen() {
    let Some(bench) = Bench::new() else { return };
    bench.hardset.write("net.onnx", tiny_probabilities(1001));
    let (toml, questions) = bench.draft("net.onnx");
    assert_eq!(toml["output"], value("{ kind = \"probabilities\", classes = 1001, offset = 1 }"));
    assert!(questions.contains(&"output".to_owned()), "{questions:?}");
    bench.hardset.write("few/net.onnx", tiny_probabilities(2));
    bench.hardset.write("few/config.json", r#"{"id2label": {"0": "safe", "1": "not safe"}}"#);
    let shown = bench.line("model inspect few").ok().stdout;
    assert!(shown.contains("classes = 2, space = \"few/config.json\""), "{shown}");
    let (toml, _) = bench.draft("few");
    bench.hardset.write("few/few.toml", toml::to_string(&toml).unwrap().replace("few/", "./"));
    bench.hardset.write("few/config.json", r#"{"id2label": {"0": "LABEL_0", "1": "LABEL_1"}}"#);
    let shown = bench.line("model inspect few").ok().stdout;
    assert!(shown.contains("2 classes") && shown.contains("space = \"categories\""), "{shown}");
}

#[test]
fn files_beside_a_graph_answer_its_questions() {
    let Some(bench) = Bench::new() else { return };
    let check = |folder: &str, file: &str, text: &str, preprocess: &str, mean: f64| {
        bench.hardset.write(&format!("{folder}/onnx/model.onnx"), tiny(1000));
        bench.hardset.write(&format!("{folder}/{file}"), text);
        let (toml, questions) = bench.draft(folder);
        assert_eq!(questions, Vec::<String>::new(), "{folder}");
        assert_eq!(toml["preprocess"], value(preprocess), "{folder}");
        assert_eq!(toml["input"]["mean"][0].as_float(), Some(mean), "{folder}");
    };
    let vit = r#"{"image_processor_type": "ViTImageProcessor", "size": {"height": 8, "width": 8}, "resample": 2}"#;
    let squash = "{ resize = { squash = 8 }, interpolation = \"bilinear\", crop_px = 8 }";
    check("vit", "preprocessor_config.json", vit, squash, 0.5);
    let timm = r#"{"architecture": "x",
        "pretrained_cfg": {"input_size": [3, 8, 8], "crop_pct": 0.8, "mean": [0.1, 0.2, 0.3]}}"#;
    let shorter = "{ resize = { shorter = 10 }, interpolation = \"bicubic\", crop_px = 8 }";
    check("timm", "config.json", timm, shorter, 0.1);
}

#[test]
fn what_is_no_model_of_pictures_is_one_clear_error() {
    let Some(bench) = Bench::new() else { return };
    let refused = |line: &str, parts: &[&str]| bench.line(&format!("model inspect {line}")).refused(2, parts);
    refused("missing.onnx", &["there is no missing.onnx"]);
    bench.hardset.write("text.onnx", "not a graph");
    refused("text.onnx", &["text.onnx cannot be loaded"]);
    fs::create_dir(bench.hardset.path("empty")).unwrap();
    refused("empty", &["no ONNX file"]);
    bench.hardset.write("net.onnx", tiny(1000));
    refused("net.onnx --try empty", &["--try empty", "no photographs"]);
    refused("net.onnx --try nowhere", &["--try nowhere", "cannot be read"]);
    bench.hardset.write("unnamed/a.png", png(1).1);
    refused("net.onnx --try unnamed", &["WordNet id"]);
    bench.hardset.write("broken/n01440764.png", "no picture");
    refused("net.onnx --try broken", &["none of its photographs can be used", "not a picture"]);
    bench.hardset.write("few.onnx", tiny(12));
    refused("few.onnx --try unnamed", &["12 classes"]);
    bench.hardset.write("broken-json/net.onnx", tiny(1000));
    bench.hardset.write("broken-json/preprocessor_config.json", "{");
    refused("broken-json", &["preprocessor_config.json", "is not JSON"]);
}

/// A picture of 8 x 8 px of noise, and its PNG.
fn png(seed: u64) -> (Vec<u8>, Vec<u8>) {
    let noise = |at: u64| (at.wrapping_add(seed * 7919).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 53) as u8;
    let pixels: Vec<u8> = (0..INPUTS as u64).map(noise).collect();
    let image = RgbImage::new(8, 8, pixels.clone()).expect("it is a picture");
    (pixels, encode_png(&image, &[]).expect("it can be written"))
}

/// The class that the tiny model gives where it gets blue, green and red less Caffe's means.
fn class_of(pixels: &[u8], weights: &[f32]) -> usize {
    let mean = [104.0, 117.0, 123.0];
    let mut sums = vec![0.0_f64; 1000];
    for channel in 0..3 {
        for pixel in 0..64 {
            let value = f64::from(pixels[3 * pixel + 2 - channel]) - mean[channel];
            let row = &weights[(64 * channel + pixel) * 1000..][..1000];
            sums.iter_mut().zip(row).for_each(|(sum, weight)| *sum += value * f64::from(*weight));
        }
    }
    (0..1000).max_by(|a, b| sums[*a].total_cmp(&sums[*b])).expect("there are classes")
}

#[test]
fn a_wrong_mean_and_a_wrong_order_are_found_by_photographs() {
    let Some(bench) = Bench::new() else { return };
    let wrong = r#"{"image_processor_type": "ViTImageProcessor", "size": {"height": 8, "width": 8}, "resample": 2}"#;
    bench.hardset.write("net/model.onnx", tiny(1000));
    bench.hardset.write("net/preprocessor_config.json", wrong);
    let ids: BTreeMap<u32, &str> = wordnet_ids().into_iter().map(|(id, class)| (class, id)).collect();
    let weights = weights(1000);
    for seed in 0..60 {
        let (pixels, file) = png(seed);
        let id = ids[&(class_of(&pixels, &weights) as u32)];
        bench.hardset.write(&format!("photographs/{id}/{seed}.png"), file);
    }
    bench.hardset.write("photographs/n01440764/broken.png", "no picture");
    let json = bench.line("model inspect net --try photographs --format json").expect(3).json();
    let best = &json["readings"][0];
    assert_eq!((&best["verdict"], &best["right"], &best["photographs"]), (&"chosen".into(), &60.into(), &60.into()));
    assert_eq!(best["reading"], "x - [104.0, 117.0, 123.0], bgr; squash 8, bilinear");
    assert_eq!(json["lost"], 1);
    let toml = json["toml"].as_str().unwrap();
    assert!(toml.contains("channels = \"bgr\"") && toml.contains("the photographs say otherwise"), "{toml}");
}

#[test]
fn the_right_reading_of_five_real_models_is_found() {
    let Some(real) = RealInput::find() else { return };
    let bench = Bench { library: real.library.clone(), hardset: Hardset::new() };
    let mut photographs: Vec<_> = fs::read_dir(&real.photos).unwrap().flatten().map(|entry| entry.path()).collect();
    photographs.sort();
    for path in photographs.iter().step_by(10) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        bench.hardset.write(&format!("photographs/{name}"), fs::read(path).unwrap());
    }
    let known = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/real/surrogates");
    for entry in fs::read_dir(known).unwrap().flatten() {
        let known: toml::Table = fs::read_to_string(entry.path()).unwrap().parse().unwrap();
        let model = real.surrogates.join(entry.path().with_extension("onnx").file_name().unwrap());
        let line = format!("model inspect {} --try photographs --format json", model.display());
        let json = bench.line(&line).ok().json();
        let draft: toml::Table = json["toml"].as_str().unwrap().parse().unwrap();
        assert_eq!(draft["input"], known["input"], "{}", model.display());
        assert_eq!(draft["output"], known["output"], "{}", model.display());
        // Photographs do not tell all resizes apart: the right one is chosen or called alike.
        let verdicts = json["readings"].as_array().unwrap().iter().filter(|reading| reading["verdict"] != "worse");
        let resize = known["preprocess"]["resize"]["shorter"].as_integer();
        let is_right = |reading: &Value| reading["preprocess"]["resize"]["shorter"].as_i64() == resize;
        assert!(verdicts.clone().any(is_right), "{}: {:?}", model.display(), verdicts.collect::<Vec<_>>());
    }
}

#[test]
fn folders_of_two_towers_say_all_but_the_texts() {
    let (Some(parity), Some(bench)) = (test_data("parity"), Bench::new()) else { return };
    let check = |name: &str, [kind, clean, padding, resize]: [&str; 4], positions: i64| {
        let (toml, questions) = bench.draft(&parity.join(name).display().to_string());
        assert_eq!(questions, ["text.templates", "output.space"], "{name}");
        let text = |table: &str, key: &str| toml[table][key].as_str().unwrap_or_default().to_owned();
        assert_eq!([text("output", "kind"), text("text", "clean"), text("text", "padding")], [kind, clean, padding]);
        assert_eq!(toml["text"]["positions"].as_integer(), Some(positions));
        assert_eq!(toml["preprocess"], value(&format!("{{ resize = {resize}, crop_px = 64 }}")), "{name}");
        assert!(toml["output"]["scale"].as_float().unwrap() > 99.0);
        assert_eq!(toml["output"].get("bias").is_some(), kind == "sigmoid");
        // It loads and scores as it is.
        let folder = parity.join(name).display().to_string();
        bench.line(&format!("model inspect {folder} --out surrogates/{name}.toml")).ok();
        let surrogate = format!("\"{name}\"");
        let recipe = fake_recipe(name, "images_per_category = 1", "").replace("\"fake-b\"", &surrogate);
        bench.hardset.write(&format!("{name}.toml"), recipe);
        bench.line(&format!("build {name}.toml --run-dir runs/{name}")).ok();
    };
    let cut = "{ shorter = 64 }, interpolation = \"bicubic\", crop = \"floor\"";
    check("clip-tiny", ["softmax", "as-is", "<|endoftext|>", cut], 77);
    check("siglip-tiny", ["sigmoid", "as-is", "</s>", "{ squash = 64 }, interpolation = \"bicubic\""], 64);
    check("siglip2-tiny", ["sigmoid", "lower", "<pad>", "{ squash = 64 }, interpolation = \"bilinear\""], 64);
}
