//! `hardset status`: the progress of a run, or the contents of a release or an evaluation.
//!
//! Does not read tables: `stage::status` reads records.

use std::path::Path;

use serde_json::json;

use super::args::RunArgs;
use super::error::Error;
use super::mine::texts;
use super::output::Output;
use super::session::Session;
use crate::domain::{PoolRecord, PoolRole, ReleaseRecord, RunSpec};
use crate::stage::evaluate::{EvaluationStatus, evaluation_status};
use crate::stage::job::{JobStatus, job_status};
use crate::stage::status::{Status, outline, status};
use crate::store::{EvaluationDir, ReleaseDir, StoreError};

/// Silent ranks that are named.
const SHOWN: usize = 20;

pub fn run(session: &Session, args: &RunArgs) -> Result<Output, Error> {
    if let Some(release) = ReleaseDir::find(&args.run) {
        let record = release.record()?;
        return Ok(Output::new(of_release(&record), json!(record)));
    }
    if ReleaseDir::has_lost_record(&args.run) {
        return Err(StoreError::NotARelease { path: args.run.display().to_string() }.into());
    }
    if let Some(evaluation) = EvaluationDir::find(&args.run) {
        return Ok(of_evaluation(&args.run, &evaluation_status(&evaluation)?));
    }
    if EvaluationDir::is_begun(&args.run) {
        let Output { text, json, code } = of_run(session, EvaluationDir::at(&args.run).run(PoolRole::Pool).path())?;
        let text = format!("an evaluation that is not done; run the same `hardset evaluate` again\n{text}");
        let path = args.run.display().to_string();
        return Ok(Output { text, json: json!({ "evaluation": path, "done": false, "run": json }), code });
    }
    of_run(session, &args.run)
}

fn of_run(session: &Session, run: &Path) -> Result<Output, Error> {
    let dir = session.context(run)?.run;
    let (spec, planned) = outline(&dir)?;
    let job = job_status(&dir, planned)?;
    if let Some(job) = job.as_ref().filter(|job| job.is_needed) {
        return Ok(of_job(run, &spec, planned, job));
    }
    let status = status(&dir)?;
    let mut surrogates = Vec::with_capacity(status.surrogates.len());
    for s in &status.surrogates {
        surrogates.push(json!({
            "name": s.name, "shards": s.shards, "scored": s.scored, "selected": s.selected, "target": s.target,
            "runtime": s.runtime, "warnings": texts(&s.warnings),
        }));
    }
    let json = json!({
        "run": run.display().to_string(), "name": status.spec.name, "tool": status.spec.tool,
        "planned": status.planned, "passed_over": status.passed_over, "notes": status.notes,
        "shards": status.shards, "image_shards": status.image_shards,
        "surrogates": surrogates,
        "mining": status.spec.mining_id(), "hard": status.hard, "dropped": status.dropped,
        "rounds": status.rounds, "inputs": status.answers.0, "answers": status.answers.1,
    });
    let idle = job.filter(|job| job.through < job.ranks).map_or_else(String::new, |job| {
        let JobStatus { name, through, ranks, has_begun, .. } = job;
        let how = if has_begun { "not needed any more" } else { "not begun" };
        format!("\njob       {name}: {through} of {ranks} ranks through, {how}")
    });
    Ok(Output::new(text(&status) + &idle, json))
}

/// A run that a job makes.
fn of_job(run: &Path, spec: &RunSpec, planned: u64, job: &JobStatus) -> Output {
    let JobStatus { name, engine, ranks, through, at_work, silent, images_per_sec, hours_left, .. } = job;
    let mut text = format!("{} ({})\nplanned   {planned}\n", spec.name, spec.tool);
    text += &format!("job       {name} on {engine}: {through} of {ranks} ranks through, {at_work} at work");
    if !silent.is_empty() {
        let ranks: Vec<String> = silent.iter().take(SHOWN).map(|s| format!("{} on {}", s.rank, s.host)).collect();
        let minutes = silent.iter().map(|silent| silent.seconds).min().unwrap_or(0) / 60;
        let more = if silent.len() > SHOWN { ", …" } else { "" };
        text += &format!(", {} silent for {minutes} min or more (ranks {}{more})", silent.len(), ranks.join(", "));
    }
    text += &images_per_sec.map_or_else(String::new, |rate| format!("\nspeed     {rate:.1} images/s of one rank"));
    text += &hours_left.map_or_else(String::new, |hours| format!(", {hours:.1} h left"));
    let run = run.display().to_string();
    text += &match ranks - through {
        0 => format!("\nnext      hardset finish {run}"),
        _ if *at_work == 0 && !job.has_begun => {
            format!("\nnext      bash {run}/jobs/{name}/start.sh, unless that was done")
        }
        missing if *at_work == 0 => format!(
            "\nnext      hardset submit {run} --missing, for {missing} rank(s), unless {engine} still has them in its \
             queue"
        ),
        _ => String::new(),
    };
    let silent = silent.iter().map(|s| json!({ "rank": s.rank, "host": s.host, "seconds": s.seconds }));
    let json = json!({
        "run": run, "name": spec.name, "tool": spec.tool, "planned": planned,
        "job": {
            "name": name, "engine": engine, "ranks": ranks, "through": through, "at_work": at_work,
            "silent": silent.collect::<Vec<_>>(), "images_per_sec": images_per_sec, "hours_left": hours_left,
        },
    });
    Output::new(text, json)
}

