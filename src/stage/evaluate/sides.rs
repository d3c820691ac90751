//! The pools of an evaluation with their runs: opened, planned and pinned, with the targets that are to score each.
//!
//! The run of the pool knows all targets; the clean twin and the images outside are scored by the same ones, whenever
//! they were given. Holds always: what an earlier call has scored stays, and further targets score it too.

use super::ask::Ask;
use super::error::EvaluateError;
use super::{pools, score};
use crate::domain::{BenchmarkSource, Device, EvaluationRecord, GenerateSpec, PoolRole, RunSpec};
use crate::source::OpenedPool;
use crate::store::EvaluationDir;
use crate::work::{Context, ShardRecords};

/// A pool in the evaluation: its context, its spec and its pinned images.
pub struct Side<'a> {
    /// What it is for.
    pub role: PoolRole,
    /// Where its images are.
    pub source: BenchmarkSource,
    /// The run inside the evaluation.
    pub ctx: Context<'a>,
    /// Its spec.
    pub spec: RunSpec,
    /// The records of its images.
    pub images: ShardRecords,
}

/// What is asked, and what an earlier call has left.
pub struct Asked<'a> {
    /// What is asked.
    pub ask: &'a Ask,
    /// The pool.
    pub opened: &'a OpenedPool,
    /// The record of an earlier call.
    pub stored: Option<&'a EvaluationRecord>,
}

/// The pools that are asked for, and those of earlier calls.
pub fn sources(
    ask: &Ask,
    opened: &OpenedPool,
    dir: &EvaluationDir,
) -> Result<Vec<(PoolRole, BenchmarkSource)>, EvaluateError> {
    let mut sources = vec![(PoolRole::Pool, opened.source.clone())];
    if let Some(clean) = &ask.clean {
        sources.push((PoolRole::Clean, pools::twin(clean, opened)?));
    }
    if let Some(ood) = &ask.ood {
        sources.push((PoolRole::Ood, pools::unlabelled(ood, &ask.options)?));
    }
    for role in [PoolRole::Clean, PoolRole::Ood] {
        if !sources.iter().any(|(given, _)| *given == role) {
            sources.extend(stored_source(dir, role)?.map(|source| (role, source)));
        }
    }
    Ok(sources)
}

impl Asked<'_> {
    /// Plans and pins all pools, and finds the targets.
    pub fn sides<'a>(
        &self,
        ctx: &Context<'a>,
        devices: &[Device],
        dir: &EvaluationDir,
    ) -> Result<Vec<Side<'a>>, EvaluateError> {
        self.check_runs(dir)?;
        let sources = sources(self.ask, self.opened, dir)?;
        // All before any of them is changed.
        for (role, source) in &sources {
            self.check_same_pool(dir, *role, source)?;
        }
        let earlier = dir.run(PoolRole::Pool).spec_if_any()?;
        let seed = self.ask.seed.or(earlier.as_ref().map(|spec| spec.seed)).unwrap_or(0);
        let keeps = self.ask.keep_logits || self.stored.is_some_and(|stored| stored.keep_logits);
        let mut sides = Vec::with_capacity(sources.len());
        for (role, source) in sources {
            let ctx = Context { run: dir.run(role), ..ctx.again() };
            let _lock = ctx.run.create()?;
            ctx.run.sweep()?;
            let images = score::Images { source: &source, categories: &self.opened.categories, seed };
            let targets = score::Targets { earlier: earlier.as_ref(), given: &self.ask.targets };
            let mut spec = score::prepared(&ctx, devices, images, &targets)?;
            spec.mine.keep_scores = keeps && role != PoolRole::Ood;
            if role == PoolRole::Pool {
                pools::check_targets(self.opened, &spec)?;
            } else {
                leave_imported(&ctx, role, &mut spec);
            }
            let images = score::pinned(&ctx, devices, &spec)?;
            sides.push(Side { role, source, ctx, spec, images });
        }
        Ok(sides)
    }

    /// An error if the runs of an earlier call are gone, and with them targets that are not given again.
    fn check_runs(&self, dir: &EvaluationDir) -> Result<(), EvaluateError> {
        let Some(stored) = self.stored else { return Ok(()) };
        if dir.run(PoolRole::Pool).spec_if_any()?.is_some() {
            return Ok(());
        }
        let is_given = |name: &String| self.ask.targets.iter().any(|def| def.name == *name);
        match stored.targets.iter().find(|target| !is_given(&target.name)) {
            Some(target) => {
                let (path, target) = (dir.path().display().to_string(), target.name.clone());
                Err(EvaluateError::RunsGone { path, target })
            }
            None => Ok(()),
        }
    }

    /// An error if the folder has an evaluation of other images or categories.
    fn check_same_pool(
        &self,
        dir: &EvaluationDir,
        role: PoolRole,
        source: &BenchmarkSource,
    ) -> Result<(), EvaluateError> {
        let Some(stored) = dir.run(role).spec_if_any()? else { return Ok(()) };
        let wanted = GenerateSpec::Benchmark(source.clone());
        let are_same = stored.categories.identity() == self.opened.categories.identity();
        let is_seed = self.ask.seed.is_none_or(|seed| seed == stored.seed);
        if stored.generate.identity() == wanted.identity() && are_same && is_seed {
            return Ok(());
        }
        let found = match &stored.generate {
            GenerateSpec::Benchmark(found) => found.name(),
            _ => "a run".to_owned(),
        };
        Err(EvaluateError::OtherPool { path: dir.path().display().to_string(), found, wanted: source.name() })
    }
}

/// The pool of an earlier call.
fn stored_source(dir: &EvaluationDir, role: PoolRole) -> Result<Option<BenchmarkSource>, EvaluateError> {
    let stored = dir.run(role).spec_if_any()?;
    Ok(stored.and_then(|spec| if let GenerateSpec::Benchmark(source) = spec.generate { Some(source) } else { None }))
}

/// Leaves out the targets whose scores another program has made: their files are of the pool, and images of another
/// folder may have the same names.
fn leave_imported(ctx: &Context, role: PoolRole, spec: &mut RunSpec) {
    let is_imported =
        |name: &String| spec.mine.surrogates.iter().any(|scorer| scorer.name == *name && scorer.model.is_imported());
    let (left, kept): (Vec<String>, Vec<String>) = spec.mine.targets.iter().cloned().partition(is_imported);
    if !left.is_empty() {
        let what = if role == PoolRole::Clean { "the clean twin" } else { "the images outside" };
        let names = left.join(", ");
        ctx.progress.note(&format!("{names}: imported scores are of the pool, so {what} has no figures of them"));
    }
    spec.mine.surrogates.retain(|scorer| !left.contains(&scorer.name));
    spec.mine.targets = kept;
}
