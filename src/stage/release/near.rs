//! No image twice: equal files go, and images that merely look alike go too unless the recipe keeps them.
//!
//! Of several the one with the most failing surrogates stays, of equal ones the first in the plan.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::choose::{LeftOut, Reason};
use super::look::Seen;
use crate::domain::{ItemId, NearDuplicates, RunSpec, Sha256};
use crate::generator;
use crate::imaging::{self, DecodeLimits};
use crate::render::release::NearRow;
use crate::stage::{Context, StageError};
use crate::stats::{near_duplicates, nearest};

/// Images that are hashed between two looks at the signals.
const BLOCK: usize = 64;

/// What the search for duplicates came to.
pub struct Thinned {
    /// What stays, by item.
    pub stays: Vec<Seen>,
    /// What was left out.
    pub left_out: Vec<LeftOut>,
    /// All near duplicates that were found, by item.
    pub found: Vec<NearRow>,
}

/// Leaves duplicates out; `folders`: images that the release should not have either.
pub fn thin(ctx: &Context, spec: &RunSpec, seen: Vec<Seen>, folders: &[PathBuf]) -> Result<Thinned, StageError> {
    let others = others(ctx, folders)?;
    let mut seen = seen;
    seen.sort_by_key(|seen| (Reverse(seen.hard.n_failed), seen.image.item_id));
    let (mut seen, mut left_out) = without_equal(seen);
    let mut found = near_rows(spec, &seen, &others);
    if spec.release.near_duplicates == NearDuplicates::Exclude {
        let gone: HashMap<ItemId, &NearRow> = found.iter().map(|row| (ItemId(row.item_id), row)).collect();
        left_out.extend(seen.iter().filter_map(|seen| Some(near(seen, gone.get(&seen.image.item_id)?))));
        seen.retain(|seen| !gone.contains_key(&seen.image.item_id));
    }
    seen.sort_by_key(|seen| seen.image.item_id);
    found.sort_by_key(|row| row.item_id);
    Ok(Thinned { stays: seen, left_out, found })
}

fn near(seen: &Seen, row: &NearRow) -> LeftOut {
    let reason = if row.is_item { Reason::NearDuplicate } else { Reason::NearOther };
    LeftOut::new(&seen.hard, reason, format!("{} of 64 bits from {}", row.distance, row.like))
}

/// Of files with equal bytes the first alone.
fn without_equal(seen: Vec<Seen>) -> (Vec<Seen>, Vec<LeftOut>) {
    let mut first: HashMap<Sha256, ItemId> = HashMap::with_capacity(seen.len());
    let (mut stays, mut left_out) = (Vec::with_capacity(seen.len()), Vec::new());
    for seen in seen {
        let kept = *first.entry(seen.image.sha256).or_insert(seen.image.item_id);
        match kept == seen.image.item_id {
            true => stays.push(seen),
            false => left_out.push(LeftOut::new(&seen.hard, Reason::SameImage, format!("item {kept}"))),
        }
    }
    (stays, left_out)
}

/// Near duplicates of other folders' images, then among the rest those of each other.
fn near_rows(spec: &RunSpec, seen: &[Seen], others: &[(String, u64)]) -> Vec<NearRow> {
    let release = &spec.release;
    let excluded = release.near_duplicates == NearDuplicates::Exclude;
    let hashes: Vec<u64> = others.iter().map(|(_, hash)| *hash).collect();
    let row = |seen: &Seen, is_item: bool, like: String, distance: u32| NearRow {
        item_id: seen.image.item_id.0,
        is_item,
        like,
        distance,
        excluded,
    };
    let mut rows = Vec::new();
    let mut gone = HashSet::new();
    for one in seen {
        if let Some((at, distance)) = nearest(one.hash, &hashes, release.max_distance) {
            rows.push(row(one, false, others[at].0.clone(), distance));
            gone.insert(one.image.item_id);
        }
    }
    let rest: Vec<&Seen> = seen.iter().filter(|seen| !gone.contains(&seen.image.item_id)).collect();
    let hashes: Vec<u64> = rest.iter().map(|seen| seen.hash).collect();
    for near in near_duplicates(&hashes, release.max_distance) {
        let like = format!("item {}", rest[near.stays].image.item_id);
        rows.push(row(rest[near.left_out], true, like, near.distance));
    }
    rows
}

/// Names (`folder/path`) and hashes of the images below the folders; what is no image is passed over with a note.
fn others(ctx: &Context, folders: &[PathBuf]) -> Result<Vec<(String, u64)>, StageError> {
    let pool = ctx.pool()?;
    let mut hashes = Vec::new();
    for folder in folders {
        let paths = generator::images_below(folder)?;
        // `.` and `x/..` have no name of their own.
        let real = folder.canonicalize().unwrap_or_else(|_| folder.clone());
        let called = real.file_name().unwrap_or_default().to_string_lossy();
        ctx.progress.start("compare", paths.len() as u64);
        let mut unread = 0;
        for block in paths.chunks(BLOCK) {
            ctx.check_stop()?;
            let found: Vec<Option<u64>> =
                pool.install(|| block.par_iter().map(|path| hash(&folder.join(path))).collect());
            let name = |path: &String| format!("{called}/{path}");
            hashes.extend(block.iter().zip(&found).filter_map(|(path, hash)| Some((name(path), (*hash)?))));
            unread += found.iter().filter(|hash| hash.is_none()).count();
            ctx.progress.advance(block.len() as u64);
        }
        ctx.progress.finish();
        if unread > 0 {
            ctx.progress.note(&format!("{}: {unread} image(s) cannot be read and were not compared", folder.display()));
        }
    }
    Ok(hashes)
}

fn hash(path: &Path) -> Option<u64> {
    let limits = DecodeLimits::default();
    let size = std::fs::metadata(path).ok()?.len();
    let bytes = if size <= limits.max_file_bytes { std::fs::read(path).ok()? } else { return None };
    imaging::decode(&bytes, &limits).ok().map(|picture| imaging::perceptual_hash(&picture))
}
