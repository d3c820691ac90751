//! `hardset generate`: the images of a planned run.
//!
//! Does not make images: `stage::generate` does. Holds always: only the call that people make takes the lock; the
//! processes that it starts for other devices rely on it, because a lock has one owner.

use serde_json::json;

use super::args::GenerateArgs;
use super::error::Error;
use super::output::Output;
use super::session::Session;
use crate::stage::generate::{generate, generate_on};
use crate::stage::job::refuse_while_at_work;
use crate::stage::prepare::check_model;
use crate::store::{Check, RowCounts};
use crate::work::{Part, processes};

pub fn run(session: &Session, args: &GenerateArgs) -> Result<Output, Error> {
    let ctx = session.context(&args.run)?;
    let images = match args.part {
        // The process that started this one holds the lock and has checked the model.
        Some(part) => {
            processes::end_with_the_parent();
            generate(&ctx, &ctx.run.spec()?, Check::Sizes, part)?
        }
        None => {
            let _lock = Session::for_writing(&ctx)?;
            refuse_while_at_work(&ctx.run)?;
            let spec = ctx.run.spec()?;
            check_model(&ctx, &spec)?;
            generate_on(&ctx, session.devices(), &spec)?;
            generate(&ctx, &spec, Check::Hashes, Part::WHOLE)?
        }
    };
    let mut rows = RowCounts::default();
    images.records.iter().for_each(|record| rows.add(record.rows));
    let lost = rows.dropped + rows.failed;
    let text = format!("{} images, {lost} lost; {} processed in this call", rows.kept, images.fresh_rows);
    let json =
        json!({ "run": args.run.display().to_string(), "kept": rows.kept, "lost": lost, "fresh": images.fresh_rows });
    Ok(Output::new(text, json).lost(lost))
}
