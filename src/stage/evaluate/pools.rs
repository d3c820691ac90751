//! The pools of an evaluation: opened, and held against the targets that are to score them.
//!
//! Does not list images: `source` does. Holds always: a model that mined the pool is no target, by the hash of its
//! weights, whatever it is called.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::error::EvaluateError;
use crate::domain::{
    BenchmarkLayout, BenchmarkSource, CategorySet, Cell, ColumnFacts, ColumnKind, ItemId, LabelSpace, MinerRecord,
    MinerRow, RunSpec,
};
use crate::pool::Pool;
use crate::source::{OpenedPool, PoolOptions, open_pool, release_columns};
use crate::store::{ReleaseDir, RunDir};
use crate::table::PoolColumns;
use crate::work::Context;

/// Opens the pool, and says what was found.
pub fn open(ctx: &Context, path: &Path, options: &PoolOptions) -> Result<OpenedPool, EvaluateError> {
    let opened = open_pool(path, options)?;
    opened.notes.iter().for_each(|note| ctx.progress.note(note));
    Ok(opened)
}

/// The clean twin of a pool: the same categories, whatever set its own layout would have.
pub fn twin(path: &Path, of: &OpenedPool) -> Result<BenchmarkSource, EvaluateError> {
    twin_of(path, &of.categories)
}

/// The clean twin of a pool of these categories.
pub fn twin_of(path: &Path, of: &CategorySet) -> Result<BenchmarkSource, EvaluateError> {
    // A release and a run have categories of their own, which must be those of the pool.
    let has_own = ReleaseDir::find(path).is_some() || RunDir::at(path).spec_if_any()?.is_some();
    let categories = (!has_own).then(|| of.clone());
    let twin = open_pool(path, &PoolOptions { categories, ..PoolOptions::default() })?;
    if twin.categories.identity() != of.identity() {
        let (found, wanted) = (twin.categories.name, of.name.clone());
        return Err(EvaluateError::OtherCategories { path: path.display().to_string(), found, wanted });
    }
    Ok(twin.source)
}

/// Images of none of the categories: all images below a folder.
pub fn unlabelled(path: &Path, options: &PoolOptions) -> Result<BenchmarkSource, EvaluateError> {
    let prepared_px = options.prepared_px;
    let options = PoolOptions { layout: Some(BenchmarkLayout::Unlabelled), prepared_px, ..PoolOptions::default() };
    Ok(open_pool(path, &options)?.source)
}

/// The folder of an evaluation, unless another one is asked for.
pub fn default_out(pool: &OpenedPool) -> PathBuf {
    let version = pool.version.as_ref().map_or_else(String::new, |version| format!("-{version}"));
    Path::new("evaluations").join(format!("{}{version}", pool.name))
}

/// The recipe by which the pool was mined, if it is a release or a run.
pub fn recipe(pool: &OpenedPool) -> Result<Option<RunSpec>, EvaluateError> {
    let root = &pool.source.root;
    Ok(match pool.source.layout {
        BenchmarkLayout::Release => ReleaseDir::find(root).map(|release| release.recipe()).transpose()?,
        BenchmarkLayout::Run => Some(RunDir::at(root).spec()?),
        _ => None,
    })
}

/// Who mined the pool.
pub fn surrogates(pool: &OpenedPool) -> Result<Vec<MinerRecord>, EvaluateError> {
    let Some(recipe) = recipe(pool)? else { return Ok(Vec::new()) };
    let miner = |name: &String, weights_sha256, class_space: &String| MinerRecord {
        name: name.clone(),
        weights_sha256,
        class_space: class_space.clone(),
    };
    let voters = recipe.voters();
    Ok(voters.into_iter().map(|voter| miner(&voter.name, voter.weights_sha256(), &voter.space)).collect())
}

/// The label spaces in which a pool is commonly evaluated, the one that orders first: that of its mining; the published
/// one of a benchmark of some of ImageNet's classes, which is masked to them.
pub fn common_spaces(pool: &OpenedPool) -> Result<Vec<LabelSpace>, EvaluateError> {
    let (any, masked) = (LabelSpace::AnyOfIds, LabelSpace::Masked);
    let mined_masked = recipe(pool)?.is_some_and(|recipe| recipe.mine.select.label_space == masked);
    let subsets = ["imagenet-a", "imagenet-r", "objectnet"];
    let is_masked = mined_masked || subsets.contains(&pool.categories.name.as_str());
    Ok(if is_masked { vec![masked, any] } else { vec![any, masked] })
}

