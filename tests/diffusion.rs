//! Stable Diffusion end to end on tiny models: diffusers' numbers, the same bytes whatever the batch, and bad models
//! refused.
//!
//! `golden/sd-second` is a model of the project's own (`golden/make_sd.py`); the other one lies in the shared data.

#![cfg(feature = "candle")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::{
    Hardset, NO_LIBRARY, Run, assert_same, copy, hash_of, hashes, ort_library, reseal_json, strings, table, test_data,
    unit_file,
};

fn second() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/sd-second")
}

/// A recipe of a few pairs over a model in `model/`; `generate` are more lines of that section.
fn recipe(generate: &str) -> String {
    format!(
        "name = \"made\"\ncategories = \"imagenet-d\"\nshard_items = 8\n\n[generate]\nsource = \"diffusion\"\n\
         model = \"model\"\nnuisances = [\"nuisances/place.toml\"]\nwidth_px = 32\nheight_px = 16\nsteps = 2\n\
         sampler = \"euler-ancestral\"\nnegative_prompt = \"blurry\"\npairs_per_category = 1\n{generate}\n\n\
         [mine]\nsurrogates = [\"fake-a\", \"fake-b\"]\nrule = \"all\"\n"
    )
}

const PLACES: &str = "templates = [\"A photo of {a} {category} {nuisance}\"]\n\
                      values = [{ id = \"kitchen\", phrase = \"in the kitchen\" }, \
                      { id = \"long\", phrase = \"LONG\" }]\n";

/// A program beside a copy of the second model and a recipe over it.
fn with_model(generate: &str) -> Hardset {
    let hardset = Hardset::new();
    copy(&second(), &hardset.path("model"));
    hardset.write("nuisances/place.toml", PLACES.replace("LONG", &"very ".repeat(500)));
    hardset.write("made.toml", recipe(generate));
    hardset
}

/// An engine that can be tried here, with the library that it is given.
struct Engine {
    name: &'static str,
    library: PathBuf,
}

impl Engine {
    /// candle, which is not to find any library.
    fn candle() -> Self {
        Self { name: "candle", library: NO_LIBRARY.into() }
    }

    /// ONNX Runtime, or `None` after saying loudly that there is none.
    fn ort() -> Option<Self> {
        ort_library().map(|library| Self { name: "ort", library })
    }

    /// candle, and ONNX Runtime where there is one.
    fn all() -> Vec<Self> {
        [Self::candle()].into_iter().chain(Self::ort()).collect()
    }

    /// A call that has not begun and finds this engine's library; `--engine` is not said.
    fn command(&self, hardset: &Hardset, line: &str) -> Command {
        let mut command = hardset.command(&line.split_whitespace().collect::<Vec<_>>());
        command.env("ORT_DYLIB_PATH", &self.library);
        command
    }

    /// Builds `made.toml` into `run` with this engine, asked for by name.
    fn build(&self, hardset: &Hardset, run: &str, more: &str) -> Run {
        let line = format!("build made.toml --run-dir {run} --engine {} {more}", self.name);
        Run::of(&mut self.command(hardset, &line))
    }

    fn doctor(&self, model: &Path) -> Run {
        let reference = model.join("reference.safetensors");
        let line = format!("doctor --engine {} --format json", self.name);
        let hardset = Hardset::new();
        let mut command = self.command(&hardset, &line);
        Run::of(command.arg("--model").arg(model).arg("--reference").arg(reference))
    }
}

/// All comparisons hold for each engine, and there are as many of them as there should be.
#[track_caller]
fn equals_diffusers(model: &Path, samplers: usize) {
    for engine in Engine::all() {
        let json = engine.doctor(model).ok().json();
        let compared = json["compared"].as_array().expect("comparisons are a list");
        assert_eq!(compared.len(), 5 + 4 * samplers);
        assert!(compared.iter().all(|line| line["ok"] == true), "{}: {json:#}", engine.name);
        let ran = &json["ran"];
        assert_eq!(
            (&ran["engine"], &ran["device"], &ran["precision"]),
            (&engine.name.into(), &"cpu".into(), &"f32".into())
        );
        assert_eq!(ran["runtime_version"].is_string(), engine.name == "ort", "{ran}");
    }
}

