//! Calibration of four models in four label spaces, and awkward vectors: `parity/calibration`.
//!
//! The scores of photographs (3 MB) are not committed; short vectors with ties and awkward lengths are.

use std::collections::BTreeMap;
use std::path::Path;

use hardset::stats::{self, ImageLogits, ReliabilityBin};
use safetensors::SafeTensors;
use serde_json::Value;

use super::{Differences, count, folders, json, number, numbers};

/// Scores of one model on photographs, and the class of each photograph.
pub struct Scores {
    pub labels: Vec<usize>,
    pub are_logits: bool,
    classes: usize,
    values: Vec<f64>,
}

impl Scores {
    /// From the half-precision values of a file; `calibration.json` beside it says what they are.
    pub fn read(folder: &Path, model: &str) -> Self {
        let bytes = std::fs::read(folder.join("scores.safetensors")).expect("the scores are readable");
        let tensors = SafeTensors::deserialize(&bytes).expect("it is safetensors");
        let stored = tensors.tensor(model).expect("the model's scores");
        let halves = stored.data().chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
        let labels = tensors.tensor("labels").expect("labels");
        let width = labels.data().len() / labels.shape()[0];
        let label = |bytes: &[u8]| bytes.iter().rev().fold(0, |value, byte| value << 8 | usize::from(*byte));
        let kind = &json(&folder.join("calibration.json"))["models"][model]["kind"];
        Self {
            labels: labels.data().chunks_exact(width).map(label).collect(),
            are_logits: kind == "logits",
            classes: stored.shape()[1],
            values: halves.map(half).collect(),
        }
    }

    pub fn row(&self, image: usize) -> &[f64] {
        &self.values[image * self.classes..(image + 1) * self.classes]
    }
}

/// The value of a half-precision number, which has no crate of its own here.
fn half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff) / 1024.0);
    match exponent {
        0 => sign * fraction * 2.0_f64.powi(-14),
        31 => panic!("a score is not a number"),
        _ => sign * (1.0 + fraction) * 2.0_f64.powi(exponent - 15),
    }
}

pub fn log_sum(logits: &[f64]) -> f64 {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    largest + logits.iter().map(|logit| (logit - largest).exp()).sum::<f64>().ln()
}

pub fn softmax(logits: &[f64]) -> Vec<f64> {
    let all = log_sum(logits);
    logits.iter().map(|logit| (logit - all).exp()).collect()
}

/// What a model says of one image in one label space.
struct Image {
    /// Logits, or the probabilities that stand for them.
    scores: Vec<f64>,
    probs: Vec<f64>,
    accepted: Vec<usize>,
}

/// The images of a label space as `calibration.json` defines it.
fn images(space: &str, scores: &Scores, categories: &[Vec<usize>]) -> Vec<Image> {
    let mut images = Vec::new();
    let ids: Vec<usize> = {
        let mut ids: Vec<usize> = categories.iter().flatten().copied().collect();
        ids.sort_unstable();
        ids
    };
    let probs_of = |row: &[f64]| if scores.are_logits { softmax(row) } else { shares(row) };
    for (image, label) in scores.labels.iter().enumerate() {
        let row = scores.row(image);
        let category = categories.iter().position(|ids| ids.contains(label));
        if space == "imagenet-1k" {
            let probs = if scores.are_logits { softmax(row) } else { row.to_vec() };
            images.push(Image { scores: row.to_vec(), probs, accepted: vec![*label] });
            continue;
        }
        let Some(category) = category else { continue };
        let ours = &categories[category];
        let (kept, accepted): (Vec<f64>, Vec<usize>) = match space {
            "imagenet-d.any-of-ids" => (row.to_vec(), ours.clone()),
            "imagenet-d.masked" => {
                let place = |id| ids.binary_search(id).expect("an id of the list");
                (ids.iter().map(|&id| row[id]).collect(), ours.iter().map(place).collect())
            }
            "imagenet-d.collapsed" => {
                let best = |ids: &Vec<usize>| ids.iter().map(|&id| row[id]).fold(f64::NEG_INFINITY, f64::max);
                (categories.iter().map(best).collect(), vec![category])
            }
            other => panic!("{other} is a new label space"),
        };
        let whole = space == "imagenet-d.any-of-ids" && !scores.are_logits;
        let probs = if whole { kept.clone() } else { probs_of(&kept) };
        images.push(Image { scores: kept, probs, accepted });
    }
    images
}

fn shares(values: &[f64]) -> Vec<f64> {
    let sum: f64 = values.iter().sum();
    values.iter().map(|value| value / sum).collect()
}

fn categories(keys: &Value) -> Vec<Vec<usize>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("categories/imagenet-d.toml");
    let table: toml::Table = std::fs::read_to_string(file).expect("it is readable").parse().expect("it is TOML");
    let ids = |category: &toml::Value| {
        let ids = category["imagenet_ids"].as_array().expect("a list").iter();
        ids.map(|id| id.as_integer().expect("an id") as usize).collect::<Vec<_>>()
    };
    let all = table["categories"].as_array().expect("a list").iter();
    let by_key: BTreeMap<&str, Vec<usize>> =
        all.map(|category| (category["id"].as_str().expect("a key"), ids(category))).collect();
    keys.as_array().expect("a list").iter().map(|key| by_key[super::text(key)].clone()).collect()
}

