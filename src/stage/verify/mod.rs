//! verify: checks every file of a run against its record, every record against what it was made from, every table
//! against those that it follows from, and photographs against the hashes that pin them.
//!
//! Holds always: changes nothing and needs no lock, because damage must be seen before it is repaired, and in an
//! archive too; every problem names the file and what to do.

mod evaluation;
mod people;
mod photographs;
mod release;
mod verified;

use std::collections::BTreeSet;

use crate::domain::{DropRow, ItemId, RunSpec, Sha256};
use crate::pool::{UnitKeys, dropped_key, mining_key, plan_key, shard_ranges};
use crate::stage::prepare::check_weights;
use crate::store::{ShardRecord, StoreError};
use crate::table::{PlanTable, TableError, dropped_table, images_table, predictions_table, read_hard};
use crate::work::{Context, WorkError};
use photographs::Photographs;

pub use evaluation::verify_evaluation;
pub use release::verify_release;
pub use verified::Verified;

/// Why nothing can be verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// A file cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A table cannot be read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The work was stopped.
    #[error(transparent)]
    Work(#[from] WorkError),
}

/// Records that others follow from: their hashes and losses. A damaged one is missing here.
#[derive(Default)]
struct Followed {
    images: Vec<Sha256>,
    /// One list for each scorer of the mining.
    predictions: Vec<Vec<Sha256>>,
    lost: Vec<DropRow>,
    /// Whether a record is missing, so that keys of what follows cannot be computed.
    has_gap: bool,
}

/// Checks the whole run.
pub fn verify(ctx: &Context) -> Result<Verified, VerifyError> {
    let spec = ctx.run.spec()?;
    let mut verified = Verified::begun();
    people::verify(ctx, &mut verified)?;
    let unit = ctx.run.plan();
    let plan = verified.unit(&unit, Some(plan_key(spec.seed, &spec.categories, &spec.generate)));
    let Some(plan) = plan else { return Ok(verified.end()) };
    verified.rows(&unit, &plan, |path| Ok(PlanTable::open(path)?.len()));
    let mut followed = Followed { predictions: vec![Vec::new(); spec.scored().len()], ..Followed::default() };
    followed.lost.extend(plan.lost.iter().cloned());
    let ranges = shard_ranges(plan.rows.kept as usize, spec.shard_items);
    ctx.progress.start("verify", ranges.len() as u64);
    let photographs = Photographs::of(ctx, &spec, &mut verified)?;
    let mut run = Run { ctx, spec: &spec, keys: UnitKeys::of(&spec), photographs };
    for (shard, range) in ranges.iter().enumerate() {
        ctx.check_stop()?;
        let images = verified.unit(&ctx.run.images(shard), Some(run.keys.images(&plan, range)));
        run.shard(shard, images.as_ref(), &mut followed, &mut verified)?;
        ctx.progress.advance(1);
    }
    ctx.progress.finish();
    run.photographs.into_iter().for_each(|photographs| photographs.end(&mut verified));
    verify_weights(&spec, &mut verified);
    verify_others(ctx, &spec, ranges.len(), &mut verified);
    // The run inside an evaluation has targets only, and selects nothing.
    if !spec.voters().is_empty() {
        verify_dropped(ctx, &plan, &mut followed, &mut verified);
        verify_minings(ctx, &spec, &plan, &followed, &mut verified)?;
    }
    Ok(verified.end())
}

/// The run, its recipe, its keys, and the images that are not in its folder.
struct Run<'a> {
    ctx: &'a Context<'a>,
    spec: &'a RunSpec,
    keys: UnitKeys<'a>,
    photographs: Option<Photographs<'a>>,
}

