//! Flips and distances of rankings along made-up sequences: `parity/robustness/perturbations.json`.
//!
//! The sequences are made here from the file's own definition, and held against the stored ranks where they are.

use std::path::Path;

use hardset::stats::{self, Against, FlipRate};
use safetensors::SafeTensors;

use super::{Differences, count, folders, json, number};

const SEQUENCES: usize = 4;
const FRAMES: usize = 9;
const CLASSES: usize = 1000;

/// The uniform draws of parity/evaluation-README.md.
struct SplitMix {
    seed: u64,
    next: u64,
}

impl SplitMix {
    fn uniform(&mut self) -> f64 {
        self.next += 1;
        let mut z = self.seed.wrapping_add(self.next.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ z >> 31) >> 11) as f64 * 2.0_f64.powi(-53)
    }

    fn normals(&mut self, count: usize) -> Vec<f64> {
        let mut normal = || {
            let (u, v) = (self.uniform(), self.uniform());
            (-2.0 * (1.0 - u).ln()).sqrt() * (2.0 * std::f64::consts::PI * v).cos()
        };
        (0..count).map(|_| normal()).collect()
    }
}

/// Ranks of all classes of all frames, 1 for the largest logit, ties in the order of classes.
fn ranks() -> Vec<Vec<Vec<u32>>> {
    let mut draws = SplitMix { seed: 1, next: 0 };
    let (start, steps) = (draws.normals(SEQUENCES * CLASSES), draws.normals(SEQUENCES * FRAMES * CLASSES));
    let mut all = vec![Vec::new(); SEQUENCES];
    for (sequence, frames) in all.iter_mut().enumerate() {
        let mut walked = vec![0.0; CLASSES];
        for frame in 0..FRAMES {
            let logit = |class: usize| {
                walked[class] += 0.25 * steps[(sequence * FRAMES + frame) * CLASSES + class];
                (2.0 * start[sequence * CLASSES + class] + walked[class]) as f32
            };
            let logits: Vec<f32> = (0..CLASSES).map(logit).collect();
            let mut order: Vec<usize> = (0..CLASSES).collect();
            order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]));
            let mut ranks = vec![0; CLASSES];
            for (rank, class) in (1..).zip(order) {
                ranks[class] = rank;
            }
            frames.push(ranks);
        }
    }
    all
}

fn stored_ranks(path: &Path) -> Vec<Vec<Vec<u32>>> {
    let bytes = std::fs::read(path).expect("it is readable");
    let tensors = SafeTensors::deserialize(&bytes).expect("it is safetensors");
    let stored = tensors.tensor("ranks").expect("ranks");
    let [_, frames, classes] = stored.shape()[..] else { panic!("{:?}", stored.shape()) };
    let values: Vec<u32> =
        stored.data().chunks_exact(2).map(|pair| u32::from(u16::from_le_bytes([pair[0], pair[1]]))).collect();
    let frame = |values: &[u32]| values.chunks_exact(classes).map(<[u32]>::to_vec).collect::<Vec<_>>();
    values.chunks_exact(classes * frames).map(frame).collect()
}

#[test]
fn flips_and_distances_equal_imagenet_p() {
    for folder in folders("robustness") {
        let path = folder.join("perturbations.safetensors");
        let ranks = if path.is_file() { stored_ranks(&path) } else { ranks() };
        let top = |frame: &Vec<u32>| frame.iter().position(|&rank| rank == 1).expect("a first rank") as u32;
        let predictions: Vec<Vec<u32>> = ranks.iter().map(|frames| frames.iter().map(top).collect()).collect();
        let mut differences = Differences::new("perturbations", 1e-12);
        for (name, expected) in json(&folder.join("perturbations.json"))["results"].as_object().expect("an object") {
            let (perturbation, difficulty) = name.split_once(" difficulty ").expect("name and difficulty");
            let noise = perturbation.ends_with("noise");
            let against =
                if noise { Against::First } else { Against::Before(difficulty.parse().expect("a whole number")) };
            for (figure, ours) in [
                ("flip_probability", stats::flip_probability(&predictions, against)),
                ("top5_distance", stats::top5_distance(&ranks, against)),
                ("zipf_distance", stats::zipf_distance(&ranks, against)),
            ] {
                differences.hold_maybe(figure, ours, &expected[figure]);
            }
        }
    }
}

/// Those that are stored where the whole references are.
#[test]
fn the_made_sequences_are_the_stored_ones() {
    let Some(folder) = super::common::test_data("parity/robustness") else { return };
    let file = json(&folder.join("perturbations.json"));
    if [count(&file["sequences"]), count(&file["frames"])] == [SEQUENCES as u64, FRAMES as u64] {
        assert_eq!(stored_ranks(&folder.join("perturbations.safetensors")), ranks());
    }
}

#[test]
fn the_mean_flip_rate_equals_the_example() {
    for folder in folders("robustness") {
        let example = &json(&folder.join("perturbations.json"))["mfr"]["example"];
        let rates = |of: &str| {
            let mut rates = Vec::new();
            for (name, flip) in example[of].as_object().expect("an object") {
                rates.push(FlipRate { perturbation: name.clone(), flip_probability: number(flip) });
            }
            rates
        };
        let ours = stats::mean_flip_rate(&rates("model"), &rates("alexnet")).expect("both have all");
        assert!((ours - number(&example["mfr"])).abs() < 1e-15);
    }
}
