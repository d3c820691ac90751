//! A checked recipe -> the spec of a run: weights found or fetched, hashes filled in; and whether an existing run may
//! continue with it.
//!
//! Holds always: a run never changes its pool, because its predictions and answers belong to that pool; its mining may
//! change.

use super::PrepareError;
use super::weights::{find_predictions, find_weights, find_zero_shot};
use crate::config::{ImportedDef, MineRecipe, ModelDef, Recipe, SurrogateDef};
use crate::domain::{
    CATEGORIES, CategorySet, ClassSpace, IMAGENET_1K, ImportedModel, MineSpec, RunSpec, SurrogateModel, SurrogateSpec,
};
use crate::source::with_model;
use crate::store::FORMAT;
use crate::work::Context;

/// Name and version of this program, as runs and releases have it.
pub const TOOL: &str = concat!("hardset ", env!("CARGO_PKG_VERSION"));

/// The spec of `recipe`; `shard_items` is used if the recipe does not set it.
pub fn resolve(ctx: &Context, recipe: &Recipe, shard_items: u32) -> Result<RunSpec, PrepareError> {
    let MineRecipe { surrogates, targets, select, batch } = &recipe.mine;
    let targets_named = targets.iter().map(|def| def.name.clone()).collect();
    let mut scorers = Scorers::default();
    for def in surrogates.iter().chain(targets) {
        scorers.add(ctx, def, &recipe.categories)?;
    }
    let Scorers { surrogates, spaces } = scorers;
    let spec = RunSpec {
        format: FORMAT,
        tool: TOOL.to_owned(),
        name: recipe.name.clone(),
        seed: recipe.seed,
        shard_items: recipe.shard_items.unwrap_or(shard_items),
        generate: with_model(&recipe.generate, |model| super::model::find(ctx, model))?,
        mine: MineSpec {
            batch: *batch,
            select: select.clone(),
            targets: targets_named,
            keep_scores: false,
            surrogates,
            spaces,
        },
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

/// The scorers of a run, and the lists of classes over which they speak.
#[derive(Debug, Default)]
pub struct Scorers {
    /// The scorers.
    pub surrogates: Vec<SurrogateSpec>,
    /// The lists.
    pub spaces: Vec<ClassSpace>,
}

impl Scorers {
    /// Adds a surrogate with its weights found, or fetched if the manifest has a source, and hashed. One of the same
    /// name gives way to it.
    pub fn add(&mut self, ctx: &Context, def: &SurrogateDef, set: &CategorySet) -> Result<(), PrepareError> {
        self.surrogates.retain(|known| known.name != def.name);
        self.spaces.retain(|space| self.surrogates.iter().any(|known| known.space == space.name));
        let space = def.space(set)?;
        let model = model(ctx, def, &space)?;
        self.surrogates.push(SurrogateSpec { name: def.name.clone(), space: space.name.clone(), model });
        if ![IMAGENET_1K, CATEGORIES].contains(&space.name.as_str()) {
            self.add_list(space)?;
        }
        Ok(())
    }

    fn add_list(&mut self, space: ClassSpace) -> Result<(), PrepareError> {
        match self.spaces.iter().find(|known| known.name == space.name) {
            None => self.spaces.push(space),
            Some(known) if *known == space => {}
            Some(_) => return Err(PrepareError::OtherClasses { space: space.name }),
        }
        Ok(())
    }
}

/// A surrogate without a run, for looking at its model.
pub fn resolve_alone(ctx: &Context, def: &SurrogateDef) -> Result<SurrogateSpec, PrepareError> {
    let space = def.space_alone()?;
    let model = model(ctx, def, &space)?;
    Ok(SurrogateSpec { name: def.name.clone(), space: space.name, model })
}

fn model(ctx: &Context, def: &SurrogateDef, space: &ClassSpace) -> Result<SurrogateModel, PrepareError> {
    Ok(match &def.model {
        ModelDef::Fake(fake) => SurrogateModel::Fake(fake.clone()),
        ModelDef::Imported(imported) => {
            let ImportedDef { path, scores, offset, column } = imported.clone();
            SurrogateModel::Imported(ImportedModel {
                file: find_predictions(&def.name, &path)?,
                scores,
                offset,
                column,
            })
        }
        ModelDef::ZeroShot(zero_shot) => {
            let names = zero_shot.text.names(space, &def.file)?;
            SurrogateModel::ZeroShot(Box::new(find_zero_shot(ctx, &def.name, zero_shot, names)?))
        }
        ModelDef::Onnx(onnx) => SurrogateModel::Onnx(Box::new(find_weights(ctx, &def.name, onnx)?)),
    })
}

/// Checks that the run of `stored` may continue as `spec`: the pool must be the same, the mining may differ.
pub fn adopt(stored: &RunSpec, spec: &RunSpec, run: &str) -> Result<(), PrepareError> {
    let differs = [
        ("name", stored.name != spec.name),
        ("seed", stored.seed != spec.seed),
        ("shard_items", stored.shard_items != spec.shard_items),
        ("categories", !are_same(&stored.categories, &spec.categories)),
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

/// Whether both are the same categories; comments in their file, and what they accept in other class spaces, may
/// differ.
fn are_same(a: &CategorySet, b: &CategorySet) -> bool {
    a.name == b.name && a.identity() == b.identity()
}
