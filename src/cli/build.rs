//! `hardset build`: the whole journey.

use serde_json::json;

use super::args::BuildArgs;
use super::output::Output;
use super::session::Session;
use super::{fan_out, mine, report};
use crate::stage::{self, Part};
use crate::store::Check;

pub fn run(session: &Session, args: &BuildArgs) -> anyhow::Result<Output> {
    let recipe = Session::recipe(&args.pipeline)?;
    let dir = Session::run_dir(&args.pipeline, &recipe);
    let ctx = session.context(&dir);
    let _lock = ctx.run.create().map_err(stage::StageError::from)?;
    ctx.run.sweep().map_err(stage::StageError::from)?;
    let spec = stage::plan(&ctx, &recipe)?;
    fan_out::generate(session, &ctx, &spec)?;
    let images = stage::generate(&ctx, &spec, Check::Hashes, Part::WHOLE)?;
    let mining = stage::mine(&ctx, &spec, &images, Check::Hashes)?;
    let page = stage::report(&ctx, &spec, args.max_images)?;
    let mined = mine::output(&dir, &mining);
    let text = format!("{}\n{}", mined.text, report::text(&page));
    let json =
        json!({ "run": dir.display().to_string(), "mining": mined.json, "report": page.path.display().to_string() });
    Ok(Output { text, json, code: mined.code })
}
