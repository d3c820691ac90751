//! Brier's sum of predictions, held against `parity/calibration`: computed there in f64 from the same f16 scores.

use hardset::domain::{Category, ClassSpace, ItemId, Prediction};
use hardset::stats::{ClassMask, predict, scores_of_logits, scores_of_probabilities};
use safetensors::SafeTensors;
use serde_json::Value;

use crate::common::test_data;
use crate::set;

/// `f16` of IEEE 754 by its bits; the file has no infinity and no NaN.
fn f16(bits: u16) -> f32 {
    let (sign, exponent, fraction) = (bits >> 15, i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    let size = if exponent == 0 {
        fraction * 2.0_f32.powi(-24)
    } else {
        (1.0 + fraction / 1024.0) * 2.0_f32.powi(exponent - 15)
    };
    if sign == 1 { -size } else { size }
}

#[test]
fn the_mean_over_photographs_equals_the_reference() {
    let Some(folder) = test_data("parity/calibration") else { return };
    let bytes = std::fs::read(folder.join("scores.safetensors")).expect("it is there");
    let text = std::fs::read_to_string(folder.join("calibration.json")).expect("it is there");
    let golden: Value = serde_json::from_str(&text).expect("it is JSON");
    let tensors = SafeTensors::deserialize(&bytes).expect("they are tensors");
    let labels = tensors.tensor("labels").expect("it has labels");
    let width = labels.data().len() / 400;
    let labels: Vec<u32> = labels.data().chunks(width).map(|at| u32::from(at[0]) + 256 * u32::from(at[1])).collect();
    let categories = set("imagenet-d");
    let names = (0..1000).map(|class| class.to_string()).collect();
    let space = ClassSpace::imagenet(names, Vec::new(), &categories);
    let mask = ClassMask::of(&space);
    let models = golden["models"].as_object().expect("it has models");
    assert_eq!(models.len(), 4);
    for (model, golden) in models {
        let tensor = tensors.tensor(model).expect("it has scores");
        let (mut any, mut masked, mut n) = (0.0, 0.0, 0.0);
        for (row, &label) in tensor.data().chunks(2000).zip(&labels) {
            let [category] = categories.accepting(label)[..] else { continue };
            let row: Vec<f32> = row.chunks(2).map(|two| f16(u16::from_le_bytes([two[0], two[1]]))).collect();
            let is_logits = golden["kind"] == "logits";
            let scores = if is_logits { scores_of_logits(&row, 0) } else { scores_of_probabilities(&row, 0) };
            let prediction = of(predict(ItemId(0), &scores, space.accepted(&category.id), &mask), category);
            any += f64::from(prediction.any.brier.expect("of one choice"));
            masked += f64::from(prediction.masked.brier.expect("of one choice"));
            assert_eq!(prediction.masked_energy.is_some(), is_logits);
            n += 1.0;
        }
        assert_eq!(n, 44.0);
        for (space, sum) in [("any-of-ids", any), ("masked", masked)] {
            let golden = &golden[format!("imagenet-d.{space}")]["brier_sum_over_classes_accepted_merged"];
            let golden = golden.as_f64().expect("it is a number");
            // Our probabilities are f32.
            assert!((sum / n - golden).abs() < 1e-6, "{model} {space}: {} instead of {golden}", sum / n);
        }
    }
}

fn of<E: std::fmt::Debug>(prediction: Result<Prediction, E>, category: &Category) -> Prediction {
    prediction.unwrap_or_else(|error| panic!("{}: {error:?}", category.id))
}
