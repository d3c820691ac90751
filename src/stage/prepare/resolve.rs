//! A checked recipe -> the spec of a run: weights found or fetched, hashes filled in; and whether an existing run may
//! continue with it.
//!
//! Holds always: a run never changes its pool, because its predictions and answers belong to that pool; its mining may
//! change.

use super::PrepareError;
use super::weights::{find_weights, find_zero_shot};
use crate::config::{MineRecipe, ModelDef, Recipe, SurrogateDef};
use crate::domain::{MineSpec, RunSpec, SurrogateModel, SurrogateSpec};
use crate::source::with_model;
use crate::store::FORMAT;
use crate::work::Context;

/// Name and version of this program, as runs and releases have it.
pub const TOOL: &str = concat!("hardset ", env!("CARGO_PKG_VERSION"));

/// The spec of `recipe`; `shard_items` is used if the recipe does not set it.
pub fn resolve(ctx: &Context, recipe: &Recipe, shard_items: u32) -> Result<RunSpec, PrepareError> {
    let MineRecipe { surrogates, targets, select, batch } = &recipe.mine;
    let targets_named = targets.iter().map(|def| def.name.clone()).collect();
    let surrogates =
        surrogates.iter().chain(targets).map(|def| resolve_surrogate(ctx, def)).collect::<Result<_, _>>()?;
    let spec = RunSpec {
        format: FORMAT,
        tool: TOOL.to_owned(),
        name: recipe.name.clone(),
        seed: recipe.seed,
        shard_items: recipe.shard_items.unwrap_or(shard_items),
        generate: with_model(&recipe.generate, |model| super::model::find(ctx, model))?,
        mine: MineSpec { batch: *batch, select: select.clone(), targets: targets_named, surrogates },
        annotate: recipe.annotate.clone(),
        release: recipe.release.clone(),
        categories: recipe.categories.clone(),
    };
    check_targets(&spec)?;
    Ok(spec)
}

/// An error if a target votes, because a model scores low by construction on images that it helped to select.
pub fn check_targets(spec: &RunSpec) -> Result<(), PrepareError> {
    match spec.voting_target() {
        None => Ok(()),
        Some((target, voter)) => Err(PrepareError::TargetVotes { target: target.to_owned(), voter: voter.to_owned() }),
    }
}

/// A surrogate with its weights found, or fetched if the manifest has a source, and hashed.
pub fn resolve_surrogate(ctx: &Context, def: &SurrogateDef) -> Result<SurrogateSpec, PrepareError> {
    let model = match &def.model {
        ModelDef::Fake(fake) => SurrogateModel::Fake(fake.clone()),
        ModelDef::ZeroShot(zero_shot) => SurrogateModel::ZeroShot(Box::new(find_zero_shot(ctx, &def.name, zero_shot)?)),
        ModelDef::Onnx(onnx) => SurrogateModel::Onnx(Box::new(find_weights(ctx, &def.name, onnx)?)),
    };
    Ok(SurrogateSpec { name: def.name.clone(), model })
}

/// Checks that the run of `stored` may continue as `spec`: the pool must be the same, the mining may differ.
pub fn adopt(stored: &RunSpec, spec: &RunSpec, run: &str) -> Result<(), PrepareError> {
    let differs = [
        ("name", stored.name != spec.name),
        ("seed", stored.seed != spec.seed),
        ("shard_items", stored.shard_items != spec.shard_items),
        ("categories", stored.categories != spec.categories),
        ("[generate]", stored.generate.identity() != spec.generate.identity()),
    ];
    match differs.iter().find(|(_, differs)| *differs) {
        Some((key, _)) => Err(PrepareError::OtherPool {
            run: run.to_owned(),
            difference: format!("`{key}` differs from its spec.toml"),
        }),
        None => Ok(()),
    }
}
