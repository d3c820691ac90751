//! The evaluation that a build makes beside its run: the targets of the recipe on the release of its hard set.
//!
//! Holds always: what would stop it is found before any image is made (`check_ahead`); another evaluation that lies
//! there is left alone, and a number follows in the folder's name.

use std::path::Path;

use super::{Ask, EvaluateError, Evaluated, evaluate, pools, score, sources};
use crate::config::EvaluateRecipe;
use crate::domain::{Device, GenerateSpec, RunSpec};
use crate::pool::Pool;
use crate::source::{OpenedPool, open_pool};
use crate::stage::prepare::{Scorers, ready};
use crate::store::{EvaluationDir, beside, numbered};
use crate::work::Context;

/// Names that are tried.
const MOST: usize = 1000;

/// Finds what would stop the evaluation of the run of `spec` later: a target that mines, weights or a library that are
/// missing, a clean twin that is no pool.
pub fn check_ahead(
    ctx: &Context,
    devices: &[Device],
    spec: &RunSpec,
    section: &EvaluateRecipe,
) -> Result<(), EvaluateError> {
    let mut scorers = Scorers::default();
    for def in &section.targets {
        scorers.add(ctx, def, &spec.categories)?;
    }
    for target in &scorers.surrogates {
        if let Some(voter) = spec.voters().into_iter().find(|voter| target.is_same_model(voter)) {
            let (target, surrogate) = (target.name.clone(), voter.name.clone());
            return Err(EvaluateError::TargetMined { target, pool: spec.name.clone(), surrogate });
        }
    }
    // Later calls need no library where everything is scored.
    let is_first = ctx.run.mined(&spec.mining_id()).record()?.is_none();
    if is_first && scorers.surrogates.iter().any(|target| target.model.needs_runtime()) {
        score::on_each(ctx, devices, &mut |ctx| ready(ctx).map(|_| ()))?;
    }
    match &section.clean {
        Some(clean) => pools::twin_of(clean, &spec.categories).map(|_| ()),
        None => Ok(()),
    }
}

/// Evaluates the targets of the recipe on the release that was made of `pool`, with the settings of `hardset evaluate`
/// without options.
pub fn evaluate_beside(
    pool: &Pool,
    devices: &[Device],
    section: &EvaluateRecipe,
    release: &Path,
) -> Result<Evaluated, EvaluateError> {
    let ctx = pool.ctx();
    let ask = Ask { targets: section.targets.clone(), clean: section.clean.clone(), ..Ask::of(release) };
    let opened = open_pool(release, &ask.options)?;
    let first = beside(ctx.run.path(), &format!("evaluation-{}", pool.spec().mining_hash()));
    let mut places = (1..=MOST).map(|number| numbered(&first, number));
    let place = places.find(|place| is_free(&EvaluationDir::at(place), &ask, &opened));
    evaluate(ctx, devices, &ask, Some(&place.unwrap_or(first)))
}

/// Whether there is nothing in the folder, or an evaluation of these pools.
fn is_free(dir: &EvaluationDir, ask: &Ask, opened: &OpenedPool) -> bool {
    let is_same_release = match dir.record_if_any() {
        Ok(record) => record.is_none_or(|record| record.pool.sums_sha256 == opened.key),
        Err(_) => false,
    };
    is_same_release && !dir.is_taken() && are_same(ask, opened, dir)
}

/// Whether the pools that were scored there are those that are asked for.
fn are_same(ask: &Ask, opened: &OpenedPool, dir: &EvaluationDir) -> bool {
    let Ok(sources) = sources(ask, opened, dir) else { return false };
    for (role, source) in sources {
        match dir.run(role).spec_if_any() {
            Ok(None) => {}
            Ok(Some(stored)) if stored.generate.identity() == GenerateSpec::Benchmark(source).identity() => {}
            Ok(Some(_)) | Err(_) => return false,
        }
    }
    true
}
