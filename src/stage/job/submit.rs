//! submit: a run becomes a job, whose scripts people read, change and start.
//!
//! Holds always: what would stop every rank is found here, before a thousand of them wait in a queue; the job's record
//! is written before its scripts, and never changes.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::JobError;
use super::error::run_in_commands;
use super::finish::few;
use super::lacking::lacking;
use super::status::{now, refuse_while_at_work, says_so};
use super::worker::{checked_record, output_of};
use crate::domain::{JobEngine, JobRecord, JobStart, RunSpec};
use crate::pool::{UnitKeys, planned_shards, shard_ranges};
use crate::render::jobs::{JobFacts, Script, Scripts, scripts};
use crate::stage::prepare::{TOOL, check_model, check_weights};
use crate::store::{JobDir, ShardRecord, is_in_bucket};
use crate::work::{Context, WorkError};

/// Most ranks of a Kubernetes job: more completions choke a kubelet (kubernetes 116159).
const MOST_OF_KUBERNETES: usize = 2000;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct JobAsk {
    /// What starts the ranks.
    pub engine: JobEngine,
    /// Into how many ranks the shards are cut.
    pub ranks: usize,
    /// Whether ranks may run on unlike devices.
    pub mixed_devices: bool,
    /// How they are started.
    pub start: JobStart,
}

/// A job whose scripts are written.
#[derive(Debug, Clone)]
pub struct Submitted {
    /// The job.
    pub job: JobDir,
    /// Its record.
    pub record: JobRecord,
    /// How many ranks the script starts.
    pub to_start: usize,
    /// Ranks that are at work, which it leaves out.
    pub at_work: Vec<usize>,
    /// The files that were written.
    pub files: Vec<PathBuf>,
    /// Files of an earlier call, which people may have changed and which were left as they are.
    pub kept: Vec<PathBuf>,
    /// The script that starts everything.
    pub script: PathBuf,
}

/// Makes a job of the run of `ctx` and writes its scripts. The same job again if the last one asks for the same. The
/// caller holds the run's lock.
pub fn submit(ctx: &Context, ask: JobAsk) -> Result<Submitted, JobError> {
    let spec = ctx.run.spec()?;
    let Some(plan) = ctx.run.plan().record()? else {
        let run = run_in_commands(ctx);
        return Err(JobError::Ask(format!("{run} has no plan; run `hardset plan PIPELINE --run-dir {run}` first")));
    };
    check(&ask, planned_shards(&ctx.run, &spec)?)?;
    check_model(ctx, &spec)?;
    spec.scored().iter().try_for_each(|scorer| check_weights(scorer))?;
    let record = JobRecord {
        tool: TOOL.to_owned(),
        engine: ask.engine,
        ranks: ask.ranks,
        spec_sha256: ctx.run.spec_sha256()?,
        plan_sha256: plan.hash(),
        mixed_devices: ask.mixed_devices,
        start: ask.start,
    };
    let last = ctx.run.last_job()?;
    let same = last.filter(|job| job.record().is_ok_and(|known| known == record));
    let job = match same {
        Some(job) => job,
        None => {
            refuse_while_at_work(&ctx.run)?;
            new_job(ctx, &record)?
        }
    };
    if !record.mixed_devices {
        pin_what_is_there(ctx, &spec, &plan, &job)?;
    }
    let ranks: Vec<usize> = (0..record.ranks).collect();
    write_scripts(job, record, &ranks, Vec::new(), Scripts::All)
}

/// A job with the next number; another one if somebody else has taken that in the meantime.
fn new_job(ctx: &Context, record: &JobRecord) -> Result<JobDir, JobError> {
    loop {
        let job = ctx.run.next_job()?;
        if job.write(record)? {
            return Ok(job);
        }
    }
}

/// What has made the first results that the run already has makes the others too.
fn pin_what_is_there(ctx: &Context, spec: &RunSpec, plan: &ShardRecord, job: &JobDir) -> Result<(), JobError> {
    if !ctx.run.has_images() {
        return Ok(());
    }
    let predicted = ctx.run.predicted()?;
    let mut scorers = spec.scored();
    scorers.retain(|scorer| predicted.contains(&scorer.name));
    let mut are_images_pinned = false;
    let keys = UnitKeys::of(spec);
    for (shard, range) in shard_ranges(plan.rows.kept as usize, spec.shard_items).iter().enumerate() {
        if are_images_pinned && scorers.is_empty() {
            break;
        }
        ctx.check_stop()?;
        let unit = ctx.run.images(shard);
        // Results of another recipe are made again, and pin nothing.
        let Some(images) = unit.record()?.filter(|record| record.key == keys.images(plan, range)) else {
            continue;
        };
        if !are_images_pinned {
            job.pinned_maker(&output_of(ctx, &unit), &images.facts)?;
            are_images_pinned = true;
        }
        let mut left = Vec::new();
        for scorer in scorers {
            let unit = ctx.run.predictions(&scorer.name, shard);
            match unit.record()?.filter(|record| record.key == keys.predictions(&images, scorer)) {
                Some(record) => drop(job.pinned_maker(&output_of(ctx, &unit), &record.facts)?),
                None => left.push(scorer),
            }
        }
        scorers = left;
    }
    Ok(())
}

