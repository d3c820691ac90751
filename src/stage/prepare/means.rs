//! What a generator works with: engine, device and, if it is needed and available, ONNX Runtime.
//!
//! Holds always: a run keeps the engine and the kind of device that made its first images, because others round
//! differently.

use std::collections::BTreeMap;

use super::{PrepareError, library};
use crate::domain::{Device, EngineChoice, RunSpec};
use crate::generator::Means;
use crate::pool::planned_shards;
use crate::source::source;
use crate::store::StoreError;
use crate::work::Context;

/// The means for a run. With `--engine auto` the engine of the images that the run already has.
pub fn for_run(ctx: &Context, spec: &RunSpec, shards: usize) -> Result<Means, PrepareError> {
    if source(&spec.generate).diffusion().is_none() {
        return Ok(without_runtime(ctx, EngineChoice::Auto));
    }
    check_engine(ctx, shards)?;
    let mut means = match (ctx.engine, made_by(ctx, shards)?) {
        (EngineChoice::Auto, Some(made_by)) => of_engine(ctx, made_by)?,
        (wanted, _) => of_engine(ctx, wanted)?,
    };
    means.device = match (ctx.device, made_on(ctx, shards)?.as_deref()) {
        (Device::Auto, Some("cpu")) => Device::Cpu,
        (Device::Auto, Some(_)) => Device::Cuda(0),
        (device, _) => device,
    };
    Ok(means)
}

/// The kind of device that made the images of a run of `shards` shards, by their records.
fn made_on(ctx: &Context, shards: usize) -> Result<Option<String>, StoreError> {
    first_fact(ctx, shards, |facts| facts.get("device").cloned())
}

/// The first fact of this kind in the records of the images.
fn first_fact<T>(
    ctx: &Context,
    shards: usize,
    fact: impl Fn(&BTreeMap<String, String>) -> Option<T>,
) -> Result<Option<T>, StoreError> {
    for shard in 0..shards {
        let record = ctx.run.images(shard).record()?;
        if let Some(found) = record.and_then(|record| fact(&record.facts)) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// An error if an engine or a device is asked for by name and the run's images were made by another one.
pub fn check_engine(ctx: &Context, shards: usize) -> Result<(), PrepareError> {
    match (ctx.engine, made_by(ctx, shards)?) {
        (wanted, Some(made_by)) if wanted != EngineChoice::Auto && wanted != made_by => {
            let run = ctx.run_name();
            return Err(PrepareError::OtherEngine { run, made_by: made_by.name(), wanted: wanted.name() });
        }
        _ => {}
    }
    match made_on(ctx, shards)? {
        Some(made_on) if ctx.device != Device::Auto && ctx.device.kind() != made_on => {
            let (run, wanted) = (ctx.run_name(), ctx.device.to_string());
            Err(PrepareError::OtherMaker { run, made_on, wanted })
        }
        _ => Ok(()),
    }
}

/// The engine of a run: the one that is asked for, else the one that made its images, else the choice of `auto` on this
/// machine.
pub fn settled_engine(ctx: &Context, spec: &RunSpec) -> Result<EngineChoice, PrepareError> {
    let shards = planned_shards(&ctx.run, spec)?;
    check_engine(ctx, shards)?;
    match (ctx.engine, made_by(ctx, shards)?) {
        (EngineChoice::Auto, Some(made_by)) => Ok(made_by),
        (EngineChoice::Auto, None) => {
            let runtime = for_run(ctx, spec, shards)?.runtime;
            Ok(if runtime.is_some() { EngineChoice::Ort } else { EngineChoice::Candle })
        }
        (wanted, _) => Ok(wanted),
    }
}

/// The engine that made the images of a run of `shards` shards; `None` if no model has made any yet.
pub fn made_by(ctx: &Context, shards: usize) -> Result<Option<EngineChoice>, StoreError> {
    first_fact(ctx, shards, engine_of)
}

/// The engine that a record names. A record with a sampler and no engine is from the time when candle was the only one.
fn engine_of(facts: &BTreeMap<String, String>) -> Option<EngineChoice> {
    match facts.get("engine") {
        Some(engine) => engine.parse().ok(),
        None => facts.get("sampler").map(|_| EngineChoice::Candle),
    }
}

/// Means with the engine that the command line asks for.
pub fn asked_for(ctx: &Context) -> Result<Means, PrepareError> {
    of_engine(ctx, ctx.engine)
}

fn of_engine(ctx: &Context, engine: EngineChoice) -> Result<Means, PrepareError> {
    let mut means = without_runtime(ctx, engine);
    match engine {
        EngineChoice::Candle => {}
        EngineChoice::Ort => means.runtime = Some(library::ready(ctx)?.runtime),
        EngineChoice::Auto => match library::ready(ctx) {
            Ok(ready) => means.runtime = Some(ready.runtime),
            Err(error) if candle_can(ctx.device) && library::is_absent(&error) => {
                ctx.progress.note(&format!("candle makes the images, which is slower than ONNX Runtime: {error}"));
            }
            Err(error) => return Err(error),
        },
    }
    Ok(means)
}

/// Whether this build has candle for the device.
fn candle_can(device: Device) -> bool {
    match device {
        Device::Cpu | Device::Auto => cfg!(feature = "candle"),
        Device::Cuda(_) => cfg!(feature = "cuda"),
    }
}

fn without_runtime(ctx: &Context, engine: EngineChoice) -> Means {
    Means { device: ctx.device, batch: ctx.batch, engine, runtime: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The one place that reads a record; `facts` as `name=value`.
    fn check(facts: &[&str], expected: Option<EngineChoice>) {
        let facts = facts.iter().filter_map(|fact| fact.split_once('='));
        let facts = facts.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        assert_eq!(engine_of(&facts), expected);
    }

    #[test]
    fn a_record_tells_its_engine_and_without_a_word_it_was_candle() {
        check(&["engine=ort", "sampler=ddim"], Some(EngineChoice::Ort));
        check(&["engine=candle", "sampler=ddim"], Some(EngineChoice::Candle));
        check(&["device=cpu", "sampler=ddim"], Some(EngineChoice::Candle));
        check(&[], None);
        check(&["engine=none", "sampler=ddim"], None);
    }
}