#[test]
fn the_second_model_gives_the_numbers_of_diffusers() {
    equals_diffusers(&second(), 7);
}

#[test]
fn the_shared_model_gives_the_numbers_of_diffusers() {
    if let Some(model) = test_data("parity/sd-tiny") {
        equals_diffusers(&model, 5);
    }
}

#[test]
fn doctor_says_which_engine_ran_a_model_that_names_no_size() {
    for engine in Engine::all() {
        let hardset = with_model("");
        let path = hardset.path("model/unet/config.json");
        let config = fs::read_to_string(&path).unwrap();
        let without: Vec<&str> = config.lines().filter(|line| !line.contains("\"sample_size\"")).collect();
        assert_eq!(without.len() + 1, config.lines().count());
        fs::write(&path, without.join("\n")).unwrap();
        let line = format!("doctor --model model --engine {} --device cpu", engine.name);
        let said = Run::of(&mut engine.command(&hardset, &line)).ok().stdout;
        let lines: Vec<Vec<&str>> = said.lines().map(|line| line.split_whitespace().collect()).collect();
        for wanted in [["engine", engine.name], ["device", "cpu"], ["precision", "f32"]] {
            assert!(lines.contains(&wanted.to_vec()), "{wanted:?}: {said}");
        }
        assert!(said.contains("not said"), "{said}");
        assert_eq!(said.contains("runtime version"), engine.name == "ort", "{said}");
    }
}

#[test]
fn a_model_with_other_weights_is_found_out() {
    let hardset = with_model("");
    let path = hardset.path("model/unet/config.json");
    let config = fs::read_to_string(&path).unwrap();
    fs::write(&path, config.replace("\"flip_sin_to_cos\": true", "\"flip_sin_to_cos\": false")).unwrap();
    assert_ne!(config, fs::read_to_string(&path).unwrap());
    for engine in Engine::all() {
        let json = engine.doctor(&hardset.path("model")).expect(3).json();
        let wrong: Vec<_> = json["compared"].as_array().unwrap().iter().filter(|line| line["ok"] == false).collect();
        assert!(wrong.iter().any(|line| line["what"] == "UNet call at 801"), "{}: {json:#}", engine.name);
        assert!(wrong.iter().all(|line| line["what"] != "text embeddings"), "{}: {json:#}", engine.name);
    }
}

/// Writes the second model's reference with some of its tensors changed, and demands a refusal.
#[track_caller]
fn reference_refused(change: impl Fn(&str, Vec<usize>) -> Option<Vec<usize>>, parts: &[&str]) {
    use safetensors::SafeTensors;
    use safetensors::tensor::TensorView;
    let bytes = fs::read(second().join("reference.safetensors")).expect("it is there");
    let (_, header) = SafeTensors::read_metadata(&bytes).expect("it is a safetensors file");
    let read = SafeTensors::deserialize(&bytes).expect("it is a safetensors file");
    let changed = read.tensors().into_iter().filter_map(|(name, tensor)| {
        let shape = change(&name, tensor.shape().to_vec())?;
        let size: usize = shape.iter().product::<usize>() * tensor.dtype().bitsize() / 8;
        Some((name, shape, tensor.dtype(), tensor.data()[..size].to_vec()))
    });
    let changed: Vec<_> = changed.collect();
    let views = changed.iter().map(|(name, shape, dtype, data)| {
        (name.clone(), TensorView::new(*dtype, shape.clone(), data).expect("bytes fit the shape"))
    });
    let out = safetensors::serialize(views, header.metadata().clone()).expect("it can be written");
    let hardset = Hardset::new();
    let file = hardset.write("ref.safetensors", out);
    let [model, file] = [second(), file].map(|path| path.to_str().expect("paths are UTF-8 here").to_owned());
    hardset.run(&["doctor", "--model", &model, "--reference", &file]).refused(2, parts);
}

