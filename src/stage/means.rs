//! What a generator works with: the engine, and ONNX Runtime where that is wanted and can be had.

use super::{Context, StageError, library};
use crate::domain::{Device, EngineChoice, GenerateSpec, RunSpec};
use crate::generator::Means;

/// Means for a run: with `--engine auto` those of the images that are there already, so that one run has one engine.
pub fn for_run(ctx: &Context, spec: &RunSpec, shards: usize) -> Result<Means, StageError> {
    if !matches!(spec.generate, GenerateSpec::Diffusion(_)) {
        return Ok(without_runtime(ctx, EngineChoice::Auto));
    }
    let mut records = (0..shards).filter_map(|shard| ctx.run.images(shard).record());
    let made_by = records.find_map(|mut record| record.facts.remove("engine"));
    let made_by = made_by.and_then(|engine| engine.parse::<EngineChoice>().ok());
    match (ctx.engine, made_by) {
        (EngineChoice::Auto, Some(made_by)) => of_engine(ctx, made_by),
        (wanted, Some(made_by)) if wanted != made_by => {
            let run = ctx.run.path().display().to_string();
            Err(StageError::OtherEngine { run, made_by: made_by.name(), wanted: wanted.name() })
        }
        (wanted, _) => of_engine(ctx, wanted),
    }
}

/// Means with the engine that the command line asks for.
pub fn asked_for(ctx: &Context) -> Result<Means, StageError> {
    of_engine(ctx, ctx.engine)
}

fn of_engine(ctx: &Context, engine: EngineChoice) -> Result<Means, StageError> {
    let mut means = without_runtime(ctx, engine);
    match engine {
        EngineChoice::Candle => {}
        EngineChoice::Ort => means.runtime = Some(library::ready(ctx)?.runtime),
        EngineChoice::Auto => match library::ready(ctx) {
            Ok(ready) => means.runtime = Some(ready.runtime),
            Err(error) if candle_can(ctx.device) => {
                ctx.progress.note(&format!("candle makes the images, slower than ONNX Runtime would: {error}"));
            }
            Err(error) => return Err(error),
        },
    }
    Ok(means)
}

/// Whether candle is there for the device, as far as the build can tell.
fn candle_can(device: Device) -> bool {
    match device {
        Device::Cpu | Device::Auto => cfg!(feature = "candle"),
        Device::Cuda(_) => cfg!(feature = "cuda"),
    }
}

fn without_runtime(ctx: &Context, engine: EngineChoice) -> Means {
    Means { device: ctx.device, batch: ctx.batch, engine, runtime: None }
}
