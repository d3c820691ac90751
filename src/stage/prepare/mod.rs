//! prepare: checks what a run needs before hours are spent on it: weights and models (found or fetched, with the right
//! hashes), a usable library, an engine and a device.
//!
//! Does not make images or predictions. Holds always: the requested device and engine are used, or there is an error;
//! only `auto` chooses, and reports its choice, because a run that silently uses the CPU costs people days.

mod error;
mod library;
mod means;
mod model;
mod resolve;
mod weights;

use crate::domain::RunSpec;
use crate::pool::{generated, planned_shards};
use crate::source::source;
use crate::store::StoreError;
use crate::work::Context;

pub use error::PrepareError;
pub(super) use library::{LibraryFile, all_described, described, find_library, ready};
pub use means::settled_engine;
pub(super) use means::{asked_for, check_engine, for_run, made_by};
pub use model::check as check_model;
pub(super) use model::{find as find_model, look_up as look_up_model};
pub use resolve::TOOL;
pub use resolve::{Scorers, resolve_alone};
pub(super) use resolve::{adopt, resolve};
pub(super) use weights::{check_weights, pinned_note};

/// Finds what would stop the mining later: a target that votes; a library that is missing (and cannot be fetched) or
/// unusable; a device on which models cannot run. Checks nothing for models that have no work left.
pub fn prepare(ctx: &Context, spec: &RunSpec) -> Result<(), PrepareError> {
    resolve::check_targets(spec)?;
    if generation_waits(ctx, spec)? {
        for_run(ctx, spec, planned_shards(&ctx.run, spec)?)?;
    }
    if scoring_waits(ctx, spec)? {
        ready(ctx)?;
    }
    Ok(())
}

/// Whether a diffusion model still has images to make.
fn generation_waits(ctx: &Context, spec: &RunSpec) -> Result<bool, StoreError> {
    if source(&spec.generate).diffusion().is_none() {
        return Ok(false);
    }
    let count = generated(&ctx.run, spec)?;
    Ok(count.done < count.all)
}

/// Whether an ONNX model still has images to score.
fn scoring_waits(ctx: &Context, spec: &RunSpec) -> Result<bool, StoreError> {
    let shards = planned_shards(&ctx.run, spec)?;
    for scorer in spec.scored().into_iter().filter(|scorer| scorer.model.needs_runtime()) {
        for shard in 0..shards {
            if ctx.run.predictions(&scorer.name, shard).record()?.is_none() {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
