//! Targets score a pool: plan, pin and score in a run directory inside the evaluation (`runs/<role>`).
//!
//! Does not know figures. Holds always: targets of earlier calls stay, and only what is missing is scored; the stored
//! spec names a target only after its predictions are made, because one that cannot be used must leave the evaluation
//! as it was.

use super::error::EvaluateError;
use crate::config::{MineRecipe, Recipe, SurrogateDef};
use crate::domain::{
    AnnotateSpec, BenchmarkLayout, BenchmarkSource, CategorySet, Device, GenerateSpec, LabelSpace, ReleaseSpec, Rule,
    RunSpec, SelectSpec,
};
use crate::pool::{Pool, ScorerWarning};
use crate::stage::generate::{generate, generate_on};
use crate::stage::mine::{Scored, score, score_on};
use crate::stage::plan;
use crate::stage::prepare::{self, PrepareError, Scorers};
use crate::stats::ScoreWarning;
use crate::store::Check;
use crate::work::{Context, Part, ShardRecords};

/// What is to be scored.
pub struct Images<'a> {
    /// Where the images come from.
    pub source: &'a BenchmarkSource,
    /// What they show.
    pub categories: &'a CategorySet,
    /// Seed of the run.
    pub seed: u64,
}

/// The targets.
pub struct Targets<'a> {
    /// The run of the pool as an earlier call left it, with the targets of that.
    pub earlier: Option<&'a RunSpec>,
    /// Those of this call.
    pub given: &'a [SurrogateDef],
}

/// Plans the pool and finds the targets: those of earlier calls, and those given.
pub fn prepared(
    ctx: &Context,
    devices: &[Device],
    images: Images,
    targets: &Targets,
) -> Result<RunSpec, EvaluateError> {
    let mut spec = plan::plan(ctx, &recipe(images))?;
    let (mut known, mut names) = (Scorers::default(), Vec::new());
    if let Some(earlier) = targets.earlier {
        known = Scorers { surrogates: earlier.mine.surrogates.clone(), spaces: earlier.mine.spaces.clone() };
        names.clone_from(&earlier.mine.targets);
    }
    for (at, def) in targets.given.iter().enumerate() {
        if targets.given[..at].iter().any(|other| other.name == def.name) {
            return Err(EvaluateError::TwoOfOneName { name: def.name.clone() });
        }
        let before = known.surrogates.iter().find(|scorer| scorer.name == def.name).cloned();
        known.add(ctx, def, &spec.categories)?;
        let now = known.surrogates.iter().find(|scorer| scorer.name == def.name);
        if before.zip(now).is_some_and(|(before, now)| before.model.identity() != now.model.identity()) {
            let name = &def.name;
            ctx.progress.note(&format!("`{name}` is another model than in an earlier call: its results are replaced"));
        }
        if !names.contains(&def.name) {
            names.push(def.name.clone());
        }
    }
    names.sort();
    spec.mine.targets = names;
    // By name, so that the order of calls leaves no trace.
    known.surrogates.sort_by(|a, b| a.name.cmp(&b.name));
    known.spaces.sort_by(|a, b| a.name.cmp(&b.name));
    (spec.mine.surrogates, spec.mine.spaces) = (known.surrogates, known.spaces);
    on_each(ctx, devices, &mut |ctx| prepare::prepare(ctx, &spec))?;
    Ok(spec)
}

/// Checks something on each device.
pub fn on_each(
    ctx: &Context,
    devices: &[Device],
    check: &mut dyn FnMut(&Context) -> Result<(), PrepareError>,
) -> Result<(), PrepareError> {
    let mut devices = devices.to_vec();
    // A GPU first, because it decides which library this process loads; a CPU can use any.
    devices.sort_by_key(|device| *device == Device::Cpu);
    devices.dedup();
    devices.into_iter().try_for_each(|device| check(&Context { device, ..ctx.again() }))
}

fn recipe(images: Images) -> Recipe {
    // No surrogate votes: all scorers are targets.
    let select = SelectSpec {
        surrogates: Vec::new(),
        rule: Rule::All,
        label_space: LabelSpace::AnyOfIds,
        max_true_prob: 1.0,
        max_margin: 0.0,
        near_tie: 0.0,
    };
    Recipe {
        name: "evaluation".to_owned(),
        seed: images.seed,
        shard_items: None,
        categories: images.categories.clone(),
        generate: GenerateSpec::Benchmark(images.source.clone()),
        mine: MineRecipe { batch: None, select, surrogates: Vec::new(), targets: Vec::new() },
        annotate: AnnotateSpec::default(),
        release: ReleaseSpec::default(),
        evaluate: None,
    }
}

/// Pins the images of the pool.
pub fn pinned(ctx: &Context, devices: &[Device], spec: &RunSpec) -> Result<ShardRecords, EvaluateError> {
    generate_on(ctx, devices, spec)?;
    Ok(generate(ctx, spec, Check::Hashes, Part::WHOLE)?)
}

/// Scores what is missing.
pub fn scored(pool: &Pool, devices: &[Device], images: &ShardRecords) -> Result<Vec<Scored>, EvaluateError> {
    score_on(pool, devices, &images.records)?;
    let scored = score(pool, &images.records, Check::Hashes, Part::WHOLE)?;
    pool.ctx().run.write_spec(pool.spec())?;
    pool.ctx().run.sweep()?;
    // A release has images that were chosen against models: few right answers say nothing of a declaration.
    let is_release =
        matches!(&pool.spec().generate, GenerateSpec::Benchmark(source) if source.layout == BenchmarkLayout::Release);
    for scored in &scored {
        let warnings = ScorerWarning::of(pool.spec(), &scored.surrogate, &scored.records.records);
        let is_expected =
            |warning: &ScorerWarning| is_release && matches!(warning.warning, ScoreWarning::Chance { .. });
        for warning in warnings.iter().filter(|warning| !is_expected(warning)) {
            pool.ctx().progress.note(&format!("warning: {warning}"));
        }
    }
    Ok(scored)
}
