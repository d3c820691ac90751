//! `hardset verify`: every file of a run or release.
//!
//! Does not check anything: `stage::verify` does.

use serde_json::json;

use super::args::RunArgs;
use super::error::Error;
use super::output::Output;
use super::session::Session;
use crate::stage::verify::{verify, verify_release};
use crate::store::{ReleaseDir, StoreError};

pub fn run(session: &Session, args: &RunArgs) -> Result<Output, Error> {
    let ctx = session.context(&args.run);
    let verified = match ReleaseDir::find(&args.run) {
        Some(release) => verify_release(&ctx, &release)?,
        None if ReleaseDir::has_lost_record(&args.run) => {
            let path = args.run.display().to_string();
            return Err(StoreError::NotARelease { path }.into());
        }
        None => {
            let _lock = ctx.run.lock()?;
            verify(&ctx)?
        }
    };
    let text = match verified.problems.len() {
        0 => format!("{}: {} files are what they should be", args.run.display(), verified.files),
        n => format!("{}\n{n} problem(s) in {} files", verified.problems.join("\n"), verified.files),
    };
    let json = json!({ "run": args.run.display().to_string(), "files": verified.files, "problems": verified.problems });
    Ok(Output::new(text, json).lost(verified.problems.len() as u64))
}
