//! `hardset report`: the current mining as an HTML page.
//!
//! Does not count or lay out anything: `stage::report` and `render::report` do. Holds always: needs no lock, and with
//! `--out` writes nothing into the run, so that the page of an archived run can be made.

use serde_json::json;

use super::args::ReportArgs;
use super::error::Error;
use super::output::Output;
use super::session::Session;
use crate::pool::Pool;
use crate::stage::report::{ReportResult, report};

pub fn run(session: &Session, args: &ReportArgs) -> Result<Output, Error> {
    let ctx = session.context(&args.run)?;
    let spec = ctx.run.spec()?;
    let out = args.out.clone().unwrap_or_else(|| ctx.run.report());
    let page = report(&Pool::open(&ctx, &spec)?, args.max_images, &out)?;
    Ok(Output::new(
        text(&page),
        json!({
            "report": page.path.display().to_string(), "shown": page.shown, "left_out": page.left_out,
            "without_image": page.without_image,
        }),
    )
    .lost(page.without_image))
}

/// Where the page is and how many images it shows, as text.
pub fn text(page: &ReportResult) -> String {
    let left_out = match page.left_out {
        0 => String::new(),
        n => format!(", {n} more left out (--max-images)"),
    };
    let without = match page.without_image {
        0 => String::new(),
        n => format!(", {n} of them cannot be read any more"),
    };
    format!("report: {} ({} hard images{left_out}{without})", page.path.display(), page.shown)
}