/// An error for a target of `spec` that is a surrogate of the pool: the same weights, whatever it is called.
pub fn check_targets(pool: &OpenedPool, spec: &RunSpec) -> Result<(), EvaluateError> {
    let Some(recipe) = recipe(pool)? else { return Ok(()) };
    for target in spec.targets() {
        if let Some(voter) = recipe.voters().into_iter().find(|voter| target.is_same_model(voter)) {
            let (target, surrogate) = (target.name.clone(), voter.name.clone());
            return Err(EvaluateError::TargetMined { target, pool: pool.name.clone(), surrogate });
        }
    }
    Ok(())
}

/// What the surrogates gave for the images that they mined; `columns`: what the images show.
pub fn given(ctx: &Context, pool: &OpenedPool, columns: &PoolColumns) -> Result<Vec<MinerRow>, EvaluateError> {
    let places: HashMap<&str, usize> =
        columns.sha256.iter().enumerate().map(|(place, sha256)| (sha256.as_str(), place)).collect();
    let item = |sha256: &str| places.get(sha256).map(|&place| ItemId(columns.item_id[place]));
    match pool.source.layout {
        BenchmarkLayout::Release => of_release(pool, &item),
        BenchmarkLayout::Run => of_run(ctx, pool, &item),
        _ => Ok(Vec::new()),
    }
}

/// From the columns of a release.
fn of_release(pool: &OpenedPool, item: &dyn Fn(&str) -> Option<ItemId>) -> Result<Vec<MinerRow>, EvaluateError> {
    let column = |name: String, kind| ColumnFacts { name, kind, description: String::new() };
    let names: Vec<String> = surrogates(pool)?.into_iter().map(|miner| miner.name).collect();
    let mut wanted = vec![column("sha256".to_owned(), ColumnKind::Text)];
    for name in &names {
        wanted.push(column(format!("{name}_correct"), ColumnKind::Bool));
        wanted.push(column(format!("{name}_top1_id"), ColumnKind::Int32));
    }
    let (found, cells) = release_columns(&pool.source.root, &wanted)?;
    let mut rows = Vec::new();
    for cells in &cells {
        let Some(Cell::Text(sha256)) = cells.first() else { continue };
        let Some(item_id) = item(sha256) else { continue };
        for (surrogate, cells) in names.iter().zip(cells[1..].chunks(2)) {
            if let [Cell::Bool(correct), Cell::Int32(top1_id)] = *cells {
                rows.push(MinerRow { item_id, surrogate: surrogate.clone(), correct, top1_id });
            }
        }
    }
    Ok(if found.len() == wanted.len() { rows } else { Vec::new() })
}

/// From the predictions of a run.
fn of_run(
    ctx: &Context,
    pool: &OpenedPool,
    item: &dyn Fn(&str) -> Option<ItemId>,
) -> Result<Vec<MinerRow>, EvaluateError> {
    let ctx = Context { run: RunDir::at(&pool.source.root), ..ctx.again() };
    let spec = ctx.run.spec()?;
    let run = Pool::open(&ctx, &spec)?;
    let masked = spec.mine.select.label_space == LabelSpace::Masked;
    let mut rows = Vec::new();
    for shard in 0..run.shards() {
        let images = run.image_rows(shard)?;
        let items: HashMap<ItemId, ItemId> =
            images.iter().filter_map(|row| Some((row.item_id, item(&row.sha256.to_string())?))).collect();
        for voter in spec.voters() {
            for prediction in run.predictions(&voter.name, shard)? {
                let Some(&item_id) = items.get(&prediction.item_id) else { continue };
                let given = if masked { prediction.masked } else { prediction.any };
                let surrogate = voter.name.clone();
                rows.push(MinerRow { item_id, surrogate, correct: given.correct, top1_id: given.top1_id });
            }
        }
    }
    Ok(rows)
}
