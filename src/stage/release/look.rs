//! Looks at every image once: it must be the one that was pinned, and decode; its perceptual hash finds near duplicates.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::choose::{LeftOut, Reason};
use crate::domain::{ImageRow, ItemId, RunSpec};
use crate::imaging;
use crate::stage::planned::Planned;
use crate::stage::{Context, StageError, images};
use crate::table::{HardRow, images_table};

/// Images that are looked at between two looks at the signals.
const BLOCK: usize = 64;

/// An item whose image is there.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The mining's row.
    pub hard: HardRow,
    /// Its image.
    pub image: ImageRow,
    /// The shard of the run in which it is.
    pub shard: usize,
    /// Ending of the file's name, by its content.
    pub extension: &'static str,
    /// Perceptual hash.
    pub hash: u64,
}

/// Looks at the images of `items` (ascending); those that cannot be used are left out.
pub fn look(ctx: &Context, spec: &RunSpec, items: Vec<HardRow>) -> Result<(Vec<Seen>, Vec<LeftOut>), StageError> {
    images::check_source(spec)?;
    let wanted: BTreeMap<ItemId, HardRow> = items.into_iter().map(|row| (row.item_id, row)).collect();
    let pool = ctx.pool()?;
    let (mut seen, mut left_out) = (Vec::with_capacity(wanted.len()), Vec::new());
    ctx.progress.start("look at images", wanted.len() as u64);
    for shard in 0..Planned::open(ctx, spec)?.ranges.len() {
        let mut rows = images_table::decode(&ctx.run.images(shard).file("parquet"))?;
        rows.retain(|row| wanted.contains_key(&row.item_id));
        for block in rows.chunks(BLOCK) {
            ctx.check_stop()?;
            let looked: Vec<_> = pool.install(|| block.par_iter().map(|row| examine(ctx, spec, row)).collect());
            for (image, looked) in block.iter().zip(looked) {
                let hard = wanted[&image.item_id].clone();
                match looked {
                    Ok((extension, hash)) => seen.push(Seen { hard, image: image.clone(), shard, extension, hash }),
                    Err(problem) => left_out.push(LeftOut::new(&hard, Reason::Unreadable, problem)),
                }
            }
            ctx.progress.advance(block.len() as u64);
        }
    }
    ctx.progress.finish();
    Ok((seen, left_out))
}

fn examine(ctx: &Context, spec: &RunSpec, row: &ImageRow) -> Result<(&'static str, u64), String> {
    let bytes = images::read_bytes(&ctx.run, spec, row)?;
    let picture = imaging::decode(&bytes, &images::limits(spec)).map_err(|e| e.to_string())?;
    Ok((imaging::extension(&bytes), imaging::perceptual_hash(&picture)))
}
