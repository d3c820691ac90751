//! `hardset verify`: every file of a run.

use serde_json::json;

use super::args::RunArgs;
use super::output::Output;
use super::session::Session;
use crate::stage::{self, StageError};
use crate::store::{ReleaseDir, StoreError};

pub fn run(session: &Session, args: &RunArgs) -> anyhow::Result<Output> {
    let ctx = session.context(&args.run);
    let verified = match ReleaseDir::find(&args.run) {
        Some(release) => stage::verify_release(&ctx, &release)?,
        None if ReleaseDir::has_lost_record(&args.run) => {
            let path = args.run.display().to_string();
            return Err(StageError::from(StoreError::NotARelease { path }).into());
        }
        None => {
            let _lock = ctx.run.lock().map_err(StageError::from)?;
            stage::verify(&ctx)?
        }
    };
    let text = match verified.problems.len() {
        0 => format!("{}: {} files are what they should be", args.run.display(), verified.files),
        n => format!("{}\n{n} problem(s) in {} files", verified.problems.join("\n"), verified.files),
    };
    let json = json!({ "run": args.run.display().to_string(), "files": verified.files, "problems": verified.problems });
    Ok(Output::new(text, json).lost(verified.problems.len() as u64))
}
