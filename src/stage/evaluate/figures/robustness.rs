//! What a change of images costs: drop and effective robustness against a clean twin, relative robustness against a
//! baseline target, and corruption errors.
//!
//! Holds always: effective robustness is stated only with a line of standard models, and mCE only with a baseline that
//! saw the same pixels; else the method says what is missing.

use std::collections::BTreeMap;

use super::columns::Images;
use super::given::{Inputs, Line, columns_of, figure};
use crate::domain::{Figure, LabelSpace};
use crate::stats::{
    CleanAndShift, CorruptionErrors, CorruptionRow, Interval, drop, mean_corruption_error, newcombe_independent,
    proportion, tau,
};
use crate::table::ResultColumns;

/// The layout of a pool whose kinds are corruptions, and whose nuisances are severities.
const CORRUPTIONS: &str = "imagenet-c";

/// Adds the figures of the target at `at` of the record.
pub fn add(figures: &mut Vec<Figure>, inputs: &Inputs, at: usize, images: &Images) {
    for &space in &inputs.record.label_spaces {
        with_clean(figures, inputs, at, space);
        with_baseline(figures, inputs, at, space);
    }
    if inputs.record.pool.layout == CORRUPTIONS {
        corruptions(figures, inputs, at, images);
    }
}

fn with_clean(figures: &mut Vec<Figure>, inputs: &Inputs, at: usize, space: LabelSpace) {
    let Some(clean) = &inputs.clean else { return };
    let name = &inputs.record.targets[at].name;
    let (on_pool, on_clean) = (accuracy(&inputs.pool.targets[at], space), accuracy(&clean.targets[at], space));
    let (Some((on_pool, n)), Some((on_clean, clean_n))) = (on_pool, on_clean) else { return };
    let space = space.to_string();
    let start = |metric: &str, n: u64| figure(name, &space, metric, n);
    let scored = clean_n - clean.targets[at].lost.len() as u64;
    let method = "images of the clean twin with a prediction; the others are wrong";
    figures.push(start("clean_scored", clean_n).of(Some(scored as f64), method));
    figures.push(start("clean_accuracy", clean_n).within(Some(on_clean), "these images of the clean twin"));
    let both = CleanAndShift { clean: on_clean.value, shift: on_pool.value };
    let difference = newcombe_independent(on_clean, on_pool);
    let difference = Interval { value: drop(both), ..difference };
    figures.push(start("drop", n).within(Some(difference), "clean minus pool; newcombe, independent samples"));
    let effective = start("effective_robustness", n);
    figures.push(match &inputs.line {
        Some(Line::Fitted { masked_only: true, .. }) if space != LabelSpace::Masked.to_string() => {
            effective.of(None, "the built-in line is of accuracies among the pool's classes: see masked")
        }
        Some(Line::Fitted { fit, about, .. }) => {
            let rho = fit.rho(both);
            let method = if rho.is_some() { about.clone() } else { "an accuracy of 0 or 1 has no logit".to_owned() };
            effective.of(rho, &method)
        }
        Some(Line::Refused(reason)) => effective.of(None, reason),
        None => effective.of(None, "no line of standard models"),
    });
}

fn with_baseline(figures: &mut Vec<Figure>, inputs: &Inputs, at: usize, space: LabelSpace) {
    let Some(baseline) = baseline(inputs) else { return };
    let (own, its) = (accuracy(&inputs.pool.targets[at], space), accuracy(&inputs.pool.targets[baseline], space));
    let (Some((own, n)), Some((its, _))) = (own, its) else { return };
    let (name, of) = (&inputs.record.targets[at].name, &inputs.record.targets[baseline].name);
    let start = figure(name, &space.to_string(), "relative_robustness", n);
    figures.push(start.of(Some(tau(own.value, its.value)), &format!("accuracy minus that of the baseline {of}")));
}

fn corruptions(figures: &mut Vec<Figure>, inputs: &Inputs, at: usize, images: &Images) {
    let space = inputs.record.label_spaces.first().copied().unwrap_or(LabelSpace::AnyOfIds);
    let name = &inputs.record.targets[at].name;
    let of_target = |at: usize| errors(inputs, at, space);
    let own = of_target(at);
    let baseline = baseline(inputs);
    let its = baseline.map(of_target);
    let n = images.len as u64;
    let start = |metric: &str| figure(name, &space.to_string(), metric, n);
    let mean = own.rows.iter().map(|row| row.error).sum::<f64>() / own.rows.len().max(1) as f64;
    let unnormalised = "mean error over corruptions and severities, without a baseline";
    figures.push(start("mean_corruption_error_unnormalised").of(Some(mean), unnormalised));
    match mean_corruption_error(&own, its.as_ref()) {
        Ok(summary) => {
            let of = baseline.map_or("", |baseline| inputs.record.targets[baseline].name.as_str());
            let method = format!("baseline {of} on the same pixels");
            figures.push(start("mce").of(Some(summary.mce), &method));
            figures.push(start("relative_mce").of(summary.relative_mce, &method));
            for row in &summary.by_corruption {
                figures.push(start("ce").group("corruption", &row.corruption).of(Some(row.ce), &method));
            }
        }
        Err(refused) => figures.push(start("mce").of(None, &refused.to_string())),
    }
}

/// Errors by corruption and severity.
fn errors(inputs: &Inputs, at: usize, space: LabelSpace) -> CorruptionErrors {
    let correct = &columns_of(&inputs.pool.targets[at], space).correct;
    let pool = &inputs.pool.images;
    let mut counts: BTreeMap<(&str, u32), (u64, u64)> = BTreeMap::new();
    for (place, &right) in correct.iter().enumerate() {
        let severity = pool.nuisance[place].as_deref().and_then(|severity| severity.parse().ok());
        if let (Some(corruption), Some(severity)) = (pool.kind[place].as_deref(), severity) {
            let (wrong, all) = counts.entry((corruption, severity)).or_default();
            *wrong += u64::from(!right);
            *all += 1;
        }
    }
    let clean = inputs.clean.as_ref().and_then(|clean| accuracy(&clean.targets[at], space));
    let mut rows = Vec::with_capacity(counts.len());
    for ((corruption, severity), (wrong, all)) in counts {
        rows.push(CorruptionRow { corruption: corruption.to_owned(), severity, error: wrong as f64 / all as f64 });
    }
    CorruptionErrors { clean: clean.map(|(clean, _)| 1.0 - clean.value), rows }
}

fn baseline(inputs: &Inputs) -> Option<usize> {
    let name = inputs.record.baseline.as_ref()?;
    inputs.record.targets.iter().position(|target| target.name == *name)
}

fn accuracy(columns: &ResultColumns, space: LabelSpace) -> Option<(Interval, u64)> {
    let correct = &columns_of(columns, space).correct;
    let right = correct.iter().filter(|&&right| right).count() as u64;
    proportion(right, correct.len() as u64).map(|found| (found.interval, correct.len() as u64))
}
