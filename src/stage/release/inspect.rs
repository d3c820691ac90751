//! Inspects every image once: checks that it is the pinned one and can be decoded, and computes its perceptual hash.
//!
//! Holds always: an image that cannot be used is left out with its reason and stops nothing; an item without a row in
//! the run's tables of images is damage and stops everything, because it would be missing without a reason.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::ReleaseError;
use super::choose::{LeftOut, Reason, damaged};
use crate::domain::{HardRow, ImageRow, ItemId};
use crate::imaging;
use crate::pool::{Pool, RunImages};

/// Images that are inspected between two checks for a signal.
const BLOCK: usize = 64;

/// An item whose image can be released.
#[derive(Debug, Clone)]
pub struct InspectedImage {
    /// The mining's row.
    pub hard: HardRow,
    /// Its image.
    pub image: ImageRow,
    /// Its shard in the run.
    pub shard: usize,
    /// Extension of the file's name, by its content.
    pub extension: &'static str,
    /// Perceptual hash.
    pub hash: u64,
}

/// Items whose images were inspected, and those whose images cannot be used.
pub struct Inspected {
    /// Ascending.
    pub images: Vec<InspectedImage>,
    /// Items whose images cannot be used.
    pub left_out: Vec<LeftOut>,
}

/// Inspects the images of `items` (ascending); `judged`: items that people have judged, which need images too.
pub fn inspect(pool: &Pool, items: Vec<HardRow>, mut judged: BTreeSet<ItemId>) -> Result<Inspected, ReleaseError> {
    pool.check_source()?;
    let ctx = pool.ctx();
    let wanted: BTreeMap<ItemId, HardRow> = items.into_iter().map(|row| (row.item_id, row)).collect();
    let mut missing: BTreeSet<ItemId> = wanted.keys().copied().collect();
    let threads = ctx.thread_pool()?;
    let mut inspected = Inspected { images: Vec::with_capacity(wanted.len()), left_out: Vec::new() };
    ctx.progress.start("inspect images", wanted.len() as u64);
    for shard in 0..pool.shards() {
        let rows = pool.image_rows(shard)?;
        for row in rows.iter() {
            judged.remove(&row.item_id);
        }
        let rows: Vec<&ImageRow> = rows.iter().filter(|row| wanted.contains_key(&row.item_id)).collect();
        for block in rows.chunks(BLOCK) {
            ctx.check_stop()?;
            let inspections: Vec<_> =
                threads.install(|| block.par_iter().map(|row| inspect_one(pool.images(), row)).collect());
            for (&image, inspect_one) in block.iter().zip(inspections) {
                let hard = wanted[&image.item_id].clone();
                if !missing.remove(&image.item_id) {
                    return Err(damaged(pool, format!("item {} has two images", image.item_id)));
                }
                match inspect_one {
                    Ok(Inspection { extension, hash }) => {
                        inspected.images.push(InspectedImage { hard, image: image.clone(), shard, extension, hash });
                    }
                    Err(problem) => inspected.left_out.push(LeftOut::new(&hard, Reason::Unreadable, problem)),
                }
            }
            ctx.progress.advance(block.len() as u64);
        }
    }
    ctx.progress.finish();
    match missing.first().or(judged.first()) {
        Some(item) => Err(damaged(pool, format!("its images/ have no row for item {item}"))),
        None => Ok(inspected),
    }
}

/// The result of inspecting one image.
struct Inspection {
    extension: &'static str,
    hash: u64,
}

fn inspect_one(images: &RunImages, row: &ImageRow) -> Result<Inspection, String> {
    let bytes = images.bytes(row).map_err(|problem| problem.to_string())?;
    let picture = imaging::decode(&bytes, images.limits()).map_err(|e| e.to_string())?;
    Ok(Inspection { extension: imaging::extension(&bytes), hash: imaging::perceptual_hash(&picture) })
}
