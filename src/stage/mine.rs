//! mine: score what is not scored yet, select by the rule, write down what was lost.

use super::resolve::check_targets;
use super::shards::{Part, Tally, ranges};
use super::{Context, Scored, Selected, StageError, generated, score, select, write_dropped};
use super::{library, means};
use crate::config::ConfigError;
use crate::domain::{GenerateSpec, LabelSpace, RunSpec, SurrogateModel, SurrogateSpec};
use crate::store::Check;

/// What a mining did.
#[derive(Debug, Clone)]
pub struct Mining {
    /// For each selected surrogate and each target, what was scored just now and what was there.
    pub scored: Vec<Scored>,
    /// The selection.
    pub selected: Selected,
    /// Rows of `dropped.parquet`.
    pub dropped: u64,
}

/// What can be known to stop a mining before hours are spent on images: a target that votes; a library that is missing
/// (and is fetched, where it can be) or unusable; a device that models cannot run on. Nothing is looked for where no
/// model has anything left to do.
pub fn prepare(ctx: &Context, spec: &RunSpec) -> Result<(), StageError> {
    check_targets(spec)?;
    if generation_waits(ctx, spec)? {
        means::for_run(ctx, spec, planned_shards(ctx, spec))?;
    }
    if scoring_waits(ctx, spec) {
        library::ready(ctx)?;
    }
    Ok(())
}

/// Shards of the plan; none where there is no plan.
pub(super) fn planned_shards(ctx: &Context, spec: &RunSpec) -> usize {
    let planned = ctx.run.plan().record().map_or(0, |record| record.rows.kept as usize);
    ranges(planned, spec.shard_items).len()
}

/// Whether an ONNX model has images left to score.
fn scoring_waits(ctx: &Context, spec: &RunSpec) -> bool {
    let shards = planned_shards(ctx, spec);
    let unscored = |name: &str| (0..shards).any(|shard| ctx.run.predictions(name, shard).record().is_none());
    let onnx = |scored: &SurrogateSpec| matches!(scored.model, SurrogateModel::Onnx(_));
    spec.scored().into_iter().any(|scored| onnx(scored) && unscored(&scored.name))
}

/// Whether a diffusion model has images left to make.
fn generation_waits(ctx: &Context, spec: &RunSpec) -> Result<bool, StageError> {
    if !matches!(spec.generate, GenerateSpec::Diffusion(_)) {
        return Ok(false);
    }
    let (made, all) = generated(ctx, spec)?;
    Ok(made < all)
}

/// Mines with the spec's current selection; `images` is what `generate` returned.
pub fn mine(ctx: &Context, spec: &RunSpec, images: &Tally, check: Check) -> Result<Mining, StageError> {
    check_space(spec)?;
    let scored = score(ctx, spec, &images.records, check, Part::WHOLE)?;
    // Only now: a surrogate that is refused leaves the run as it was.
    ctx.run.write_spec(spec)?;
    let dropped = write_dropped(ctx, spec, images, &scored)?;
    let selected = select(ctx, spec)?;
    Ok(Mining { scored, selected, dropped })
}

/// Among a single class every answer is right: nothing could be hard.
fn check_space(spec: &RunSpec) -> Result<(), StageError> {
    let classes = spec.categories.all_ids().len();
    match spec.mine.select.label_space {
        LabelSpace::Masked if classes < 2 => {
            let problem =
                format!("is masked, but `{}` accepts {classes} class(es) in all; use any-of-ids", spec.categories.name);
            Err(ConfigError::value("the recipe", "mine.label_space", problem).into())
        }
        _ => Ok(()),
    }
}
