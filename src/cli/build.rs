//! `hardset build`: the whole journey.

use serde_json::json;

use super::args::BuildArgs;
use super::output::Output;
use super::session::Session;
use super::{annotate, fan_out, mine, report};
use crate::domain::RunSpec;
use crate::stage::{self, Context, Exported, Part, StageError};
use crate::store::Check;

pub fn run(session: &Session, args: &BuildArgs) -> anyhow::Result<Output> {
    let recipe = Session::recipe(&args.pipeline)?;
    let dir = Session::run_dir(&args.pipeline, &recipe);
    let ctx = session.context(&dir);
    let _lock = ctx.run.create().map_err(StageError::from)?;
    ctx.run.sweep().map_err(StageError::from)?;
    let spec = stage::plan(&ctx, &recipe)?;
    mine::prepare(session, &dir, &spec)?;
    fan_out::generate(session, &ctx, &spec)?;
    let images = stage::generate(&ctx, &spec, Check::Hashes, Part::WHOLE)?;
    fan_out::mine(session, &ctx, &spec, &images.records)?;
    let mining = stage::mine(&ctx, &spec, &images, Check::Hashes)?;
    let page = stage::report(&ctx, &spec, args.max_images)?;
    let sheets = sheets(&ctx, &spec)?;
    let mined = mine::output(&dir, &mining);
    let lines = sheets.iter().map(|exported| annotate::written(exported, &spec));
    let text = [mined.text, report::text(&page)].into_iter().chain(lines).collect::<Vec<_>>().join("\n");
    let json = json!({
        "run": dir.display().to_string(), "mining": mined.json, "report": page.path.display().to_string(),
        "sheets": sheets.iter().map(annotate::exported_json).collect::<Vec<_>>(),
    });
    let left_out = sheets.iter().map(|exported| exported.left_out).sum();
    Ok(Output { text, json, code: mined.code }.lost(left_out))
}

/// The task sheets that the recipe asks for; a pool that cannot fill one is no reason to fail.
fn sheets(ctx: &Context, spec: &RunSpec) -> Result<Vec<Exported>, StageError> {
    match stage::export_all(ctx, spec) {
        Err(StageError::Sheets(error)) => {
            ctx.progress.note(&format!("no task sheets: {error}"));
            Ok(Vec::new())
        }
        exported => exported,
    }
}
