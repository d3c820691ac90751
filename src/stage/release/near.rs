//! No image twice: equal files go, and images that merely look alike go too unless the recipe keeps them.
//!
//! Of several the one with the most failing surrogates stays, of equal ones the first in the plan. A file that the pool has
//! under several categories is wrong under all but one, and nobody can tell which: all of them go.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::choose::{LeftOut, Reason};
use super::look::Seen;
use super::others::Others;
use crate::domain::{ItemId, NearDuplicates, RunSpec, Sha256};
use crate::render::release::NearRow;
use crate::stage::planned::Planned;
use crate::stage::{Context, StageError};
use crate::stats::{near_duplicates, nearest};
use crate::table::images_table;

/// What the search for duplicates came to.
pub struct Thinned {
    /// What stays, by item.
    pub stays: Vec<Seen>,
    /// What was left out.
    pub left_out: Vec<LeftOut>,
    /// All near duplicates that were found, by item.
    pub found: Vec<NearRow>,
}

/// Leaves duplicates out; `others`: images that the release should not have either.
pub fn thin(ctx: &Context, spec: &RunSpec, seen: Vec<Seen>, others: &Others) -> Result<Thinned, StageError> {
    let mut seen = seen;
    seen.sort_by_key(|seen| (Reverse(seen.hard.n_failed), seen.image.item_id));
    let mut left_out = Vec::new();
    let conflicts = conflicts(ctx, spec, &seen)?;
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
    Ok(Thinned { stays: seen, left_out, found })
}

/// Why items go, and what more there is to say.
type Gone = HashMap<ItemId, (Reason, String)>;

fn take_out(seen: &mut Vec<Seen>, left_out: &mut Vec<LeftOut>, gone: Gone) {
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
fn conflicts(ctx: &Context, spec: &RunSpec, seen: &[Seen]) -> Result<Gone, StageError> {
    let mut items: HashMap<Sha256, Vec<&Seen>> = HashMap::new();
    seen.iter().for_each(|seen| items.entry(seen.image.sha256).or_default().push(seen));
    let plan = Planned::open(ctx, spec)?;
    let mut gone = Gone::new();
    for shard in 0..plan.ranges.len() {
        ctx.check_stop()?;
        let mut rows = images_table::decode(&ctx.run.images(shard).file("parquet"))?;
        rows.retain(|row| {
            items.get(&row.sha256).is_some_and(|found| found[0].image.item_id != row.item_id || found.len() > 1)
        });
        if rows.is_empty() {
            continue;
        }
        let categories: HashMap<ItemId, String> =
            plan.rows(shard)?.into_iter().map(|row| (row.item_id, row.category)).collect();
        for row in rows {
            let Some(category) = categories.get(&row.item_id) else { continue };
            for seen in items[&row.sha256].iter().filter(|seen| seen.hard.category != *category) {
                let detail = || (Reason::OtherCategory, format!("item {} is {category}", row.item_id));
                gone.entry(seen.image.item_id).or_insert_with(detail);
            }
        }
    }
    Ok(gone)
}

/// Of files with equal bytes all but the first.
fn equal(seen: &[Seen]) -> Gone {
    let mut first: HashMap<Sha256, ItemId> = HashMap::with_capacity(seen.len());
    let later = seen.iter().filter_map(|seen| {
        let stays = *first.entry(seen.image.sha256).or_insert(seen.image.item_id);
        let item = seen.image.item_id;
        (stays != item).then(|| (item, (Reason::SameImage, format!("item {stays}"))))
    });
    later.collect()
}

/// Items that look like an image to compare with; these are always left out.
fn near_others(seen: &[Seen], others: &Others, max_distance: u32) -> Vec<NearRow> {
    let hashes: Vec<u64> = others.images.iter().map(|(_, hash)| *hash).collect();
    let row = |seen: &Seen| {
        let (at, distance) = nearest(seen.hash, &hashes, max_distance)?;
        let like = others.images[at].0.clone();
        Some(NearRow { item_id: seen.image.item_id.0, like, distance, excluded: true })
    };
    seen.iter().filter_map(row).collect()
}

/// Items that look like an earlier one that stays; where all stay, like any earlier one.
fn near_each_other(spec: &RunSpec, seen: &[Seen]) -> Vec<NearRow> {
    let max_distance = spec.release.max_distance;
    let hashes: Vec<u64> = seen.iter().map(|seen| seen.hash).collect();
    let excluded = spec.release.near_duplicates == NearDuplicates::Exclude;
    let pairs: Vec<(usize, usize, u32)> = match excluded {
        true => near_duplicates(&hashes, max_distance).iter().map(|n| (n.left_out, n.stays, n.distance)).collect(),
        false => (0..hashes.len())
            .filter_map(|at| nearest(hashes[at], &hashes[..at], max_distance).map(|(other, bits)| (at, other, bits)))
            .collect(),
    };
    let row = |(at, other, distance): (usize, usize, u32)| {
        let (one, other) = (&seen[at], &seen[other]);
        let mut like = format!("item {}", other.image.item_id);
        if other.hard.category != one.hard.category {
            like += &format!(", which is {}", other.hard.category);
        }
        NearRow { item_id: one.image.item_id.0, like, distance, excluded }
    };
    pairs.into_iter().map(row).collect()
}
