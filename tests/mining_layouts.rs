//! The two ways in which images are scored, held against each other on the CPU: one instance of a model on each core,
//! and one instance for all cores with a batch that never changes, which is what a GPU gets.
//!
//! Real models (`models/quickstart`), among them the two whose graphs compute with shapes. Needs an ONNX Runtime
//! library.

#![cfg(feature = "onnx")]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use common::{hashes, ort_library, unit_file};
use hardset::assets::DataFolders;
use hardset::config::{Override, Recipe};
use hardset::domain::{Device, EngineChoice, Prediction};
use hardset::pool::Pool;
use hardset::scorer::Instances;
use hardset::stage::{generate, mine, plan};
use hardset::store::{Check, RunDir};
use hardset::table::predictions_table;
use hardset::work::{Context, Part, Progress};
use tempfile::TempDir;

const MODELS: [&str; 3] = ["quick-plain", "quick-attention", "quick-mixer"];

struct Silent;

impl Progress for Silent {
    fn start(&self, _: &str, _: u64) {}
    fn advance(&self, _: u64) {}
    fn finish(&self) {}
    fn note(&self, _: &str) {}
    fn detail(&self, _: &str) {}
}

/// A run of made-up images, mined by the models in one of the two ways.
fn mined(home: &Path, name: &str, instances: Instances, threads: usize) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/quickstart/surrogates");
    let models: Vec<String> = MODELS.iter().map(|model| format!("'{}/{model}.toml'", folder.display())).collect();
    let set = [
        format!("mine.surrogates=[{}]", models.join(",")),
        "generate.size_px=80".to_owned(),
        "generate.fail_every=50".to_owned(),
        "shard_items=150".to_owned(),
    ];
    let set: Vec<Override> = set.iter().map(|pair| pair.parse().expect("it is an override")).collect();
    let recipe = Recipe::load("fake", &set).expect("the recipe is right");
    let stop = AtomicBool::new(false);
    let ctx = Context {
        run: RunDir::at(&home.join(name)),
        data: DataFolders::from_env(&[]),
        device: Device::Cpu,
        batch: None,
        engine: EngineChoice::Auto,
        instances: Some(instances),
        threads,
        progress: &Silent,
        stop: &stop,
        fetches: true,
        accept: None,
    };
    let _lock = ctx.run.create().expect("the run can be made");
    let spec = plan::plan(&ctx, &recipe).expect("it can be planned");
    let images = generate::generate(&ctx, &spec, Check::Hashes, Part::WHOLE).expect("images can be made");
    let pool = Pool::open(&ctx, &spec).expect("it has a plan");
    mine::mine(&pool, &images, Check::Hashes).expect("they can be mined");
    ctx.run.path().join("predictions")
}

/// Predictions of a model by item, of both shards.
fn predictions(folder: &Path, model: &str) -> BTreeMap<u32, Prediction> {
    let shards = [0, 1].map(|shard| folder.join(format!("{model}/000/{shard:06}.parquet")));
    let rows = shards.iter().flat_map(|shard| predictions_table::decode(&unit_file(shard)).expect("it is a table"));
    rows.map(|row| (row.item_id.0, row)).collect()
}

fn record(folder: &Path, model: &str) -> serde_json::Value {
    let text = std::fs::read_to_string(folder.join(format!("{model}/000/000000.json"))).expect("there is a record");
    serde_json::from_str(&text).expect("it is JSON")
}

#[test]
fn one_instance_for_all_cores_says_what_one_on_each_core_says() {
    if ort_library().is_none() {
        return;
    }
    let home = TempDir::new().expect("temporary folders can be made");
    let cores = mined(home.path(), "cores", Instances::PerCore, 2);
    let queues = mined(home.path(), "queues", Instances::PerModel, 2);
    let mut worst = 0.0_f32;
    for model in MODELS {
        let (ours, theirs) = (predictions(&queues, model), predictions(&cores, model));
        assert_eq!(ours.len(), 222, "226 items, of which every 50th fails");
        assert!(ours.keys().eq(theirs.keys()));
        for (one, other) in ours.values().zip(theirs.values()) {
            let tie = other.top5_probs[0] - other.top5_probs[1] < 1e-4;
            assert!(one.top5_ids[0] == other.top5_ids[0] || tie, "{model}: {one:?} {other:?}");
            let distance = |at: usize| (one.top5_probs[at] - other.top5_probs[at]).abs();
            worst = (0..5).map(distance).fold(worst, f32::max);
        }
        // Sums of another batch may round otherwise; nothing else may differ.
        assert!(worst < 1e-4, "{model}: probabilities differ by {worst}");
        assert_eq!(record(&queues, model)["facts"]["batch"], "32");
        assert!(record(&cores, model)["facts"]["batch"].is_null());
        assert_eq!(record(&queues, model)["key"], record(&cores, model)["key"], "the device is not in the key");
    }
    eprintln!("probabilities differ by {worst:.1e} at most");
}

#[test]
fn one_instance_for_all_cores_gives_the_same_bytes_whatever_the_threads() {
    if ort_library().is_none() {
        return;
    }
    let home = TempDir::new().expect("temporary folders can be made");
    let one = mined(home.path(), "one", Instances::PerModel, 1);
    let five = mined(home.path(), "five", Instances::PerModel, 5);
    assert_eq!(hashes(&one), hashes(&five));
}