#[test]
fn references_that_say_nothing_or_something_else_are_refused() {
    let without = |what: &'static str| move |name: &str, shape| (!name.starts_with(what)).then_some(shape);
    reference_refused(without("final_latents_"), &["ref.safetensors", "final_latents_"]);
    reference_refused(without("noise_"), &["noise_euler_ancestral"]);
    reference_refused(without("text_embeddings"), &["text_embeddings"]);
    let shaped = |what: &'static str, to: &'static [usize]| {
        move |name: &str, shape| Some(if name.starts_with(what) { to.to_vec() } else { shape })
    };
    reference_refused(shaped("token_ids", &[0, 77]), &["token_ids", "[0, 77]"]);
    reference_refused(shaped("initial_latents", &[3, 2, 8, 12]), &["initial_latents", "[3, 4, 0, 0]"]);
    reference_refused(shaped("initial_latents", &[3, 4, 6, 12]), &["initial_latents", "multiples of 4"]);
    reference_refused(shaped("image_u8_ddim", &[0, 3, 32, 48]), &["image_u8_ddim"]);
    reference_refused(shaped("text_embeddings", &[3, 77, 12]), &["text_embeddings", "[3, 77, 24]"]);
}

fn build(hardset: &Hardset, run: &str, more: &str) -> Run {
    hardset.line(&format!("build made.toml --run-dir {run} {more}"))
}

#[test]
fn images_do_not_depend_on_batch_or_threads() {
    for engine in Engine::all() {
        let images = ["guidance = 4.0", "guidance = 1.0"].map(|guidance| {
            let hardset = with_model(guidance);
            engine.build(&hardset, "one", "--batch 1 --threads 2").ok();
            let others = ["--batch 3 --threads 1", "--batch 8 --threads 2", "--batch 8 --threads 1", "--threads 2"];
            for (at, more) in others.into_iter().enumerate() {
                let run = format!("other-{at}");
                engine.build(&hardset, &run, more).ok();
                assert_same(&hardset.path(&run), &hardset.path("one"));
            }
            let first = hash_of(&hashes(&hardset.path("one")), "images/000/000000.tar");
            engine.build(&hardset, "seed", "--seed 1").ok();
            assert_ne!(hash_of(&hashes(&hardset.path("seed")), "images/000/000000.tar"), first);
            first
        });
        assert_ne!(images[0], images[1], "{}: guidance does something", engine.name);
    }
}

#[test]
fn a_model_may_be_moved_and_called_otherwise() {
    let hardset = with_model("");
    build(&hardset, "run", "").ok();
    let before = hashes(&hardset.path("run"));
    copy(&hardset.path("model"), &hardset.path("moved"));
    fs::remove_dir_all(hardset.path("model")).unwrap();
    let again = build(&hardset, "run", "--set generate.model=moved").ok();
    assert!(!again.stderr.contains("loading"), "{}", again.stderr);
    assert_eq!(hashes(&hardset.path("run"))["manifest.parquet"], before["manifest.parquet"]);
}

#[test]
#[cfg(unix)]
fn a_part_without_its_parent_ends_at_once() {
    let hardset = with_model("");
    hardset.line("plan made.toml --run-dir run").ok();
    for parent in ["1", "", "4000000000"] {
        let mut command = hardset.command(&["generate", "run", "--part", "0/2"]);
        assert_eq!(Run::of(command.env("HARDSET_PARENT", parent)).code, Some(75), "{parent}");
    }
    assert!(!hardset.path("run/images").exists());
}

