//! plan: categories x sources -> `plan.parquet`, one row per image to make or read.

use std::collections::BTreeMap;

use super::shards::default_shard_items;
use super::{Context, StageError};
use crate::config::Recipe;
use crate::domain::{GenerateSpec, KeyHasher, RunSpec, Sha256};
use crate::generator::{self, Listing, Rows};
use crate::store::{self, Check, ShardRecord, Unit, measured_rates};
use crate::table::PlanTable;

/// What a plan would come to.
#[derive(Debug, Clone, PartialEq)]
pub struct Counts {
    /// Pairs of a category and a nuisance, for a grid of prompts.
    pub pairs: Option<u64>,
    /// Images to make or read.
    pub items: u64,
    /// Files without a place in the plan.
    pub lost: u64,
    /// Categories with at least one item.
    pub categories: u64,
    /// Shards.
    pub shards: u64,
    /// Bytes that the run will store for images; photographs stay where they are.
    pub image_bytes: u64,
    /// Calls of a surrogate or target: items x (surrogates + targets).
    pub inferences: u64,
    /// Hours that one device needs to make the images, by device, from the rates measured here so far.
    pub hours: Vec<(String, f64)>,
    /// People's task sheets if every image were hard and the recipe asked for all of them.
    pub sheets: u64,
    /// What they would cost, and in what currency; `None` where the recipe names no reward.
    pub cost: Option<(f64, String)>,
}

/// Lists the source and counts, writing nothing.
pub fn count(ctx: &Context, recipe: &Recipe) -> Result<Counts, StageError> {
    let Listing { rows, lost } = generator::list(&recipe.generate, &recipe.categories, recipe.seed)?;
    let items = rows.len();
    let shard_items = recipe.shard_items.unwrap_or_else(|| default_shard_items(items, &recipe.generate));
    let image_bytes = match &recipe.generate {
        GenerateSpec::Folder(_) => 0,
        // PNGs of natural pictures take about two thirds of their pixels.
        GenerateSpec::Diffusion(source) => {
            items as u64 * (2 * u64::from(source.width_px) * u64::from(source.height_px))
        }
        // Noise does not compress; a tar adds a header and padding to each member.
        GenerateSpec::Fake(fake) => items as u64 * (3 * u64::from(fake.size_px).pow(2) + 1024),
    };
    let hours = match &recipe.generate {
        GenerateSpec::Diffusion(source) => measured_rates(ctx.data.cache(), &source.workload()),
        GenerateSpec::Folder(_) | GenerateSpec::Fake(_) => Vec::new(),
    };
    let hours = hours.into_iter().map(|(device, rate)| (device, items as f64 / rate / 3600.0)).collect();
    let annotate = &recipe.annotate;
    let asked = annotate.max_items.map_or(items, |most| items.min(most as usize));
    let sheets = asked.div_ceil(annotate.candidates_per_batch() as usize) as u64 * u64::from(annotate.people_per_batch);
    let cost = (annotate.pay.reward > 0.0).then(|| (annotate.cost(sheets), annotate.pay.currency.clone()));
    let pairs = if let Rows::Grid(grid) = &rows { Some(grid.pairs()) } else { None };
    Ok(Counts {
        pairs,
        items: items as u64,
        lost: lost.len() as u64,
        categories: rows.categories(),
        shards: items.div_ceil(shard_items as usize) as u64,
        image_bytes,
        inferences: (items * (recipe.mine.surrogates.len() + recipe.mine.targets.len())) as u64,
        hours,
        sheets,
        cost,
    })
}

/// Makes the plan unless it is there, and stores the spec: before the plan, so that a run directory always says what
/// it is for.
pub fn plan(ctx: &Context, recipe: &Recipe) -> Result<RunSpec, StageError> {
    let (unit, key) = (ctx.run.plan(), key(recipe));
    let stored = ctx.run.spec_if_any()?;
    let listing = match &stored {
        Some(_) if unit.done(key, Check::Hashes).is_some() => None,
        _ => Some(generator::list(&recipe.generate, &recipe.categories, recipe.seed)?),
    };
    let items = listing.as_ref().map_or(0, |listing| listing.rows.len());
    let shard_items =
        stored.as_ref().map_or_else(|| default_shard_items(items, &recipe.generate), |stored| stored.shard_items);
    let spec = super::resolve(ctx, recipe, shard_items)?;
    if let Some(stored) = &stored {
        super::adopt(stored, &spec, &ctx.run.path().display().to_string())?;
    }
    generator::check(&spec.generate)?;
    // The mining that a run says it has stays until the next one is made (`mine` stores it then).
    let mine = stored.map_or_else(|| spec.mine.clone(), |stored| stored.mine);
    ctx.run.write_spec(&RunSpec { mine, ..spec.clone() })?;
    listing.map_or(Ok(()), |listing| commit((&unit, key), listing, spec.shard_items))?;
    Ok(spec)
}

fn key(recipe: &Recipe) -> Sha256 {
    KeyHasher::new()
        .field("stage", "plan 1")
        .field("seed", recipe.seed.to_le_bytes())
        .field("categories", recipe.categories.sha256.to_string())
        .field("generate", recipe.generate.identity())
        .finish()
}

fn commit((unit, key): (&Unit, Sha256), listing: Listing, shard_items: u32) -> Result<(), StageError> {
    let (kept, dropped) = (listing.rows.len() as u64, listing.lost.len() as u64);
    let counts = store::Rows { given: kept + dropped, kept, dropped, failed: 0 };
    let record = ShardRecord { key, rows: counts, files: Vec::new(), lost: listing.lost, facts: BTreeMap::new() };
    unit.commit(
        &[("parquet", PlanTable::encode(listing.rows.len(), shard_items, |part| listing.rows.part(part))?)],
        record,
    )?;
    Ok(())
}
