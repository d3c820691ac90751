//! What the page of an evaluation shows: diagrams, an order of targets, and images on which they fail.
//!
//! Does not lay out anything: `render::evaluation` does. Holds always: which images are shown follows from the tables
//! alone; images are read where they are, once each.

use std::collections::{BTreeSet, HashMap};

use rayon::prelude::*;

use super::error::EvaluateError;
use super::figures::{Figures, Inputs, columns_of};
use super::names::Names;
use crate::domain::{ImageRow, ItemId, LabelSpace};
use crate::pool::Pool;
use crate::render::evaluation::{Answered, Card, EvaluationPage, Group, Lost, evaluation_page};
use crate::stats::{BINS, ReliabilityBin, reliability_bins, similarity_order};
use crate::table::SpaceColumns;

/// Thumbnails by place of the image in the pool.
pub type Pictures = HashMap<usize, Vec<u8>>;

/// A sort of images, and all places of such images, those to be shown first in front.
struct Sort {
    id: &'static str,
    title: &'static str,
    note: &'static str,
    places: Vec<usize>,
}

/// The page; `pictures`: of the images that [`shown`] names.
pub fn page(inputs: &Inputs, made: &Figures, names: &Names, pictures: &Pictures, most: usize) -> Vec<u8> {
    let space = primary(inputs);
    let columns: Vec<&SpaceColumns> = inputs.pool.targets.iter().map(|target| columns_of(target, space)).collect();
    let mut gallery = Vec::new();
    for sort in sorts(&columns) {
        let cards = sort.places.iter().take(most).map(|&place| card(inputs, &columns, names, pictures, place));
        gallery.push(Group {
            id: sort.id,
            title: sort.title,
            note: sort.note,
            images: sort.places.len() as u64,
            cards: cards.collect(),
        });
    }
    evaluation_page(&EvaluationPage {
        record: inputs.record,
        figures: &made.figures,
        comparisons: &made.comparisons,
        agreements: &made.agreements,
        diagrams: columns.iter().map(|columns| diagram(columns)).collect(),
        order: order(inputs, made, space),
        gallery,
        lost: lost(inputs),
    })
}

fn primary(inputs: &Inputs) -> LabelSpace {
    inputs.record.label_spaces.first().copied().unwrap_or(LabelSpace::AnyOfIds)
}

/// The images that the page shows, by their places.
pub fn shown(inputs: &Inputs, most: usize) -> Vec<usize> {
    let space = primary(inputs);
    let columns: Vec<&SpaceColumns> = inputs.pool.targets.iter().map(|target| columns_of(target, space)).collect();
    let sorts = sorts(&columns);
    let places: BTreeSet<usize> = sorts.iter().flat_map(|sort| sort.places.iter().take(most).copied()).collect();
    places.into_iter().collect()
}

/// Thumbnails of the images at these places; an image that cannot be read any more has none.
pub fn pictures(pool: &Pool, inputs: &Inputs, places: &[usize]) -> Result<Pictures, EvaluateError> {
    let wanted: BTreeSet<ItemId> = places.iter().map(|&place| ItemId(inputs.pool.images.item_id[place])).collect();
    let found = pool.find_images(&wanted)?;
    let rows: Vec<(usize, &ImageRow)> = places
        .iter()
        .filter_map(|&place| Some((place, &found.get(&ItemId(inputs.pool.images.item_id[place]))?.row)))
        .collect();
    pool.ctx().progress.start("thumbnails", rows.len() as u64);
    let made = pool.ctx().thread_pool()?.install(|| {
        rows.par_iter()
            .map(|&(place, row)| {
                pool.ctx().check_stop()?;
                pool.ctx().progress.advance(1);
                Ok((place, pool.thumbnail(row)))
            })
            .collect::<Result<Pictures, EvaluateError>>()
    });
    pool.ctx().progress.finish();
    made
}