#[test]
fn two_devices_share_the_shards_and_make_the_same_bytes() {
    for engine in Engine::all() {
        let hardset = with_model("");
        engine.build(&hardset, "one", "").ok();
        let run = engine.build(&hardset, "two", "--device cpu,cpu").ok();
        assert!(run.stderr.contains("making images on cpu, cpu"), "{}", run.stderr);
        assert!(!run.stderr.contains("loading"), "nothing was left for the first process: {}", run.stderr);
        assert_same(&hardset.path("two"), &hardset.path("one"));
        let again = engine.build(&hardset, "two", "--device cpu,cpu").ok();
        assert!(!again.stderr.contains("making images"), "{}", again.stderr);
    }
    let hardset = with_model("");
    // Without a library and without a word, both processes have the engine that the first one settled.
    let built = build(&hardset, "auto", "--device cpu,cpu").ok();
    assert!(built.stderr.contains("candle makes the images"), "{}", built.stderr);
    Engine::candle().build(&hardset, "named", "").ok();
    assert_same(&hardset.path("auto"), &hardset.path("named"));
    build(&hardset, "bad", "--device cpu,auto").expect(2);
    build(&hardset, "bad", "--device cpu,cuda:0").refused(2, &["one kind"]);
    let negative = format!("generate.negative_prompt={}", "very ".repeat(500));
    hardset.run(&["build", "made.toml", "--run-dir", "negative", "--set", &negative]).ok();
    let warnings = strings(&table(&hardset.path("negative/images/000/000000.parquet")), "warning");
    assert!(warnings.iter().all(|text| text.contains("the negative prompt is")), "{warnings:?}");
}

#[test]
#[cfg(unix)]
fn a_killed_run_goes_on_to_the_same_bytes() {
    for engine in Engine::all() {
        let hardset = with_model("");
        engine.build(&hardset, "undisturbed", "").ok();
        let all = shards_made(&hardset.path("undisturbed"));
        let mut unfinished = 0;
        for shards in [0, 1, 4, 8, 12] {
            let line = format!("build made.toml --run-dir killed --engine {}", engine.name);
            let mut command = engine.command(&hardset, &line);
            let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            let begun = Instant::now();
            while shards_made(&hardset.path("killed")) < shards && begun.elapsed() < Duration::from_secs(60) {
                sleep(Duration::from_millis(2));
            }
            // In the middle of a shard, not just after one.
            sleep(Duration::from_millis(10));
            child.kill().unwrap();
            child.wait().unwrap();
            unfinished += usize::from((1..all).contains(&shards_made(&hardset.path("killed"))));
        }
        assert!(unfinished >= 2, "{}: of five kills {unfinished} came while images were made", engine.name);
        engine.build(&hardset, "killed", "").ok();
        assert_same(&hardset.path("killed"), &hardset.path("undisturbed"));
    }
}

/// Shards of images that a run has.
fn shards_made(run: &Path) -> usize {
    let files = fs::read_dir(run.join("images/000")).into_iter().flatten().flatten();
    files.filter(|file| file.path().extension().is_some_and(|extension| extension == "json")).count()
}

#[test]
fn every_image_carries_what_made_it() {
    let hardset = with_model("");
    build(&hardset, "run", "").ok();
    let plan = table(&hardset.path("run/plan.parquet"));
    let images = table(&hardset.path("run/images/000/000000.parquet"));
    let prompts = strings(&plan, "prompt");
    assert_eq!(strings(&plan, "nuisance")[..4], ["kitchen", "long", "kitchen", "long"], "values take turns");
    assert!(prompts[0] == "A photo of an alarm clock in the kitchen", "{prompts:?}");
    assert_eq!(strings(&images, "sampler")[0], "euler-ancestral");
    let cut: Vec<bool> = strings(&images, "warning").iter().map(|text| text.contains("tokens too long")).collect();
    assert_eq!(cut[..4], [false, true, false, true]);
    let tar = fs::read(unit_file(&hardset.path("run/images/000/000000.tar"))).unwrap();
    let text = String::from_utf8_lossy(&tar);
    for part in [prompts[0].as_str(), "blurry", "model_sha256", "trainedAlgorithmicMedia"] {
        assert!(text.contains(part), "{part}");
    }
    hardset.line("verify run").ok();
    let report = fs::read_to_string(hardset.path("run/report/index.html")).unwrap();
    assert!(report.contains("diffusion model model"));
}

