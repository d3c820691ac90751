//! No image twice: equal files go, and images that merely look alike go too unless the recipe keeps them.
//!
//! Of several the one with the most failing surrogates stays, of equal ones the first in the plan. A file that the pool
//! has under several categories is wrong under all but one, and nobody can tell which: all of them go.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::ReleaseError;
use super::choose::{LeftOut, Reason};
use super::inspect::InspectedImage;
use super::others::Others;
use crate::domain::{ImageRow, ItemId, NearDuplicates, RunSpec, Sha256};
use crate::pool::Pool;
use crate::render::release::NearRow;
use crate::stats::{near_duplicates, nearest};

/// What the search for duplicates came to.
pub struct WithoutDuplicates {
    /// What stays, by item.
    pub stays: Vec<InspectedImage>,
    /// What was left out.
    pub left_out: Vec<LeftOut>,
    /// All near duplicates that were found, by item.
    pub found: Vec<NearRow>,
}

/// Leaves duplicates out; `others`: images that the release should not have either.
pub fn without_duplicates(
    pool: &Pool,
    mut seen: Vec<InspectedImage>,
    others: &Others,
) -> Result<WithoutDuplicates, ReleaseError> {
    let spec = pool.spec();
    seen.sort_by_key(|seen| (Reverse(seen.hard.n_failed), seen.image.item_id));
    let mut left_out = Vec::new();
    let conflicts = conflicts(pool, &seen)?;
    take_out(&mut seen, &mut left_out, conflicts);
    let equal = equal(&seen);
    take_out(&mut seen, &mut left_out, equal);
    let mut found = near_others(&seen, others, spec.release.max_distance);
    take_out(&mut seen, &mut left_out, found.iter().map(|row| of_row(row, Reason::NearOther)).collect());
    let alike = near_each_other(spec, &seen);
    let gone = alike.iter().filter(|row| row.excluded).map(|row| of_row(row, Reason::NearDuplicate)).collect();
    take_out(&mut seen, &mut left_out, gone);
    found.extend(alike);
    seen.sort_by_key(|seen| seen.image.item_id);
    found.sort_by_key(|row| row.item_id);
    Ok(WithoutDuplicates { stays: seen, left_out, found })
}

/// Why items go, and what more there is to say.
type Gone = HashMap<ItemId, (Reason, String)>;

fn take_out(seen: &mut Vec<InspectedImage>, left_out: &mut Vec<LeftOut>, gone: Gone) {
    seen.retain(|seen| {
        let gone = gone.get(&seen.image.item_id);
        left_out.extend(gone.map(|(reason, detail)| LeftOut::new(&seen.hard, *reason, detail.as_str())));
        gone.is_none()
    });
}

fn of_row(row: &NearRow, reason: Reason) -> (ItemId, (Reason, String)) {
    (ItemId(row.item_id), (reason, format!("{} of 64 bits from {}", row.distance, row.like)))
}

/// Items whose very file is in the pool, hard or not, under another category.
fn conflicts(pool: &Pool, seen: &[InspectedImage]) -> Result<Gone, ReleaseError> {
    let mut items: HashMap<Sha256, Vec<&InspectedImage>> = HashMap::new();
    for image in seen {
        items.entry(image.image.sha256).or_default().push(image);
    }
    let mut gone = Gone::new();
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
            let Some(category) = categories.get(&row.item_id) else { continue };
            for image in items[&row.sha256].iter().filter(|image| image.hard.category != *category) {
                let detail = || (Reason::OtherCategory, format!("item {} is {category}", row.item_id));
                gone.entry(image.image.item_id).or_insert_with(detail);
            }
        }
    }
    Ok(gone)
}

/// Of files with equal bytes all but the first.
fn equal(seen: &[InspectedImage]) -> Gone {
    let mut first: HashMap<Sha256, ItemId> = HashMap::with_capacity(seen.len());
    let later = seen.iter().filter_map(|seen| {
        let stays = *first.entry(seen.image.sha256).or_insert(seen.image.item_id);
        let item = seen.image.item_id;
        (stays != item).then(|| (item, (Reason::SameImage, format!("item {stays}"))))
    });
    later.collect()
}

/// Items that look like an image to compare with; these are always left out.
fn near_others(seen: &[InspectedImage], others: &Others, max_distance: u32) -> Vec<NearRow> {
    let hashes: Vec<u64> = others.images.iter().map(|(_, hash)| *hash).collect();
    let row = |seen: &InspectedImage| {
        let (at, distance) = nearest(seen.hash, &hashes, max_distance)?;
        let like = others.images[at].0.clone();
        Some(NearRow { item_id: seen.image.item_id.0, like, distance, excluded: true })
    };
    seen.iter().filter_map(row).collect()
}

/// Items that look like an earlier one that stays; where all stay, like any earlier one.
fn near_each_other(spec: &RunSpec, seen: &[InspectedImage]) -> Vec<NearRow> {
    let max_distance = spec.release.max_distance;
    let hashes: Vec<u64> = seen.iter().map(|seen| seen.hash).collect();
    let excluded = spec.release.near_duplicates == NearDuplicates::Exclude;
    // (place, place of the one that it is like, distance in bits)
    let pairs: Vec<(usize, usize, u32)> = if excluded {
        near_duplicates(&hashes, max_distance).iter().map(|n| (n.left_out, n.stays, n.distance)).collect()
    } else {
        let earlier = |at: usize| Some((at, nearest(hashes[at], &hashes[..at], max_distance)?));
        (0..hashes.len()).filter_map(earlier).map(|(at, (other, bits))| (at, other, bits)).collect()
    };
    let mut rows = Vec::with_capacity(pairs.len());
    for (at, other, distance) in pairs {
        let (one, other) = (&seen[at], &seen[other]);
        let mut like = format!("item {}", other.image.item_id);
        if other.hard.category != one.hard.category {
            like += &format!(", which is {}", other.hard.category);
        }
        rows.push(NearRow { item_id: one.image.item_id.0, like, distance, excluded });
    }
    rows
}
