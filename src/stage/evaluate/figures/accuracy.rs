//! How many images a target has right: of all, by kind, nuisance and category; and the surrogates' own.
//!
//! Two intervals of the accuracy of all images: of *these images* (Wilson, or Clopper-Pearson at 0 and n), and of
//! *objects like these* (variance by clusters), because a grid repeats its categories and nuisances.

use std::collections::BTreeMap;

use super::columns::{Groups, Images};
use super::given::{Inputs, LEAST_GROUP, Target, columns_of, figure};
use crate::domain::{EvaluationRecord, Figure, LabelSpace};
use crate::stats::{objects_like_these, proportion};
use crate::table::PoolColumns;

/// Adds the accuracies of a target in a label space.
pub fn add(figures: &mut Vec<Figure>, target: &Target, space: LabelSpace, images: &Images) {
    let correct = &columns_of(target.columns, space).correct;
    of_all(figures, target.name, space, (correct, Some(images)));
    let space = space.to_string();
    let all = images.len as u64;
    let start = |metric: &str, n: u64| figure(target.name, &space, metric, n);
    let lost = target.columns.lost.len() as u64;
    figures.push(start("scored", all).of(Some((all - lost) as f64), "images with a prediction; the others are wrong"));
    for (group_by, groups) in
        [("kind", &images.kinds), ("nuisance", &images.nuisances), ("category", &images.categories)]
    {
        by_group(figures, &start("accuracy", 0), correct, (group_by, groups));
    }
}

/// The accuracies of all targets of a record by their outcomes alone; `images`: what these show, if it is known.
pub fn accuracies(
    record: &EvaluationRecord,
    right: &[Vec<bool>],
    space: LabelSpace,
    images: Option<&PoolColumns>,
) -> Vec<Figure> {
    let images = images.map(Images::new);
    let mut figures = Vec::new();
    for (target, correct) in record.targets.iter().zip(right) {
        of_all(&mut figures, &target.name, space, (correct, images.as_ref()));
    }
    figures
}

/// Adds the accuracy on all images with both intervals; `outcomes`: right or wrong, and what the images show.
fn of_all(figures: &mut Vec<Figure>, target: &str, space: LabelSpace, outcomes: (&[bool], Option<&Images>)) {
    let (correct, images) = outcomes;
    let n = correct.len() as u64;
    let start = |metric: &str| figure(target, &space.to_string(), metric, n);
    figures.push(share(start("accuracy"), count(correct), n));
    if let Some(objects) = images.and_then(|images| objects_like_these(correct, &images.design)) {
        let method = format!("objects like these: {}", objects.method.name());
        figures.push(start("accuracy_objects").within(Some(objects.interval), &method));
    }
}

/// Adds the accuracy among the five likeliest classes; each image counts once, whatever classes its category accepts.
pub fn add_top5(figures: &mut Vec<Figure>, target: &Target, images: &Images) {
    let within = target.columns.true_rank.iter().filter(|&&rank| (1..=5).contains(&rank)).count() as u64;
    let start = figure(target.name, &LabelSpace::AnyOfIds.to_string(), "accuracy_top5", images.len as u64);
    figures.push(share(start, within, images.len as u64));
}

/// Adds the accuracies of the surrogates, in the label space of the mining.
pub fn add_miners(figures: &mut Vec<Figure>, inputs: &Inputs) {
    let mut counts: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for row in &inputs.miners {
        let (right, all) = counts.entry(row.surrogate.as_str()).or_default();
        *right += u64::from(row.correct);
        *all += 1;
    }
    for (name, (right, all)) in counts {
        let mut made = share(figure(name, "", "accuracy_of_surrogate", all), right, all);
        made.method = format!("{}; mined against: wrong by construction", made.method);
        figures.push(made);
    }
}

fn by_group(figures: &mut Vec<Figure>, start: &Figure, correct: &[bool], groups: (&str, &Groups)) {
    let (group_by, groups) = groups;
    for (group, places) in groups {
        let n = places.len() as u64;
        let right = places.iter().filter(|&&place| correct[place]).count() as u64;
        let start = Figure { n, ..start.clone() }.group(group_by, group);
        figures.push(if n < LEAST_GROUP {
            start.of(None, &format!("fewer than {LEAST_GROUP} images: {right} right"))
        } else {
            share(start, right, n)
        });
    }
}

fn share(start: Figure, right: u64, n: u64) -> Figure {
    match proportion(right, n) {
        Some(found) => start.within(Some(found.interval), &format!("these images: {}", found.method.name())),
        None => start.of(None, "no image"),
    }
}

fn count(correct: &[bool]) -> u64 {
    correct.iter().filter(|&&right| right).count() as u64
}