#[test]
fn every_image_says_which_engine_made_it() {
    for engine in Engine::all() {
        let hardset = with_model("");
        engine.build(&hardset, "run", "").ok();
        let images = table(&hardset.path("run/images/000/000000.parquet"));
        assert!(strings(&images, "engine").iter().all(|name| name == engine.name) && images.height() == 8);
        let record = fs::read_to_string(hardset.path("run/images/000/000000.json")).unwrap();
        let record: serde_json::Value = serde_json::from_str(&record).unwrap();
        assert_eq!(record["facts"]["engine"], engine.name);
        let tar = fs::read(unit_file(&hardset.path("run/images/000/000000.tar"))).unwrap();
        // An iTXt chunk: keyword, no compression, no language, no translation, text.
        let text = format!("iTXtengine\0\0\0\0\0{}", engine.name);
        assert_eq!(tar.windows(text.len()).filter(|bytes| *bytes == text.as_bytes()).count(), 8);
        let report = fs::read_to_string(hardset.path("run/report/index.html")).unwrap();
        assert!(report.contains(&format!("2 steps, on {}", engine.name)));
    }
}

/// Removes a shard of images from a finished run, as if it had been stopped before it.
fn without_a_shard(hardset: &Hardset, run: &str) {
    for extension in ["json", "parquet", "tar"] {
        let file = unit_file(&hardset.path(&format!("{run}/images/000/000003.{extension}")));
        fs::remove_file(file).expect("the shard is there");
    }
}

#[test]
fn without_a_library_auto_takes_candle_and_says_so_and_ort_is_refused_with_what_to_do() {
    let hardset = with_model("");
    hardset.line("build made.toml --run-dir run --engine ort").refused(4, &["ORT_DYLIB_PATH", "/nonexistent"]);
    assert!(!hardset.path("run/images").exists(), "no image is made before");
    hardset.line("doctor --model model --engine ort").refused(4, &["ORT_DYLIB_PATH"]);
    let built = hardset.line("build made.toml --run-dir run").ok();
    assert!(built.stderr.contains("candle makes the images, which is slower than ONNX Runtime"), "{}", built.stderr);
    assert!(built.stderr.contains("engine candle"), "{}", built.stderr);

    // Nothing named, and neither a Python nor a cache that has one: pip cannot be run either.
    let bare = |engine: &str, run: &str| {
        let line = format!("build made.toml --run-dir {run} --engine {engine}");
        let mut command = hardset.command(&line.split_whitespace().collect::<Vec<_>>());
        command.env_remove("ORT_DYLIB_PATH").env("PATH", hardset.path("empty")).env("HOME", hardset.path("empty"));
        Run::of(&mut command)
    };
    bare("ort", "bare").refused(4, &["pip", "install Python 3 with pip, or set ORT_DYLIB_PATH"]);
    assert!(!hardset.path("bare/images").exists(), "no image is made before");
    let built = bare("auto", "bare").ok();
    assert!(built.stderr.contains("candle makes the images"), "{}", built.stderr);
    assert_same(&hardset.path("bare"), &hardset.path("run"));
}

#[test]
fn auto_takes_onnx_runtime_where_there_is_one() {
    let Some(ort) = Engine::ort() else { return };
    let hardset = with_model("");
    let built = Run::of(&mut ort.command(&hardset, "build made.toml --run-dir run")).ok();
    assert!(built.stderr.contains("engine ort"), "{}", built.stderr);
    ort.build(&hardset, "named", "").ok();
    assert_same(&hardset.path("run"), &hardset.path("named"));
}

