//! `hardset plan`: counts, or the plan itself.

use serde_json::json;

use super::args::PlanArgs;
use super::output::{Output, size};
use super::session::Session;
use crate::stage::{self, Counts, StageError};

pub fn run(session: &Session, args: &PlanArgs) -> anyhow::Result<Output> {
    let recipe = Session::recipe(&args.pipeline)?;
    if args.dry_run {
        return Ok(counted(&stage::count(&recipe)?));
    }
    let dir = Session::run_dir(&args.pipeline, &recipe);
    let ctx = session.context(&dir);
    let _lock = ctx.run.create().map_err(StageError::from)?;
    ctx.run.sweep().map_err(StageError::from)?;
    stage::plan(&ctx, &recipe)?;
    let record = ctx.run.plan().record().map(|record| record.rows).unwrap_or_default();
    let text = format!("{}: {} items planned, {} files without a label", dir.display(), record.kept, record.dropped);
    let json = json!({ "run": dir.display().to_string(), "items": record.kept, "lost": record.dropped });
    Ok(Output::new(text, json).lost(record.dropped))
}

fn counted(counts: &Counts) -> Output {
    let Counts { pairs, items, lost, categories, shards, image_bytes, inferences } = counts;
    let space = size(*image_bytes);
    let pairs_text = pairs.map_or_else(String::new, |pairs| format!("{pairs} pairs of category and nuisance\n"));
    let text = format!(
        "{pairs_text}{items} items of {categories} categories in {shards} shard(s); {lost} files without a label\n\
         {space} of images to store, {inferences} inferences"
    );
    let json = json!({
        "pairs": pairs, "items": items, "lost": lost, "categories": categories, "shards": shards,
        "image_bytes": image_bytes, "inferences": inferences,
    });
    Output::new(text, json)
}