fn sorts(columns: &[&SpaceColumns]) -> Vec<Sort> {
    let images = columns.first().map_or(0, |columns| columns.correct.len());
    let (mut by_all, mut by_one, mut confident) = (Vec::new(), Vec::new(), Vec::new());
    for place in 0..images {
        let wrong: Vec<&&SpaceColumns> = columns.iter().filter(|columns| !columns.correct[place]).collect();
        let prob = |columns: &&&SpaceColumns| Some(columns.top1_prob[place]).filter(|prob| prob.is_finite());
        let surest = wrong.iter().filter_map(prob).fold(0.0_f32, f32::max);
        if !wrong.is_empty() && wrong.len() == columns.len() {
            by_all.push((surest, place));
        }
        if wrong.len() == 1 && columns.len() > 1 {
            by_one.push((surest, place));
        }
        if !wrong.is_empty() && surest > 0.0 {
            confident.push((surest, place));
        }
    }
    let places = |mut found: Vec<(f32, usize)>| {
        found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        found.into_iter().map(|(_, place)| place).collect::<Vec<usize>>()
    };
    vec![
        Sort {
            id: "by-all",
            title: "Wrong by all targets",
            note: "The most confident ones first. If all say one class, look at the label.",
            places: places(by_all),
        },
        Sort {
            id: "by-one",
            title: "Wrong by one target only",
            note: "All others are right: what is special about that target?",
            places: places(by_one),
        },
        Sort {
            id: "confident",
            title: "Most confident failures",
            note: "Some target is sure and wrong.",
            places: places(confident),
        },
    ]
}

fn card(inputs: &Inputs, columns: &[&SpaceColumns], names: &Names, pictures: &Pictures, place: usize) -> Card {
    let images = &inputs.pool.images;
    let mut answers = Vec::with_capacity(columns.len());
    for (target, columns) in inputs.record.targets.iter().zip(columns) {
        answers.push(Answered {
            target: target.name.clone(),
            said: names.class(target, columns.top1_id[place]),
            prob: columns.top1_prob[place],
            true_prob: columns.true_prob[place],
            correct: columns.correct[place],
        });
    }
    Card {
        path: images.path[place].clone(),
        category: names.category(&images.category[place]),
        kind: images.kind[place].clone(),
        nuisance: images.nuisance[place].clone(),
        thumbnail_jpeg: pictures.get(&place).cloned().unwrap_or_default(),
        answers,
    }
}

fn diagram(columns: &SpaceColumns) -> Vec<ReliabilityBin> {
    let (mut confidence, mut correct) = (Vec::new(), Vec::new());
    for (&prob, &right) in columns.top1_prob.iter().zip(&columns.correct) {
        if prob.is_finite() {
            confidence.push(f64::from(prob));
            correct.push(right);
        }
    }
    reliability_bins(&confidence, &correct, BINS)
}

/// Targets with like errors side by side.
fn order(inputs: &Inputs, made: &Figures, space: LabelSpace) -> Vec<usize> {
    let targets = &inputs.record.targets;
    let places: HashMap<&str, usize> =
        targets.iter().enumerate().map(|(place, target)| (target.name.as_str(), place)).collect();
    let mut kappa = vec![vec![None; targets.len()]; targets.len()];
    let space = space.to_string();
    for row in made.agreements.iter().filter(|row| !row.b_is_surrogate && row.space == space) {
        if let (Some(&a), Some(&b)) = (places.get(row.a.as_str()), places.get(row.b.as_str())) {
            kappa[a][b] = row.kappa;
            kappa[b][a] = row.kappa;
        }
    }
    similarity_order(&kappa)
}

fn lost(inputs: &Inputs) -> Vec<Lost> {
    let mut lost = Vec::new();
    for (prefix, scores) in [("", Some(&inputs.pool)), ("clean twin: ", inputs.clean.as_ref())] {
        let Some(scores) = scores else { continue };
        for (target, columns) in inputs.record.targets.iter().zip(&scores.targets) {
            for (place, reason) in &columns.lost {
                let path = format!("{prefix}{}", scores.images.path[*place]);
                lost.push(Lost { target: target.name.clone(), path, reason: reason.clone() });
            }
        }
    }
    lost
}
