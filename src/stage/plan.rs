//! plan: categories x sources -> `plan.HASH.parquet`, one row per image to make or read.
//!
//! Does not make or decode images. Holds always: the same spec and images give the same plan, because everything else
//! in a run refers to items by their number in the plan.

use super::prepare::{self, PrepareError};
use crate::config::Recipe;
use crate::domain::{PassedOver, RunSpec, Sha256};
use crate::pool::{UnitKeys, plan_key, shard_ranges, shards_per_group};
use crate::source::{Listing, Rows, SourceError, source};
use crate::store::{self, Check, NewRecord, ShardRecord, StoreError, Unit, measured_rates};
use crate::table::{PlanTable, TableError};
use crate::work::{Context, WorkError, finished};

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Something that the run needs is missing or wrong.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// The source of images cannot be used.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A file of the run cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No threads could be started.
    #[error(transparent)]
    Work(#[from] WorkError),
    /// The plan's table cannot be written.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// The name of the fact in a plan's record.
const NOTES: &str = "notes";

/// The size and cost of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanCost {
    /// Pairs of a category and a nuisance, for a grid of prompts.
    pub pairs: Option<u64>,
    /// Images to make or read.
    pub items: u64,
    /// Files that the plan leaves out.
    pub lost: u64,
    /// Files that are no images by their names.
    pub passed_over: PassedOver,
    /// Categories with at least one item.
    pub categories: u64,
    /// Shards.
    pub shards: u64,
    /// Bytes that the run will store for images; photographs stay where they are.
    pub image_bytes: u64,
    /// Calls of a surrogate or target: items x (surrogates + targets).
    pub inferences: u64,
    /// Hours that one device needs to make the images, by device, from rates measured on this machine.
    pub hours: Vec<(String, f64)>,
    /// Task sheets if every image were hard and the recipe asked people about all of them.
    pub sheets: u64,
    /// What they would cost, and the currency; `None` if the recipe names no reward.
    pub cost: Option<(f64, String)>,
}

/// Lists the source and counts; writes nothing.
pub fn count(ctx: &Context, recipe: &Recipe) -> Result<PlanCost, PlanError> {
    let source = source(&recipe.generate);
    let listing = source.list(&recipe.categories, recipe.seed)?;
    tell(ctx, &listing);
    let Listing { rows, lost, passed_over, .. } = listing;
    let items = rows.len();
    let shard_items = recipe.shard_items.unwrap_or_else(|| source.default_shard_items(items));
    let rates =
        source.diffusion().map_or_else(Vec::new, |diffusion| measured_rates(ctx.data.cache(), &diffusion.workload()));
    let hours = rates.into_iter().map(|(device, rate)| (device, items as f64 / rate / 3600.0)).collect();
    let annotate = &recipe.annotate;
    let asked = annotate.max_items.map_or(items, |most| items.min(most as usize));
    let sheets = asked.div_ceil(annotate.candidates_per_batch() as usize) as u64 * u64::from(annotate.people_per_batch);
    let cost = (annotate.pay.reward > 0.0).then(|| (annotate.cost(sheets), annotate.pay.currency.clone()));
    let pairs = if let Rows::Grid(grid) = &rows { Some(grid.pairs()) } else { None };
    Ok(PlanCost {
        pairs,
        items: items as u64,
        lost: lost.len() as u64,
        passed_over,
        categories: rows.categories(),
        shards: items.div_ceil(shard_items as usize) as u64,
        image_bytes: source.stored_bytes(items as u64),
        inferences: (items * (recipe.mine.surrogates.len() + recipe.mine.targets.len())) as u64,
        hours,
        sheets,
        cost,
    })
}