#[test]
fn a_run_stays_with_the_engine_that_began_it() {
    let Some(ort) = Engine::ort() else { return };
    let hardset = with_model("");
    Engine::candle().build(&hardset, "run", "").ok();
    copy(&hardset.path("run"), &hardset.path("undisturbed"));
    without_a_shard(&hardset, "run");
    let ways_out = ["made with --engine candle", "ort is requested", "leave --engine out", "--run-dir"];
    ort.build(&hardset, "run", "").refused(2, &ways_out);
    Run::of(&mut ort.command(&hardset, "generate run --engine ort")).refused(2, &ways_out);
    let again = Run::of(&mut ort.command(&hardset, "build made.toml --run-dir run")).ok();
    assert!(again.stderr.contains("engine candle") && !again.stderr.contains("slower"), "{}", again.stderr);
    assert_same(&hardset.path("run"), &hardset.path("undisturbed"));
    // With nothing left to make, too: else the name would say what is not so.
    ort.build(&hardset, "run", "").refused(2, &ways_out);
    assert_same(&hardset.path("run"), &hardset.path("undisturbed"));

    ort.build(&hardset, "other", "").ok();
    copy(&hardset.path("other"), &hardset.path("undisturbed-other"));
    without_a_shard(&hardset, "other");
    Engine::candle().build(&hardset, "other", "").refused(2, &["made with --engine ort", "candle is requested"]);
    // candle must not go on where ONNX Runtime began, not even where it is all that there is.
    hardset.line("build made.toml --run-dir other").refused(4, &["ORT_DYLIB_PATH"]);
    Run::of(&mut ort.command(&hardset, "build made.toml --run-dir other")).ok();
    assert_same(&hardset.path("other"), &hardset.path("undisturbed-other"));
}

#[test]
fn a_precision_that_an_engine_lacks_and_an_engine_that_is_none_are_refused() {
    for engine in Engine::all() {
        for precision in ["bf16", "f16"] {
            let hardset = with_model(&format!("precision = \"{precision}\""));
            engine.build(&hardset, "run", "--device cpu").refused(4, &["cpu", "f32 only", "\"f32\" or \"auto\""]);
            assert!(!hardset.path("run/images").exists());
        }
    }
    let hardset = with_model("");
    hardset.line("build made.toml --engine tensorflow").refused(2, &["--engine", "tensorflow", "`ort` or `candle`"]);
}

/// Makes all numbers of one tensor of a safetensors file not a number.
fn spoil(file: &Path, name: &str) {
    let mut bytes = fs::read(file).expect("the file is readable");
    let (length, header) = safetensors::SafeTensors::read_metadata(&bytes).expect("it is a safetensors file");
    let info = header.info(name).expect("it has the tensor");
    let data = &mut bytes[length + 8..][info.data_offsets.0..info.data_offsets.1];
    // All bits of the exponent and some of the fraction are set, in f16, bf16 and f32 alike.
    data.chunks_exact_mut(2).for_each(|bytes| bytes.copy_from_slice(&[0xff, 0x7f]));
    fs::write(file, bytes).expect("the file is writable");
}

#[test]
fn images_without_finite_numbers_are_lost_one_by_one_with_a_reason() {
    for engine in Engine::all() {
        let hardset = with_model("");
        spoil(&hardset.path("model/vae/diffusion_pytorch_model.safetensors"), "decoder.conv_out.bias");
        hardset.line("plan made.toml --run-dir run").ok();
        let line = format!("generate run --engine {}", engine.name);
        Run::of(&mut engine.command(&hardset, &line)).expect(3);
        let record = fs::read_to_string(hardset.path("run/images/000/000000.json")).unwrap();
        let record: serde_json::Value = serde_json::from_str(&record).unwrap();
        assert_eq!((&record["rows"]["kept"], &record["rows"]["failed"]), (&0.into(), &8.into()), "{}", engine.name);
        assert!(record["lost"][7]["reason"].as_str().unwrap().contains("not finite"), "{record:#}");
    }
}