#[test]
fn four_models_in_four_label_spaces() {
    let Some(folder) = super::common::test_data("parity/calibration") else { return };
    let file = json(&folder.join("calibration.json"));
    let categories = categories(&file["categories"]);
    let mut differences = Differences::new("calibration, photographs", 1e-6);
    for (model, spaces) in file["models"].as_object().expect("an object") {
        let scores = Scores::read(&folder, model);
        for (space, expected) in spaces.as_object().expect("an object").iter().filter(|(_, of)| of.is_object()) {
            let images = images(space, &scores, &categories);
            assert_eq!(images.len() as u64, count(&expected["n"]), "{model} {space}");
            hold_space(&images, expected, &mut differences);
        }
    }
}

fn hold_space(images: &[Image], expected: &Value, differences: &mut Differences) {
    // Of equal probabilities the first class.
    let top = |image: &Image| (0..image.probs.len()).rev().max_by(|&a, &b| image.probs[a].total_cmp(&image.probs[b]));
    let tops: Vec<usize> = images.iter().map(|image| top(image).expect("classes")).collect();
    let confidence: Vec<f64> = images.iter().zip(&tops).map(|(image, &top)| image.probs[top]).collect();
    let correct: Vec<bool> = images.iter().zip(&tops).map(|(image, top)| image.accepted.contains(top)).collect();
    let of_truth = |image: &Image| image.accepted.iter().map(|&class| image.probs[class]).sum();
    let truths: Vec<f64> = images.iter().map(of_truth).collect();
    let right = correct.iter().filter(|right| **right).count();
    differences.hold("top1", right as f64 / images.len() as f64, number(&expected["top1"]));
    hold_errors(&confidence, &correct, expected, differences);
    differences.hold_maybe("aurra", stats::aurra(&confidence, &correct), &expected["aurra"]);
    let briers = images.iter().map(|image| stats::brier_of_image(&image.probs, &image.accepted));
    let brier = briers.sum::<f64>() / images.len() as f64;
    let theirs = &expected["brier_sum_over_classes_accepted_merged"];
    differences.hold("brier over classes", brier, number(theirs));
    let nll = stats::nll(&truths).expect("there are images");
    differences.hold("nll", nll.value, number(&expected["nll_floor_1e-12"]));
    assert_eq!(nll.zeros, count(&expected["zeros_at_truth"]));
    let bins = stats::reliability_bins(&confidence, &correct, stats::BINS);
    for (bin, theirs) in bins.iter().zip(expected["bins15"].as_array().expect("a list")) {
        assert_eq!(bin.count, count(&theirs[1]), "{theirs}");
        differences.hold_maybe("confidence of a bin", bin.confidence, &theirs[2]);
        differences.hold_maybe("accuracy of a bin", bin.accuracy, &theirs[3]);
    }
    if let Some(theirs) = expected.get("temperature").filter(|theirs| theirs.is_object()) {
        let logits: Vec<ImageLogits> =
            images.iter().map(|image| ImageLogits { logits: &image.scores, accepted: &image.accepted }).collect();
        let fitted = stats::temperature(&logits).expect("there are images");
        differences.hold("temperature", fitted.value, number(&theirs["exact"]));
        differences.hold("nll before", fitted.nll_before, number(&theirs["nll_before"]));
        differences.hold("nll after", fitted.nll_after, number(&theirs["nll_after"]));
        assert!((fitted.value - number(&theirs["natural-adv-examples"])).abs() < 1e-4, "their search ends at 1e-4");
    }
}

/// The errors over bins, which short vectors have too.
fn hold_errors(confidence: &[f64], correct: &[bool], expected: &Value, differences: &mut Differences) {
    let bins: Vec<ReliabilityBin> = stats::reliability_bins(confidence, correct, stats::BINS);
    for (name, ours) in [
        ("rms_all_bins", stats::rms_all_bins(confidence, correct)),
        ("ece15", stats::expected_error(&bins)),
        ("mce15", stats::largest_error(&bins)),
        ("adaptive_ece15", stats::adaptive_ece(confidence, correct)),
        ("brier_top_label", stats::brier_top_label(confidence, correct)),
    ] {
        differences.hold_maybe(name, ours, &expected[name]);
    }
    let published = stats::rms_as_published(confidence, correct);
    assert_eq!(published.is_some(), confidence.len() >= 100, "natural-adv-examples stops below 100 images");
    let theirs = number(&expected["rms_last_bin_left_out"]);
    differences.hold("rms_last_bin_left_out", published.unwrap_or(0.0), theirs);
}

/// Ties, and lengths around the bins of 100.
#[test]
fn awkward_vectors() {
    for folder in folders("calibration") {
        // Sums of at most 230 terms in another order.
        let mut differences = Differences::new("calibration, cases", 1e-14);
        for case in json(&folder.join("calibration.json"))["cases"].as_array().expect("a list") {
            let confidence = numbers(&case["confidence"]);
            let correct: Vec<bool> = numbers(&case["correct"]).iter().map(|right| *right == 1.0).collect();
            assert_eq!(confidence.len() as u64, count(&case["n"]));
            hold_errors(&confidence, &correct, case, &mut differences);
            let aurra = stats::aurra(&confidence, &correct);
            differences.hold_maybe("aurra", aurra, &case["aurra_ties_in_given_order"]);
        }
    }
}
