//! Leaves duplicates out: equal files always, images that look alike unless the recipe keeps them.
//!
//! Of several alike, the one with the most failing surrogates stays; of those with as many, the first in the plan.
//!
//! Holds always: no file is in a release twice; a file that the pool has under several categories is left out, because
//! all but one of its labels are wrong and nobody can tell which.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::ReleaseError;
use super::choose::{LeftOut, Reason, damaged};
use super::inspect::InspectedImage;
use super::others::Others;
use crate::domain::{ImageRow, ItemId, NearDuplicates, RunSpec, Sha256};
use crate::pool::Pool;
use crate::render::release::NearRow;
use crate::stats::{near_duplicates, nearest};

/// The result of the search for duplicates.
pub struct WithoutDuplicates {
    /// Images that stay, by item.
    pub stays: Vec<InspectedImage>,
    /// What was left out.
    pub left_out: Vec<LeftOut>,
    /// All near duplicates that were found, by item.
    pub found: Vec<NearRow>,
}

/// Leaves duplicates out; `others`: images that the release must not repeat.
pub fn without_duplicates(
    pool: &Pool,
    mut images: Vec<InspectedImage>,
    others: &Others,
) -> Result<WithoutDuplicates, ReleaseError> {
    let spec = pool.spec();
    images.sort_by_key(|image| (Reverse(image.hard.n_failed), image.image.item_id));
    let mut left_out = Vec::new();
    let conflicts = conflicts(pool, &images)?;
    take_out(&mut images, &mut left_out, conflicts);
    let equal = equal(&images);
    take_out(&mut images, &mut left_out, equal);
    let mut found = near_others(&images, others, spec.release.max_distance);
    take_out(&mut images, &mut left_out, found.iter().map(|row| of_row(row, Reason::NearOther)).collect());
    let alike = near_each_other(spec, &images);
    let gone = alike.iter().filter(|row| row.excluded).map(|row| of_row(row, Reason::NearDuplicate)).collect();
    take_out(&mut images, &mut left_out, gone);
    found.extend(alike);
    images.sort_by_key(|image| image.image.item_id);
    found.sort_by_key(|row| row.item_id);
    Ok(WithoutDuplicates { stays: images, left_out, found })
}

/// Items to leave out, with reason and details.
type Removals = HashMap<ItemId, (Reason, String)>;

fn take_out(images: &mut Vec<InspectedImage>, left_out: &mut Vec<LeftOut>, gone: Removals) {
    images.retain(|image| {
        let gone = gone.get(&image.image.item_id);
        left_out.extend(gone.map(|(reason, detail)| LeftOut::new(&image.hard, *reason, detail.as_str())));
        gone.is_none()
    });
}

fn of_row(row: &NearRow, reason: Reason) -> (ItemId, (Reason, String)) {
    (ItemId(row.item_id), (reason, Reason::detail(row.distance, &row.like)))
}

/// Items whose file is also in the pool, hard or not, under another category.
fn conflicts(pool: &Pool, images: &[InspectedImage]) -> Result<Removals, ReleaseError> {
    let mut items: HashMap<Sha256, Vec<&InspectedImage>> = HashMap::new();
    for image in images {
        items.entry(image.image.sha256).or_default().push(image);
    }
    let mut gone = Removals::new();
    for shard in 0..pool.shards() {
        pool.ctx().check_stop()?;
        let is_copy = |row: &&ImageRow| {
            items.get(&row.sha256).is_some_and(|found| found[0].image.item_id != row.item_id || found.len() > 1)
        };
        let rows = pool.image_rows(shard)?;
        let copies: Vec<&ImageRow> = rows.iter().filter(is_copy).collect();
        if copies.is_empty() {
            continue;
        }
        let categories: HashMap<ItemId, String> =
            pool.items(shard)?.into_iter().map(|row| (row.item_id, row.category)).collect();
        for row in copies {
            let category = categories
                .get(&row.item_id)
                .ok_or_else(|| damaged(pool, format!("item {} has an image, but its plan has no row", row.item_id)))?;
            for image in items[&row.sha256].iter().filter(|image| image.hard.category != *category) {
                let detail = || (Reason::OtherCategory, format!("item {} is {category}", row.item_id));
                gone.entry(image.image.item_id).or_insert_with(detail);
            }
        }
    }
    Ok(gone)
}

/// Of files with equal bytes all but the first.
fn equal(images: &[InspectedImage]) -> Removals {
    let mut first: HashMap<Sha256, ItemId> = HashMap::with_capacity(images.len());
    let later = images.iter().filter_map(|image| {
        let stays = *first.entry(image.image.sha256).or_insert(image.image.item_id);
        let item = image.image.item_id;
        (stays != item).then(|| (item, (Reason::SameImage, format!("item {stays}"))))
    });
    later.collect()
}

/// Items that look like an image to compare with; these are always left out.
fn near_others(images: &[InspectedImage], others: &Others, max_distance: u32) -> Vec<NearRow> {
    let hashes: Vec<u64> = others.images.iter().map(|(_, hash)| *hash).collect();
    let row = |image: &InspectedImage| {
        let (at, distance) = nearest(image.hash, &hashes, max_distance)?;
        let like = others.images[at].0.clone();
        Some(NearRow { item_id: image.image.item_id.0, like, distance, excluded: true })
    };
    images.iter().filter_map(row).collect()
}

/// Items that look like an earlier one that stays; if the recipe keeps near duplicates, like any earlier one.
fn near_each_other(spec: &RunSpec, images: &[InspectedImage]) -> Vec<NearRow> {
    let max_distance = spec.release.max_distance;
    let hashes: Vec<u64> = images.iter().map(|image| image.hash).collect();
    let excluded = spec.release.near_duplicates == NearDuplicates::Exclude;
    // (place, place of the similar earlier image, distance in bits)
    let pairs: Vec<(usize, usize, u32)> = if excluded {
        near_duplicates(&hashes, max_distance).iter().map(|n| (n.left_out, n.stays, n.distance)).collect()
    } else {
        let earlier = |at: usize| Some((at, nearest(hashes[at], &hashes[..at], max_distance)?));
        (0..hashes.len()).filter_map(earlier).map(|(at, (other, bits))| (at, other, bits)).collect()
    };
    let mut rows = Vec::with_capacity(pairs.len());
    for (at, other, distance) in pairs {
        let (one, other) = (&images[at], &images[other]);
        let mut like = format!("item {}", other.image.item_id);
        if other.hard.category != one.hard.category {
            like += &format!(", which is {}", other.hard.category);
        }
        rows.push(NearRow { item_id: one.image.item_id.0, like, distance, excluded });
    }
    rows
}
