//! An entry's numbers are the same bits with any other entries in the batch and any number of threads, by both
//! strategies of the CPU.

use std::path::Path;

use super::*;
use crate::generator::diffusion::noise;
use crate::needs::needs;
use crate::onnx::Runtime;

/// Entries that are tried.
const ENTRIES: usize = 6;

/// How the networks are loaded.
#[derive(Debug, Clone, Copy)]
struct Trial {
    side_by_side: bool,
    threads: usize,
    guided: bool,
    /// Rows and columns of the latents.
    sides: [usize; 2],
    model: &'static str,
}

/// What each entry gives: embeddings, the UNet's answer, the picture.
type Answers = [Vec<Vec<u32>>; 3];

struct Inputs {
    tokens: Vec<Vec<u32>>,
    latents: Vec<Vec<f32>>,
    embeddings: Vec<Vec<f32>>,
}

/// The smallest model: all that a UNet may have, few numbers.
const SECOND: &str = "tests/golden/sd-second";
/// The quick start's: wide enough for ONNX Runtime to cut its products and convolutions up among threads.
const QUICK: &str = "models/quickstart/quick-diffusion";

fn config(model: &str) -> ModelConfig {
    ModelConfig::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join(model)).unwrap()
}

fn inputs(config: &ModelConfig, sides: [usize; 2]) -> Inputs {
    let of_latents = config.vae.latent_channels * sides[0] * sides[1];
    let of_prompt = config.text.positions * config.text.width;
    let numbers = |seed: usize, count: usize| noise::latents(seed as u64, count);
    let ids = |entry: usize| (0..config.text.positions).map(|at| ((at * 7 + entry * 13) % 40) as u32).collect();
    Inputs {
        tokens: (0..ENTRIES).map(ids).collect(),
        latents: (0..ENTRIES).map(|entry| numbers(entry, of_latents)).collect(),
        embeddings: (0..ENTRIES).map(|entry| numbers(100 + entry, of_prompt)).collect(),
    }
}

fn bits(array: &Array) -> Vec<Vec<u32>> {
    (0..array.len()).map(|at| array.entry(at).iter().map(|number| number.to_bits()).collect()).collect()
}

/// Answers for the entries in `order`, `calls` of them in one call of the engine; returned in the order of entries.
fn answers(networks: &Networks, sides: [usize; 2], order: &[usize], calls: usize) -> Answers {
    let config = &networks.config;
    let Inputs { tokens, latents, embeddings } = inputs(config, sides);
    let latents_shape = [config.vae.latent_channels, sides[0], sides[1]];
    let prompt_shape = [config.text.positions, config.text.width];
    let mut told: Answers = std::array::from_fn(|_| vec![Vec::new(); ENTRIES]);
    for entries in order.chunks(calls) {
        let tokens: Vec<Vec<u32>> = entries.iter().map(|&entry| tokens[entry].clone()).collect();
        let latents = Array::stack(&latents_shape, entries.iter().map(|&entry| latents[entry].as_slice()));
        let prompts = Array::stack(&prompt_shape, entries.iter().map(|&entry| embeddings[entry].as_slice()));
        let made = [
            networks.encode(&tokens).unwrap(),
            networks.denoise(&latents, 801.0, &prompts).unwrap(),
            networks.decode(&latents).unwrap(),
        ];
        for (told, made) in told.iter_mut().zip(&made) {
            for (&entry, numbers) in entries.iter().zip(bits(made)) {
                told[entry] = numbers;
            }
        }
    }
    told
}

