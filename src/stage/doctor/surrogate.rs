//! A surrogate's TOML: whether its model loads and works here, and gives the numbers of a reference.

use std::path::Path;

use super::ModelReport;
use crate::config::{ConfigError, SurrogateDef};
use crate::domain::{Precision, SurrogateModel, SurrogateSpec};
use crate::imaging::{self, DecodeLimits, RgbImage};
use crate::input;
use crate::scorer::{Instances, ScorerFactory};
use crate::stage::prepare::{self, PrepareError};
use crate::work::Context;

/// The largest photograph of a reference, in bytes.
const PHOTO_BYTES: u64 = 64 << 20;

/// Describes the surrogate in the TOML `file`, and compares it with `reference`.
pub fn doctor(
    ctx: &Context,
    file: &Path,
    reference: Option<&Path>,
    precision: Precision,
) -> Result<ModelReport, PrepareError> {
    let text = file.display().to_string();
    if precision != Precision::Auto {
        let problem = "is for diffusion models; a surrogate computes in the types of its graph";
        return Err(ConfigError::value(&text, "--precision", problem).into());
    }
    let from = Path::new(".");
    let path = if text.contains('/') { text.clone() } else { format!("./{text}") };
    let def = SurrogateDef::load(&path, from)?;
    let spec = prepare::resolve_alone(ctx, &def)?;
    if !spec.model.needs_runtime() {
        let problem = "is not a model that could be examined: the surrogate is a fake, or has imported predictions";
        return Err(ConfigError::value(&text, "fake", problem).into());
    }
    let ready = prepare::ready(ctx)?;
    let instances = Instances::on(ready.chosen.device);
    let factory = ScorerFactory::with_onnx_runtime(ready.runtime, ready.chosen, instances, ctx.data.cache());
    let compared = match reference {
        Some(reference) => factory.compare(&spec, reference, &|name| photo(ctx, name))?,
        None => {
            let stop = || ctx.check_stop().is_err();
            let classes = def.space_alone()?.len();
            let built = factory.build(&spec, classes, instances.default_batch() as usize, &stop);
            ctx.check_stop()?;
            built?;
            Vec::new()
        }
    };
    Ok(ModelReport { facts: facts(&spec), ran: factory.facts().clone(), compared, benchmark: None })
}

fn facts(spec: &SurrogateSpec) -> Vec<(&'static str, String)> {
    let mut facts = vec![("surrogate", spec.name.clone())];
    let graphs = spec.model.graphs();
    let named = ["graph", "text tower"].into_iter().zip(&graphs);
    facts.extend(named.map(|(what, graph)| (what, graph.weights.path.display().to_string())));
    match &spec.model {
        SurrogateModel::Onnx(model) => facts.push(("classes", model.output.classes.to_string())),
        SurrogateModel::ZeroShot(model) => {
            facts.push(("tokenizer", model.text.tokenizer.path.display().to_string()));
            facts.push(("texts", format!("{} classes x {} templates", model.names.len(), model.templates.len())));
            let (scale, bias) = (model.scale, model.bias);
            facts.push(("logits", format!("{scale} x cosine + {bias}, then {}", model.activation.name())));
        }
        SurrogateModel::Fake(_) | SurrogateModel::Imported(_) => {}
    }
    facts.extend(spec.weights_sha256().map(|hash| ("SHA-256", hash.to_string())));
    facts
}

/// The photograph in a file of this name below the data folders.
fn photo(ctx: &Context, name: &str) -> Option<RgbImage> {
    let path = ctx.data.files_named(|file| file == name).into_iter().next()?;
    imaging::decode(&input::read(&path, PHOTO_BYTES).ok()?, &DecodeLimits::default()).ok()
}