#[test]
fn a_dry_run_counts_a_hundred_million_items_without_a_model() {
    let hardset = Hardset::new();
    let count = |more: &[&str]| {
        let line = ["plan", "imagenet-d", "--dry-run", "--format", "json"];
        hardset.run(&[&line[..], more].concat()).ok().json()
    };
    let json = count(&[]);
    assert_eq!((&json["pairs"], &json["items"], &json["categories"]), (&61_811.into(), &61_811.into(), &113.into()));
    let json = count(&["--set", "generate.images_per_prompt=1618"]);
    assert_eq!((&json["pairs"], &json["items"]), (&61_811.into(), &(61_811_u64 * 1618).into()));
    let json =
        count(&["--set", "generate.pairs_per_category=2", "--set", "generate.nuisances=[\"templates-clip-80\"]"]);
    assert_eq!(json["items"], 226);
}

#[test]
fn a_dry_run_knows_the_time_once_images_have_been_made() {
    let hardset = with_model("");
    let hours = || hardset.line("plan made.toml --dry-run --format json").ok().json()["hours"].clone();
    assert_eq!(hours(), serde_json::json!({}));
    build(&hardset, "run", "").ok();
    assert!(hours()["cpu (candle)"].as_f64().is_some_and(|hours| hours > 0.0), "{}", hours());
}

/// One clear message about a changed copy of the model: `change` gets its folder.
#[track_caller]
fn refused(change: impl Fn(&Path), code: i32, parts: &[&str]) {
    for engine in Engine::all() {
        let hardset = with_model("");
        change(&hardset.path("model"));
        engine.build(&hardset, "run", "").refused(code, parts);
    }
}

fn edit(file: &'static str, from: &'static str, to: &'static str) -> impl Fn(&Path) {
    move |model| {
        let text = fs::read_to_string(model.join(file)).expect("the file is readable");
        assert!(text.contains(from), "{text}");
        fs::write(model.join(file), text.replace(from, to)).expect("the file is writable");
    }
}

#[test]
fn models_that_cannot_be_run_are_refused_by_file_and_key() {
    let unet = "unet/config.json";
    refused(
        edit("model_index.json", "\"StableDiffusionPipeline\"", "\"StableDiffusionXLPipeline\""),
        2,
        &["XL", "_class_name"],
    );
    refused(
        edit(unet, "\"dual_cross_attention\": false", "\"addition_embed_type\": \"text_time\""),
        2,
        &[unet, "text_time"],
    );
    refused(
        edit("scheduler/scheduler_config.json", "DDIMScheduler", "LCMScheduler"),
        2,
        &["scheduler_config.json", "LCM"],
    );
    refused(edit(unet, "\"DownBlock2D\"", "\"AttnDownBlock2D\""), 2, &["AttnDownBlock2D"]);
    refused(|model| fs::remove_file(model.join("vae/config.json")).unwrap(), 4, &["vae/config.json"]);
    refused(
        |model| fs::remove_file(model.join("tokenizer/merges.txt")).unwrap(),
        2,
        &["tokenizer/merges.txt", "is missing"],
    );
}