/// Makes the plan unless it exists. Stores the spec before the plan, so that a run directory always has the spec of its
/// contents.
pub fn plan(ctx: &Context, recipe: &Recipe) -> Result<RunSpec, PlanError> {
    let source_of_recipe = source(&recipe.generate);
    let (unit, key) = (ctx.run.plan(), plan_key(recipe.seed, &recipe.categories, &recipe.generate));
    let stored = ctx.run.spec_if_any()?;
    let is_planned = stored.is_some() && finished(ctx, &unit, key, Check::Hashes)?.is_some();
    let listing = if is_planned { None } else { Some(source_of_recipe.list(&recipe.categories, recipe.seed)?) };
    let items = listing.as_ref().map_or(0, |listing| listing.rows.len());
    let shard_items =
        stored.as_ref().map_or_else(|| source_of_recipe.default_shard_items(items), |stored| stored.shard_items);
    let spec = prepare::resolve(ctx, recipe, shard_items)?;
    if let Some(stored) = &stored {
        prepare::adopt(stored, &spec, &ctx.run_name())?;
    }
    source(&spec.generate).check()?;
    // The stored spec keeps its mining until the next one is made; `mine` stores that.
    let mine = stored.map_or_else(|| spec.mine.clone(), |stored| stored.mine);
    ctx.run.write_spec(&RunSpec { mine, ..spec.clone() })?;
    if let Some(listing) = listing {
        tell(ctx, &listing);
        commit(ctx, &spec, &unit, key, listing)?;
    }
    Ok(spec)
}

/// Files that the plan of a run passed over; none if the run has no plan.
pub fn passed_over(plan: Option<&ShardRecord>) -> PassedOver {
    let fact = plan.and_then(|plan| plan.facts.get(PassedOver::FACT));
    fact.and_then(|fact| serde_json::from_str(fact).ok()).unwrap_or_default()
}

/// What people should know about the plan of a run.
pub fn notes(plan: Option<&ShardRecord>) -> Vec<String> {
    let fact = plan.and_then(|plan| plan.facts.get(NOTES));
    fact.and_then(|fact| serde_json::from_str(fact).ok()).unwrap_or_default()
}

/// Says what people should know about a listing, where it is made.
fn tell(ctx: &Context, listing: &Listing) {
    listing.notes.iter().for_each(|note| ctx.progress.note(note));
    if !listing.passed_over.is_empty() {
        ctx.progress.note(&format!("{}; images are known by their extensions", listing.passed_over.words()));
    }
}

/// An error if the plan is made again, because it was damaged or lost, and would come out otherwise than when the
/// images were made: every item would be another one, with the predictions and verdicts of the old.
fn check_again(ctx: &Context, spec: &RunSpec, plan: &ShardRecord) -> Result<(), StoreError> {
    if !ctx.run.has_images() {
        return Ok(());
    }
    for (shard, range) in shard_ranges(plan.rows.kept as usize, spec.shard_items).iter().enumerate() {
        let Some(images) = ctx.run.images(shard).record()? else { continue };
        if images.key != UnitKeys::of(spec).images(plan, range) {
            let problem = "it cannot be made again as it was: the source of the images has changed since then";
            let unit = ctx.run.plan();
            return Err(StoreError::Damaged {
                path: unit.record_path().display().to_string(),
                problem: problem.to_owned(),
                remedy: "restore the plan from a copy, or start a new run with another --run-dir".to_owned(),
            });
        }
        return Ok(());
    }
    Ok(())
}

fn commit(ctx: &Context, spec: &RunSpec, unit: &Unit, key: Sha256, listing: Listing) -> Result<(), PlanError> {
    let Listing { rows, lost, passed_over, notes } = listing;
    let (kept, dropped) = (rows.len() as u64, lost.len() as u64);
    let counts = store::RowCounts { given: kept + dropped, kept, dropped, failed: 0 };
    // A plan of which there is nothing to say has no facts: its record is that of programs that said nothing.
    let other_files = (!passed_over.is_empty()).then(|| (PassedOver::FACT, serde_json::json!(passed_over)));
    let notes = (!notes.is_empty()).then(|| (NOTES, serde_json::json!(notes)));
    let facts = other_files.into_iter().chain(notes).map(|(name, fact)| (name.to_owned(), fact.to_string())).collect();
    let record = NewRecord { key, rows: counts, lost, facts, sums: None };
    let mut table = unit.start("parquet")?;
    let shard_items = spec.shard_items as usize;
    let group_rows = shard_items * shards_per_group(rows.len().div_ceil(shard_items));
    let threads = ctx.thread_pool()?;
    // The error of the table names neither the file nor a full disk.
    let written = threads.install(|| PlanTable::write(&mut table, rows.len(), group_rows, |part| rows.part(part)));
    if let Err(error) = written {
        return Err(table.failure().map_or(error.into(), PlanError::from));
    }
    check_again(ctx, spec, &unit.preview(&table, record.clone())?)?;
    unit.commit_started(table, record)?;
    Ok(())
}
