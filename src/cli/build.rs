//! `hardset build`: from a pipeline to the report and the task sheets, in one call.
//!
//! Does no work of its own: every step is a verb of `stage`. Holds always: the same call continues where it stopped,
//! because every step skips what is done.

use serde_json::json;

use super::args::BuildArgs;
use super::error::Error;
use super::output::Output;
use super::session::Session;
use super::{annotate, mine, report};
use crate::pool::Pool;
use crate::stage::annotate::{AnnotateError, Exported, export_all};
use crate::stage::report::{report as write_report, want_thumbnails};
use crate::stage::{generate, mine as mining, plan};
use crate::store::Check;
use crate::work::Part;

pub fn run(session: &Session, args: &BuildArgs) -> Result<Output, Error> {
    let recipe = Session::recipe(&args.pipeline)?;
    let dir = Session::run_dir(&args.pipeline, &recipe);
    let ctx = session.context(&dir);
    let _lock = Session::for_making(&ctx)?;
    let spec = plan::plan(&ctx, &recipe)?;
    mine::prepare(session, &dir, &spec)?;
    generate::generate_on(&ctx, session.devices(), &spec)?;
    let images = generate::generate(&ctx, &spec, Check::Hashes, Part::WHOLE)?;
    let pool = Pool::open(&ctx, &spec)?;
    mining::score_on(&pool, session.devices(), &images.records)?;
    let mined = mining::mine(&pool, &images, Check::Hashes)?;
    // Sheets before the report: decoding a hard image for people also gives its thumbnail.
    want_thumbnails(&pool, args.max_images)?;
    let sheets = sheets(&pool);
    // Written also if the sheets cannot be.
    let page = write_report(&pool, args.max_images, &ctx.run.report())?;
    let sheets = sheets?;
    let mined = mine::output(&dir, &mined);
    let lines = sheets.iter().map(|exported| annotate::written(exported, &spec));
    let text = [mined.text, report::text(&page)].into_iter().chain(lines).collect::<Vec<_>>().join("\n");
    let json = json!({
        "run": dir.display().to_string(), "mining": mined.json, "report": page.path.display().to_string(),
        "passed_over": plan::passed_over(Some(&pool.plan().record)), "notes": plan::notes(Some(&pool.plan().record)),
        "sheets": sheets.iter().map(annotate::exported_json).collect::<Vec<_>>(),
    });
    let left_out: u64 = sheets.iter().map(|exported| exported.left_out).sum();
    Ok(Output { text, json, code: mined.code }.lost(left_out + page.without_image))
}

/// The task sheets that the recipe asks for. A pool that cannot fill one is noted, not an error, because a small trial
/// run has too few sure images for sentinels.
fn sheets(pool: &Pool) -> Result<Vec<Exported>, AnnotateError> {
    match export_all(pool) {
        Err(AnnotateError::Sheets(error)) => {
            pool.ctx().progress.note(&format!("no task sheets: {error}"));
            Ok(Vec::new())
        }
        exported => exported,
    }
}