#[test]
fn weights_that_are_not_what_they_should_be_are_refused() {
    let vae = "vae/diffusion_pytorch_model.safetensors";
    let cut = |model: &Path| {
        let bytes = fs::read(model.join(vae)).unwrap();
        fs::write(model.join(vae), &bytes[..bytes.len() / 2]).unwrap();
    };
    refused(cut, 2, &[vae, "cut off"]);
    refused(|model| fs::write(model.join(vae), b"no").unwrap(), 2, &[vae, "cut off"]);
    refused(|model| fs::remove_file(model.join(vae)).unwrap(), 4, &["vae", "diffusion_pytorch_model"]);
    let width = edit("text_encoder/config.json", "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3");
    refused(width, 2, &["text_encoder", "encoder.layers.2", "is missing"]);
    let levels = edit("vae/config.json", "\"block_out_channels\": [", "\"block_out_channels\": [4, 4, 4, 4, 4, 4, 4,");
    refused(levels, 2, &["vae/config.json", "block_out_channels", "1 to 8"]);
    refused(edit("unet/config.json", "\"norm_eps\": 1e-05", "\"norm_eps\": -1"), 2, &["norm_eps", "above 0"]);
    let padding = edit("unet/config.json", "\"downsample_padding\": 1", "\"downsample_padding\": 7");
    refused(padding, 2, &["downsample_padding", "0 and 1"]);
    let shape = edit("text_encoder/config.json", "\"intermediate_size\": 72", "\"intermediate_size\": 96");
    refused(shape, 2, &["text_encoder/model.safetensors", "mlp.fc1.weight", "[72, 24]", "[96, 24]"]);
    refused(edit("unet/config.json", "\"block_out_channels\"", "\"block_out_channels_\""), 2, &["block_out_channels"]);
}

#[test]
fn recipes_that_make_no_sense_are_refused_by_key() {
    for (generate, code, parts) in
        [("images_per_prompt = 0", 2, ["images_per_prompt", "0"]), ("precision = \"f16\"", 4, ["cpu", "f32"])]
    {
        build(&with_model(generate), "run", "--device cpu").refused(code, &parts);
    }
    for (key, code, parts) in [
        ("generate.width_px=33", 2, ["33 x 16", "multiples of"]),
        ("generate.sampler=\"best\"", 2, ["best", "dpmpp-2m"]),
        ("generate.steps=0", 2, ["generate.steps", "1 to 1000"]),
        ("generate.nuisances=[\"nowhere\"]", 2, ["nuisance", "nowhere"]),
        ("generate.model=\"nobody/nothing\"", 4, ["nobody/nothing", "--set generate.model"]),
        ("generate.modle=\"x\"", 2, ["modle", "unknown field"]),
    ] {
        let hardset = with_model("");
        hardset.run(&["build", "made.toml", "--run-dir", "run", "--set", key]).refused(code, &parts);
    }
    let hardset = with_model("");
    hardset.write("nuisances/place.toml", PLACES.replace("\"long\"", "\"kitchen\""));
    build(&hardset, "run", "").refused(2, &["place.toml", "kitchen", "twice"]);
}

#[test]
fn a_run_whose_model_has_changed_stops() {
    let hardset = with_model("");
    hardset.line("plan made.toml --run-dir run").ok();
    edit("unet/config.json", "\"flip_sin_to_cos\": true", "\"flip_sin_to_cos\": false")(&hardset.path("model"));
    hardset.line("generate run").refused(2, &["unet/config.json", "run was planned"]);
    build(&hardset, "run", "").refused(2, &["`[generate]` differs"]);
}

/// Makes a run on the CPU and has the records of its images say that a GPU did it.
fn made_on_a_gpu(hardset: &Hardset, run: &str) {
    build(hardset, run, "").ok();
    for file in fs::read_dir(hardset.path(&format!("{run}/images/000"))).expect("the folder can be read") {
        let path = file.expect("the folder can be read").path();
        if path.extension().is_some_and(|extension| extension == "json") {
            reseal_json(&path, |record| record.replace("\"device\": \"cpu\"", "\"device\": \"cuda\""));
        }
    }
}

#[test]
fn images_of_a_gpu_are_not_gone_on_with_on_a_cpu() {
    let hardset = with_model("");
    made_on_a_gpu(&hardset, "run");
    let words = ["made on cuda", "--device cpu", "leave --device out", "--run-dir"];
    build(&hardset, "run", "--device cpu").refused(2, &words);
    // Nothing is left to make, so that no device is needed.
    build(&hardset, "run", "").ok();
    // One shard is left to make, and `auto` stays where the others were made: there is no GPU here.
    fs::remove_file(hardset.path("run/images/000/000000.json")).unwrap();
    build(&hardset, "run", "").refused(4, &["cuda:0"]);
}