fn of_evaluation(path: &Path, status: &EvaluationStatus) -> Output {
    let EvaluationStatus { record, scored, page } = status;
    let pool = &record.pool;
    let version = pool.version.as_ref().map_or_else(String::new, |version| format!(" {version}"));
    let mut text = format!("evaluation of {}{version} ({})\n", pool.name, record.tool);
    text += &format!("images    {} of {} categories\n", pool.images, pool.category_count);
    for (what, other) in [("clean", &record.clean), ("ood", &record.ood)] {
        let line = |other: &PoolRecord| format!("{what:<9} {}: {} images\n", other.name, other.images);
        text += &other.as_ref().map(line).unwrap_or_default();
    }
    for (target, scored) in record.targets.iter().zip(scored) {
        let (name, kind, runtime) = (&target.name, &target.kind, &target.runtime);
        text += &format!("scored    {scored} of {} images by {name} ({kind}; {runtime})\n", pool.images);
    }
    text += &record.answers.iter().map(|name| format!("answers   of {name}\n")).collect::<String>();
    let spaces: Vec<String> = record.label_spaces.iter().map(ToString::to_string).collect();
    text += &format!("spaces    {}; the first one orders the leaderboard\n", spaces.join(", "));
    text += &match page {
        Some(page) => format!("page      {}", page.display()),
        None => "page      not there; run the same `hardset evaluate` again".to_owned(),
    };
    let targets = record.targets.iter().zip(scored);
    let targets = targets.map(|(target, scored)| json!({ "target": target, "scored": scored })).collect::<Vec<_>>();
    let json = json!({
        "evaluation": path.display().to_string(), "done": true, "tool": record.tool, "pool": pool,
        "clean": record.clean, "ood": record.ood, "targets": targets, "answers": record.answers, "spaces": spaces,
        "page": page.as_ref().map(|page| page.display().to_string()),
    });
    Output::new(text, json)
}

fn of_release(record: &ReleaseRecord) -> String {
    let verified = if record.verified { "people accepted each image" } else { "UNVERIFIED: nobody has looked at it" };
    let with_images = record.categories.iter().filter(|category| category.images > 0).count();
    let mut text = format!("{} {} ({})\n{verified}\n", record.name, record.version, record.tool);
    text += &format!("images    {} of {with_images} categories, in {} file(s)\n", record.images, record.files.len());
    if let Some(base) = &record.base {
        let (added, removed, relabelled) = (base.added, base.removed, base.relabelled);
        text += &format!("since {}: {added} added, {removed} removed, {relabelled} relabelled\n", base.version);
    }
    for surrogate in &record.surrogates {
        let weights = surrogate.weights_sha256.map_or_else(|| "none (fake)".to_owned(), |hash| hash.to_string());
        text += &format!("surrogate {} ({weights})\n", surrogate.name);
    }
    text + &format!("mining    {}", record.mining)
}

fn text(status: &Status) -> String {
    let count = |count: Option<u64>| count.map_or_else(|| "not yet".to_owned(), |n| n.to_string());
    let mut text = format!("{} ({})\n", status.spec.name, status.spec.tool);
    text += &format!("planned   {}\n", count(status.planned));
    if !status.passed_over.is_empty() {
        text += &format!("passed    over {}\n", status.passed_over.count_words());
    }
    text += &status.notes.iter().map(|note| format!("note      {note}\n")).collect::<String>();
    text += &format!("images    {} of {} shards\n", status.image_shards, status.shards);
    for s in &status.surrogates {
        let mark = match (s.selected, s.target) {
            (true, _) => "",
            (false, true) => ", a target: it does not vote",
            (false, false) => ", not in the current mining",
        };
        text += &format!(
            "scored    {} of {} shards, {} images by {} ({}){mark}\n",
            s.shards, status.shards, s.scored, s.name, s.runtime
        );
        texts(&s.warnings).iter().for_each(|warning| text += &format!("warning   {warning}\n"));
    }
    text += &format!("mining    {}\n", status.spec.mining_id());
    text += &format!("hard      {}\ndropped   {}", count(status.hard), count(status.dropped));
    if status.rounds > 0 {
        let (inputs, answers) = status.answers;
        text += &format!("\npeople    {} round(s) of sheets, {answers} answers of {inputs} input(s)", status.rounds);
    }
    text
}
