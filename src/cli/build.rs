//! `hardset build`: from a pipeline to the report and the task sheets, in one call; with a section `[evaluate]` on to
//! the leaderboard.
//!
//! Does no work of its own: every step is a verb of `stage`. Holds always: the same call continues where it stopped,
//! because every step skips what is done.

use serde_json::{Value, json};

use super::args::BuildArgs;
use super::error::Error;
use super::output::Output;
use super::session::Session;
use super::{annotate, evaluate, mine, release, report};
use crate::config::EvaluateRecipe;
use crate::domain::RunSpec;
use crate::pool::Pool;
use crate::stage::annotate::{AnnotateError, Exported, export_all};
use crate::stage::evaluate::{check_ahead, evaluate_beside};
use crate::stage::job::refuse_while_at_work;
use crate::stage::release::release_beside;
use crate::stage::report::{report as write_report, want_thumbnails};
use crate::stage::{generate, mine as mining, plan};
use crate::store::Check;
use crate::work::{Context, Part};

pub fn run(session: &Session, args: &BuildArgs) -> Result<Output, Error> {
    let recipe = Session::recipe(&args.pipeline)?;
    let dir = Session::run_dir(&args.pipeline, &recipe);
    let ctx = session.context(&dir)?;
    let _lock = Session::for_making(&ctx)?;
    refuse_while_at_work(&ctx.run)?;
    let before = ctx.run.spec_if_any()?.map(|spec| spec.mining_id());
    let spec = plan::plan(&ctx, &recipe)?;
    if let Some(before) = before.filter(|before| *before != spec.mining_id()) {
        let now = spec.mining_id();
        ctx.progress.note(&format!("the mining is that of the recipe: {now}; the last one was {before}"));
    }
    mine::prepare(session, &ctx, &spec)?;
    let section = recipe.evaluate.as_ref().filter(|_| ctx.run.home().is_none());
    if let Some(section) = section {
        check_ahead(&ctx, session.devices(), &spec, section)?;
    }
    let mut built = mined(session, &ctx, &spec, args)?;
    if let Some(section) = section {
        go_on(session, &Pool::open(&ctx, &spec)?, section, &mut built)?;
    }
    if section.is_none() && recipe.evaluate.is_some() {
        let run = ctx.run_name();
        ctx.progress.note(&format!(
            "no release and no evaluation beside a run in a bucket: `hardset release {run} --out DIR` writes one, and \
             `hardset evaluate DIR` takes it"
        ));
    }
    Ok(built)
}

/// Images, predictions, the mining, the report and the task sheets.
fn mined(session: &Session, ctx: &Context, spec: &RunSpec, args: &BuildArgs) -> Result<Output, Error> {
    let dir = ctx.run.place();
    generate::generate_on(ctx, session.devices(), spec)?;
    let images = generate::generate(ctx, spec, Check::Hashes, Part::WHOLE)?;
    let pool = Pool::open(ctx, spec)?;
    mining::score_on(&pool, session.devices(), &images.records)?;
    let mined = mining::mine(&pool, &images, Check::Hashes)?;
    // Sheets before the report: decoding a hard image for people also gives its thumbnail.
    want_thumbnails(&pool, args.max_images)?;
    let sheets = sheets(&pool);
    // Written also if the sheets cannot be.
    let page = write_report(&pool, args.max_images, &ctx.run.report())?;
    let sheets = sheets?;
    let mined = mine::output(dir, &mined);
    let lines = sheets.iter().map(|exported| annotate::written(exported, spec));
    let text = [mined.text, report::text(&page)].into_iter().chain(lines).collect::<Vec<_>>().join("\n");
    let json = json!({
        "run": dir.display().to_string(), "mining": mined.json, "report": page.path.display().to_string(),
        "passed_over": plan::passed_over(Some(&pool.plan().record)), "notes": plan::notes(Some(&pool.plan().record)),
        "sheets": sheets.iter().map(annotate::exported_json).collect::<Vec<_>>(),
    });
    let left_out: u64 = sheets.iter().map(|exported| exported.left_out).sum();
    Ok(Output { text, json, code: mined.code }.lost(left_out + page.without_image))
}

/// Releases the hard set and evaluates the recipe's targets on it, both beside the run; adds both to `built`.
fn go_on(session: &Session, pool: &Pool, section: &EvaluateRecipe, built: &mut Output) -> Result<(), Error> {
    (built.json["release"], built.json["evaluation"]) = (Value::Null, Value::Null);
    let Some(released) = release_beside(pool)? else { return Ok(()) };
    let evaluated = evaluate_beside(pool, session.devices(), section, &released.out)?;
    let lost = released.unreadable + evaluated.lost;
    let (released, evaluated) = (release::output(&released), evaluate::output(&evaluated));
    for (key, part) in [("release", released), ("evaluation", evaluated)] {
        built.text += &format!("\n{}", part.text);
        built.json[key] = part.json;
    }
    built.code = Output::new("", Value::Null).lost(lost).code.max(built.code);
    Ok(())
}

/// The task sheets that the recipe asks for. A pool that cannot fill one is noted, not an error, because a small trial
/// run has too few sure images for sentinels.
fn sheets(pool: &Pool) -> Result<Vec<Exported>, AnnotateError> {
    let ctx = pool.ctx();
    if ctx.run.home().is_some() {
        // The secret would be there for everybody who can read the bucket.
        if !pool.spec().annotate.export.is_empty() {
            ctx.progress.note("no task sheets: people's part of a run is never in a bucket; docs/buckets.md says how");
        }
        return Ok(Vec::new());
    }
    match export_all(pool) {
        Err(AnnotateError::Sheets(error)) => {
            ctx.progress.note(&format!("no task sheets: {error}"));
            Ok(Vec::new())
        }
        exported => exported,
    }
}
