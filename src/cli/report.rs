//! `hardset report`: the page of the current mining.

use serde_json::json;

use super::args::ReportArgs;
use super::output::Output;
use super::session::Session;
use crate::stage::{self, ReportResult, StageError};

pub fn run(session: &Session, args: &ReportArgs) -> anyhow::Result<Output> {
    let ctx = session.context(&args.run);
    let _lock = ctx.run.lock().map_err(StageError::from)?;
    let spec = ctx.run.spec().map_err(StageError::from)?;
    let page = stage::report(&ctx, &spec, args.max_images)?;
    Ok(Output::new(
        text(&page),
        json!({ "report": page.path.display().to_string(), "shown": page.shown, "left_out": page.left_out }),
    ))
}

/// Where the page is and what it shows.
pub fn text(page: &ReportResult) -> String {
    let left_out = match page.left_out {
        0 => String::new(),
        n => format!(", {n} more left out (--max-images)"),
    };
    format!("report: {} ({} hard images{left_out})", page.path.display(), page.shown)
}