impl Run<'_> {
    /// Checks the tables of a shard, and its photographs; `images`: the record of its images, if they are right.
    fn shard(
        &mut self,
        shard: usize,
        images: Option<&ShardRecord>,
        followed: &mut Followed,
        verified: &mut Verified,
    ) -> Result<(), WorkError> {
        let Self { ctx, spec, keys, photographs } = self;
        let (mut ids, mut image_rows) = (BTreeSet::new(), Vec::new());
        let lost_before = followed.lost.len();
        match images {
            Some(record) => {
                verified.rows(&ctx.run.images(shard), record, |path| {
                    image_rows = images_table::decode(path)?;
                    ids = image_rows.iter().map(|row| row.item_id).collect();
                    Ok(ids.len())
                });
                followed.images.push(record.hash());
                followed.lost.extend(record.lost.iter().cloned());
            }
            None => followed.has_gap = true,
        }
        for (at, scorer) in spec.scored().into_iter().enumerate() {
            let unit = ctx.run.predictions(&scorer.name, shard);
            let key = images.map(|images| keys.predictions(images, scorer));
            let Some(record) = verified.unit(&unit, key) else {
                followed.has_gap = true;
                continue;
            };
            let mut strangers = 0;
            verified.rows(&unit, &record, |path| {
                let rows = predictions_table::decode(path)?;
                strangers = rows.iter().filter(|row| !ids.contains(&row.item_id)).count();
                Ok(rows.len())
            });
            if strangers > 0 && images.is_some() {
                verified.wrong(&unit.record_path(), &format!("{strangers} of its items have no image"));
            }
            followed.predictions[at].push(record.hash());
            followed.lost.extend(record.lost);
        }
        let Some(photographs) = photographs else { return Ok(()) };
        let lost: BTreeSet<ItemId> = followed.lost[lost_before..].iter().map(|row| row.item_id).collect();
        image_rows.retain(|row| !lost.contains(&row.item_id));
        photographs.check(&image_rows)
    }
}

/// Compares the weights of the scorers, where they still are, with those that made the predictions.
fn verify_weights(spec: &RunSpec, verified: &mut Verified) {
    for scorer in spec.scored() {
        let paths = scorer.model.paths();
        if paths.is_empty() || !paths.iter().all(|path| path.exists()) {
            continue;
        }
        if let Err(error) = check_weights(scorer) {
            let what =
                "its predictions are of other weights; restore these, or run `hardset build` again to score anew";
            verified.problems.push(format!("{error}: {what}"));
        }
    }
}

/// Checks the predictions of scorers that the current mining does not use, where there are any.
fn verify_others(ctx: &Context, spec: &RunSpec, shards: usize, verified: &mut Verified) {
    let is_used = |name: &String| spec.scored().iter().any(|scorer| scorer.name == *name);
    let predicted = ctx.run.predicted().unwrap_or_else(|error| {
        verified.damaged(&error);
        Vec::new()
    });
    for name in predicted.into_iter().filter(|name| !is_used(name)) {
        for shard in 0..shards {
            let unit = ctx.run.predictions(&name, shard);
            if !matches!(unit.record(), Ok(None)) {
                verified.unit(&unit, None);
            }
        }
    }
}

fn verify_dropped(ctx: &Context, plan: &ShardRecord, followed: &mut Followed, verified: &mut Verified) {
    followed.lost.sort();
    followed.lost.dedup();
    let of_scorers = followed.predictions.iter().flatten().copied();
    let records: Vec<Sha256> = [plan.hash()].into_iter().chain(followed.images.clone()).chain(of_scorers).collect();
    let unit = ctx.run.dropped();
    let key = (!followed.has_gap).then(|| dropped_key(&records));
    let Some(record) = verified.unit(&unit, key) else { return };
    verified.link(&ctx.run, &ctx.run.dropped_table(), &unit, &record);
    let rows = unit.file(&record, "parquet").map(|path| dropped_table::decode(&path));
    match rows {
        Ok(Ok(rows)) if rows == followed.lost || followed.has_gap => {}
        Ok(Ok(_)) => verified.wrong(&unit.record_path(), "its rows are not those of the records of the shards"),
        Ok(Err(error)) => verified.wrong(&unit.record_path(), &error.to_string()),
        Err(error) => verified.damaged(&error),
    }
}

/// Checks all minings; the current one must be there and follow from the predictions.
fn verify_minings(
    ctx: &Context,
    spec: &RunSpec,
    plan: &ShardRecord,
    followed: &Followed,
    verified: &mut Verified,
) -> Result<(), VerifyError> {
    let current = spec.mining_id();
    let voters: Vec<Sha256> = followed.predictions.iter().take(spec.voters().len()).flatten().copied().collect();
    let mut ids: BTreeSet<String> = ctx.run.minings()?.into_iter().collect();
    ids.insert(current.clone());
    for id in ids {
        let unit = ctx.run.mined(&id);
        let key = (id == current && !followed.has_gap).then(|| mining_key(spec, plan, &followed.images, &voters));
        let Some(record) = verified.unit(&unit, key) else { continue };
        if id != current {
            continue;
        }
        verified.link(&ctx.run, &ctx.run.manifest(), &unit, &record);
        if let Err(error) =
            unit.file(&record, "parquet").map_err(VerifyError::from).and_then(|path| Ok(read_hard(&path)?))
        {
            verified.wrong(&unit.record_path(), &error.to_string());
        }
    }
    Ok(())
}
