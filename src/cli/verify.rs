//! `hardset verify`: every file of a run, a release or an evaluation.
//!
//! Does not check anything: `stage::verify` does.

use serde_json::json;

use super::args::RunArgs;
use super::error::Error;
use super::output::Output;
use super::session::Session;
use crate::stage::verify::{Verified, verify, verify_evaluation, verify_release};
use crate::store::{EvaluationDir, ReleaseDir, StoreError};

pub fn run(session: &Session, args: &RunArgs) -> Result<Output, Error> {
    let ctx = session.context(&args.run)?;
    let mut verified = match ReleaseDir::find(&args.run) {
        Some(release) => verify_release(&ctx, &release)?,
        None if ReleaseDir::has_lost_record(&args.run) => {
            let path = args.run.display().to_string();
            return Err(StoreError::NotARelease { path }.into());
        }
        None => match EvaluationDir::find(&args.run) {
            Some(evaluation) => verify_evaluation(&ctx, &evaluation)?,
            None => verify(&ctx)?,
        },
    };
    if let Some(home) = ctx.run.home() {
        verified.problems = verified.problems.iter().map(|problem| home.in_words(problem)).collect();
    }
    let mut text = match verified.problems.len() {
        0 => format!("{}: all {} files are what they should be", args.run.display(), verified.expected),
        n => {
            let Verified { files, expected, problems, .. } = &verified;
            format!("{}\n{n} problem(s); {files} of {expected} files are what they should be", problems.join("\n"))
        }
    };
    verified.not_checked.iter().for_each(|what| text += &format!("\nnot checked: {what}"));
    let json = json!({ "run": args.run.display().to_string(), "files": verified.files, "expected": verified.expected,
        "problems": verified.problems, "not_checked": verified.not_checked });
    Ok(Output::new(text, json).lost(verified.problems.len() as u64))
}
