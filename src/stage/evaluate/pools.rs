//! The pools of an evaluation: opened, and held against the targets that are to score them.
//!
//! Does not list images: `source` does. Holds always: a model that mined the pool is no target, by the hash of its
//! weights, whatever it is called.

use std::path::{Path, PathBuf};

use super::EvaluateError;
use crate::domain::{BenchmarkLayout, BenchmarkSource, LabelSpace, MinerRecord, RunSpec};
use crate::source::{OpenedPool, PoolOptions, open_pool};
use crate::store::{ReleaseDir, RunDir};
use crate::work::Context;

/// Opens the pool, and says what was found.
pub fn open(ctx: &Context, path: &Path, options: &PoolOptions) -> Result<OpenedPool, EvaluateError> {
    let opened = open_pool(path, options)?;
    opened.notes.iter().for_each(|note| ctx.progress.note(note));
    Ok(opened)
}

/// The clean twin of a pool: the same categories, whatever set its own layout would have.
pub fn twin(path: &Path, of: &OpenedPool) -> Result<BenchmarkSource, EvaluateError> {
    let options = PoolOptions { categories: Some(of.categories.clone()), ..PoolOptions::default() };
    Ok(open_pool(path, &options)?.source)
}

/// Images of none of the categories: all images below a folder.
pub fn unlabelled(path: &Path, options: &PoolOptions) -> Result<BenchmarkSource, EvaluateError> {
    let options = PoolOptions { layout: Some(BenchmarkLayout::Unlabelled), ..options.clone() };
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
pub fn miners(pool: &OpenedPool) -> Result<Vec<MinerRecord>, EvaluateError> {
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
