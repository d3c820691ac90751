//! `hardset finish`: what the ranks of a job have made becomes the run's mining and its report.
//!
//! Does not join anything: `stage::job` does.

use serde_json::json;

use super::error::Error;
use super::job_args::FinishArgs;
use super::mine::{Line, selection};
use super::output::Output;
use super::report;
use super::session::Session;
use crate::pool::Pool;
use crate::stage::job::{JobError, finish};
use crate::stage::report::report as write_report;

pub fn run(session: &Session, args: &FinishArgs) -> Result<Output, Error> {
    let ctx = session.context(&args.run)?;
    let _lock = Session::for_writing(&ctx)?;
    let job = match &args.job {
        Some(name) => ctx.run.job(name),
        None => ctx.run.last_job()?.ok_or_else(|| {
            let run = args.run.display();
            JobError::Ask(format!("{run} has no job; submit one: `hardset submit {run} --to ENGINE --ranks N`"))
        })?,
    };
    let spec = ctx.run.spec()?;
    let pool = Pool::open_for_part(&ctx, &spec)?;
    let finished = finish(&pool, &job)?;
    let page = write_report(&pool, args.max_images, &ctx.run.report())?;
    let lines = finished.scorers.iter().map(|scorer| Line {
        name: &scorer.name,
        is_target: scorer.is_target,
        scored: scorer.scored,
        fresh: None,
    });
    let mined = selection(&args.run, lines, &finished.selected, finished.dropped, &finished.warnings);
    let json = json!({
        "run": args.run.display().to_string(), "job": job.name(), "mining": mined.json,
        "report": page.path.display().to_string(),
    });
    let text = format!("{}\n{}", mined.text, report::text(&page));
    Ok(Output { text, json, code: mined.code }.lost(page.without_image))
}
