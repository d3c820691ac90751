//! `hardset generate`: the images of a planned run.

use serde_json::json;

use super::args::GenerateArgs;
use super::fan_out;
use super::output::Output;
use super::session::Session;
use crate::stage::{self, Part, StageError};
use crate::store::{Check, Rows};

pub fn run(session: &Session, args: &GenerateArgs) -> anyhow::Result<Output> {
    let ctx = session.context(&args.run);
    let tally = match args.part {
        // The process that started this one holds the lock, and has checked the model.
        Some(part) => {
            fan_out::end_with_the_parent();
            stage::generate(&ctx, &ctx.run.spec().map_err(StageError::from)?, Check::Sizes, part)?
        }
        None => {
            let _lock = ctx.run.lock().map_err(StageError::from)?;
            ctx.run.sweep().map_err(StageError::from)?;
            let spec = ctx.run.spec().map_err(StageError::from)?;
            stage::check_model(&ctx, &spec)?;
            fan_out::generate(session, &ctx, &spec)?;
            stage::generate(&ctx, &spec, Check::Hashes, Part::WHOLE)?
        }
    };
    let mut rows = Rows::default();
    tally.records.iter().for_each(|record| rows.add(record.rows));
    let lost = rows.dropped + rows.failed;
    let text = format!("{} images, {lost} lost, {} worked on just now", rows.kept, tally.fresh_rows);
    let json =
        json!({ "run": args.run.display().to_string(), "kept": rows.kept, "lost": lost, "fresh": tally.fresh_rows });
    Ok(Output::new(text, json).lost(lost))
}