fn check(ask: &JobAsk, shards: usize) -> Result<(), JobError> {
    let is_in_bucket = is_in_bucket(Path::new(&ask.start.run));
    let paths = [&ask.start.run, &ask.start.program];
    let all = ask.start.options.iter().chain(&ask.start.engine_options).chain(&ask.start.image).chain(&ask.start.claim);
    if let Some(word) = all.into_iter().find(|word| word.contains(char::is_control)) {
        return Err(JobError::Ask(format!("an option with a line break cannot stand in scripts: {word:?}")));
    }
    let words = ask.start.options.iter().chain([&ask.start.run, &ask.start.program]);
    let problem = if ask.engine == JobEngine::Kubernetes && words.into_iter().any(|word| word.contains('$')) {
        "paths and options with $ cannot stand in manifests of Kubernetes, which expands $(NAME)".to_owned()
    } else if paths.iter().any(|path| path.contains(|c: char| c.is_control() || "\"\\".contains(c))) {
        format!("a path with quotation marks, backslashes or line breaks cannot stand in scripts: {}", ask.start.run)
    } else if ask.ranks > shards {
        format!(
            "--ranks {} is more than the {shards} shard(s) of the run, so that some would have nothing to do",
            ask.ranks
        )
    } else if ask.engine == JobEngine::Kubernetes && ask.ranks > MOST_OF_KUBERNETES {
        format!("--ranks {} is more than the {MOST_OF_KUBERNETES} that one job of Kubernetes bears", ask.ranks)
    } else if ask.engine == JobEngine::Kubernetes && ask.start.image.is_none() {
        "--to kubernetes needs --image IMAGE, a container image with hardset".to_owned()
    } else if ask.engine == JobEngine::Kubernetes && ask.start.claim.is_none() && !is_in_bucket {
        "--to kubernetes needs --claim CLAIM, the persistent volume claim that has the run".to_owned()
    } else if ask.start.claim.is_some() && is_in_bucket {
        "a run in a bucket is in no persistent volume; leave --claim out".to_owned()
    } else {
        return Ok(());
    };
    Err(JobError::Ask(problem))
}

/// Writes the script that starts the ranks of the last job that are not through and not at work. The caller holds the
/// run's lock.
pub fn submit_missing(ctx: &Context) -> Result<Submitted, JobError> {
    let Some(job) = ctx.run.last_job()? else {
        let run = run_in_commands(ctx);
        return Err(JobError::Ask(format!(
            "{run} has no job yet; submit one: `hardset submit {run} --to ENGINE --ranks N`"
        )));
    };
    let record = checked_record(ctx, &job)?;
    let (live, now) = (job.live()?, now());
    let is_at_work = |rank: &usize| live.get(rank).is_some_and(|said| said.iter().any(|live| says_so(live, now)));
    let lacking = lacking(ctx, &job, &record)?;
    let (at_work, missing): (Vec<usize>, Vec<usize>) = lacking.into_iter().partition(is_at_work);
    if missing.is_empty() {
        let run = run_in_commands(ctx);
        let text = if at_work.is_empty() {
            format!("all ranks of job {} are through: `hardset finish {run}` makes the result", job.name())
        } else {
            format!(
                "all ranks of job {} that are not through are at work: {} (one whose process was killed counts as at \
                 work for two minutes)",
                job.name(),
                few(&at_work)
            )
        };
        return Err(JobError::Ask(text));
    }
    job.forget(&missing.iter().copied().collect())?;
    write_scripts(job, record, &missing, at_work, Scripts::Missing)
}

fn write_scripts(
    job: JobDir,
    record: JobRecord,
    ranks: &[usize],
    at_work: Vec<usize>,
    which: Scripts,
) -> Result<Submitted, JobError> {
    job.logs()?;
    let (mut files, mut kept, mut script) = (Vec::new(), Vec::new(), PathBuf::new());
    // As machines see it: what people typed may be relative. Scripts of a run in a bucket are started from its cache.
    let run = Path::new(&record.start.run);
    let folder = if is_in_bucket(run) { job.path() } else { run.join("jobs").join(job.name()) };
    let facts = JobFacts { record: &record, name: job.name(), folder: &folder, ranks };
    for Script { name, text, starts } in scripts(&facts, which) {
        let path = job.path().join(name);
        if starts {
            script.clone_from(&path);
        }
        if which == Scripts::All && path.exists() {
            kept.push(path);
        } else {
            files.push(job.write_script(name, &text)?);
        }
    }
    Ok(Submitted { job, record, to_start: ranks.len(), at_work, files, kept, script })
}

/// Runs the script that starts everything, with this process's own input and output.
pub fn start(submitted: &Submitted) -> Result<(), JobError> {
    let cannot = |source| WorkError::System { action: format!("start {}", submitted.script.display()), source };
    // What the script prints is for people; results go to stdout.
    let stdout = std::io::stderr();
    #[cfg(unix)]
    let stdout = {
        use std::os::fd::AsFd as _;
        stdout.as_fd().try_clone_to_owned().map_err(cannot)?
    };
    let status = Command::new("bash").arg(&submitted.script).stdout(stdout).status().map_err(cannot)?;
    if status.success() {
        return Ok(());
    }
    Err(JobError::NotStarted { script: submitted.script.display().to_string(), how: status.to_string() })
}