/// What `ask` gets of networks loaded for the trial, on as many threads as it says.
fn tried<T: Send>(trial: Trial, ask: impl FnOnce(&Networks) -> T + Send) -> Option<T> {
    let (runtime, config) = (Runtime::of_this_machine()?, config(trial.model));
    let work = Work {
        device: Device::Cpu,
        precision: Precision::F32,
        images: 3,
        guided: trial.guided,
        height: trial.sides[0],
        width: trial.sides[1],
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(trial.threads).build().unwrap();
    pool.install(|| {
        let weights = weights(&config).unwrap();
        let networks = Networks::with_weights(&config, runtime, &work, weights, trial.side_by_side).unwrap();
        assert_eq!(networks.threads, if trial.side_by_side { 1 } else { trial.threads });
        Some(ask(&networks))
    })
}

/// The one place that compares: each way of asking against one image at a time on one thread.
fn check(first: Trial) {
    let Trial { guided, sides, .. } = first;
    let straight: Vec<usize> = (0..ENTRIES).collect();
    let other = [5, 2, 0, 3, 1, 4];
    let entries_of_an_image = if guided { 2 } else { 1 };
    let Some(expected) = tried(first, |networks| answers(networks, sides, &straight, entries_of_an_image)) else {
        return;
    };
    assert_ne!(expected[1][0], expected[1][1], "entries differ, or nothing is compared");
    for threads in [1, 2, 4] {
        let trial = Trial { threads, ..first };
        tried(trial, |networks| {
            for images in [1, 2, 3, 5] {
                for order in [straight.as_slice(), &other] {
                    let found = answers(networks, sides, order, images * entries_of_an_image);
                    let what = format!("{trial:?}, {images} images at a time, in order {order:?}");
                    same(&found, &expected, &what);
                }
            }
        });
    }
}

#[track_caller]
fn same(found: &Answers, expected: &Answers, what: &str) {
    for (at, network) in ["text", "unet", "decoder"].into_iter().enumerate() {
        let apart: Vec<usize> = (0..ENTRIES).filter(|&entry| found[at][entry] != expected[at][entry]).collect();
        assert!(apart.is_empty(), "{network}, {what}: entries {apart:?} have other bits");
    }
}

const SIDE_BY_SIDE: Trial = Trial { side_by_side: true, threads: 1, guided: true, sides: [8, 8], model: SECOND };
const ALL_THREADS: Trial = Trial { side_by_side: false, ..SIDE_BY_SIDE };

/// Whether the checkout has the quick start's model; what is published as a crate lacks it.
fn has_quick() -> bool {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join(QUICK);
    needs(&format!("{QUICK}, which a checkout has"), Some(model).filter(|path| path.is_dir())).is_some()
}

#[test]
fn entries_side_by_side_have_the_same_bits_whatever_is_beside_them() {
    check(SIDE_BY_SIDE);
    check(Trial { guided: false, ..SIDE_BY_SIDE });
    check(Trial { sides: [12, 8], ..SIDE_BY_SIDE });
    if has_quick() {
        check(Trial { model: QUICK, ..SIDE_BY_SIDE });
    }
}

#[test]
fn a_large_models_entries_have_the_same_bits_whatever_is_beside_them() {
    check(ALL_THREADS);
    check(Trial { guided: false, sides: [32, 24], ..ALL_THREADS });
    check(Trial { sides: [12, 8], ..ALL_THREADS });
    if has_quick() {
        check(Trial { model: QUICK, sides: [8, 16], ..ALL_THREADS });
        check(Trial { model: QUICK, guided: false, ..ALL_THREADS });
    }
}

#[test]
fn both_strategies_have_the_same_bits() {
    let order: Vec<usize> = (0..ENTRIES).collect();
    for guided in [false, true] {
        let one = Trial { threads: 2, guided, sides: [8, 12], ..SIDE_BY_SIDE };
        let Some(beside) = tried(one, |networks| answers(networks, one.sides, &order, 4)) else { return };
        let other = Trial { side_by_side: false, ..one };
        let Some(together) = tried(other, |networks| answers(networks, one.sides, &order, 4)) else { return };
        same(&together, &beside, &format!("{other:?}"));
    }
}

#[test]
fn a_precision_that_the_device_lacks_is_refused_in_words() {
    let refused = |device, precision| dialect(device, precision).err().map(|error| error.to_string());
    let bf16 = refused(Device::Cuda(0), Precision::Bf16).unwrap();
    assert!(bf16.contains("cuda:0") && bf16.contains("bf16") && bf16.contains("\"f16\" or \"f32\""), "{bf16}");
    let cpu = refused(Device::Cpu, Precision::F16).unwrap();
    assert!(cpu.contains("f32 only"), "{cpu}");
    assert_eq!(refused(Device::Cuda(0), Precision::F16), None);
}
