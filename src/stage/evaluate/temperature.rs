//! The temperature of a target, fitted on the clean twin, and what it does to the calibration on the pool.
//!
//! Needs the probabilities of all classes of both (`--keep-logits`), which are in the runs inside the evaluation. A
//! logarithm of probabilities stands for logits: softmax does not know the difference. Holds always: a temperature is
//! never fitted on the images whose calibration is stated.

use super::error::EvaluateError;
use super::figures::{Scores, figure};
use crate::config::space_of;
use crate::domain::{ClassSpace, EvaluationRecord, Figure, LabelSpace, PoolRole, RunSpec};
use crate::stats::{
    BINS, ImageLogits, Temperature, expected_error, nll_at, reliability_bins, rms_all_bins, temperature,
};
use crate::store::{EvaluationDir, StoreError};
use crate::table::scores_file;

/// The most images of a pool whose probabilities are taken: every k-th, so that memory is bounded. This holds for those
/// that a temperature is fitted on, and for those whose calibration is stated at it.
const MOST_IMAGES: usize = 10_000;

/// The figures of all targets; none without a clean twin or without the probabilities of all classes.
pub fn figures(
    dir: &EvaluationDir,
    record: &EvaluationRecord,
    pool: &Scores,
    clean: Option<&Scores>,
) -> Result<Vec<Figure>, EvaluateError> {
    let mut made = Vec::new();
    let (true, Some(clean)) = (record.keep_logits, clean) else { return Ok(made) };
    let spec = dir.run(PoolRole::Pool).spec()?;
    for (at, target) in record.targets.iter().enumerate() {
        if clean.targets[at].true_rank.is_empty() {
            continue;
        }
        let Some(space) = space_of(&spec, &target.class_space) else { continue };
        let of_clean = Logits::read(dir, &spec, (PoolRole::Clean, &target.name), (&space, clean, at))?;
        let Some(fitted) = temperature(&of_clean.images()) else { continue };
        let of_pool = Logits::read(dir, &spec, (PoolRole::Pool, &target.name), (&space, pool, at))?;
        add(&mut made, &target.name, &fitted, &of_pool);
    }
    Ok(made)
}

fn add(made: &mut Vec<Figure>, target: &str, fitted: &Temperature, pool: &Logits) {
    let space = LabelSpace::AnyOfIds.to_string();
    let n = pool.rows.len() as u64;
    let about = format!("fitted on {} images of the clean twin", fitted.images);
    let bound = if fitted.at_bound { "; at the bound of its range, 0.2 to 5" } else { "" };
    let mut push = |metric: &str, n: u64, value: Option<f64>, method: String| {
        made.push(figure(target, &space, metric, n).of(value, &method));
    };
    let on_clean = fitted.images as u64;
    push("temperature", on_clean, Some(fitted.value), format!("{about}{bound}"));
    push("clean_nll", on_clean, Some(fitted.nll_before), "at temperature 1".to_owned());
    push("clean_nll_at_temperature", on_clean, Some(fitted.nll_after), about.clone());
    push("nll_at_temperature", n, nll_at(&pool.images(), fitted.value), about.clone());
    let (confidence, correct) = pool.confidence(fitted.value);
    push("rms_calibration_at_temperature", n, rms_all_bins(&confidence, &correct), format!("{about}; bins of 100"));
    let bins = reliability_bins(&confidence, &correct, BINS);
    push("ece15_at_temperature", n, expected_error(&bins), format!("{about}; 15 bins of equal width"));
}

/// Logits of images, and their accepted classes.
struct Logits {
    rows: Vec<Vec<f64>>,
    accepted: Vec<Vec<usize>>,
}

impl Logits {
    /// Those of a target on a pool: `of` is the role and the target, `shown` its class space, the images and the
    /// target's place.
    fn read(
        dir: &EvaluationDir,
        spec: &RunSpec,
        of: (PoolRole, &str),
        shown: (&ClassSpace, &Scores, usize),
    ) -> Result<Self, EvaluateError> {
        let (role, target) = of;
        let (space, scores, at) = shown;
        let lost: std::collections::HashSet<usize> = scores.targets[at].lost.iter().map(|(place, _)| *place).collect();
        let mut places = (0..scores.images.len()).filter(|place| !lost.contains(place));
        let keep_every = scores.images.len().div_ceil(MOST_IMAGES).max(1);
        let run = dir.run(role);
        let mut made = Self { rows: Vec::new(), accepted: Vec::new() };
        for shard in 0..scores.images.len().div_ceil(spec.shard_items as usize) {
            let unit = run.predictions(target, shard);
            let path = unit.file(&unit.existing()?, "npy")?;
            let bytes = std::fs::read(&path).map_err(StoreError::io("read", &path))?;
            let rows = scores_file::decode(&bytes, space.len()).map_err(|problem| unit.damaged(&path, problem))?;
            for row in rows {
                let Some(place) = places.next() else { break };
                if place % keep_every == 0 {
                    let accepted = space.accepted(&scores.images.category[place]);
                    made.rows.push(row.into_iter().map(|prob| f64::from(prob).ln()).collect());
                    made.accepted.push(accepted.iter().map(|&class| class as usize).collect());
                }
            }
        }
        Ok(made)
    }

    fn images(&self) -> Vec<ImageLogits<'_>> {
        let both = self.rows.iter().zip(&self.accepted);
        both.map(|(logits, accepted)| ImageLogits { logits, accepted }).collect()
    }

    /// Probability of the top class at a temperature, and whether it is accepted.
    fn confidence(&self, temperature: f64) -> (Vec<f64>, Vec<bool>) {
        let (mut confidence, mut correct) = (Vec::new(), Vec::new());
        for (row, accepted) in self.rows.iter().zip(&self.accepted) {
            let mut top = 0;
            for (class, &logit) in row.iter().enumerate() {
                if logit > row[top] {
                    top = class;
                }
            }
            let sum: f64 = row.iter().map(|logit| ((logit - row[top]) / temperature).exp()).sum();
            confidence.push(1.0 / sum);
            correct.push(accepted.contains(&top));
        }
        (confidence, correct)
    }
}
