//! verify of an evaluation: its runs, its tables against these, and every figure and document against the tables.
//!
//! Holds always: changes nothing; the figures are made again from the tables of results, so that a number that somebody
//! has changed is found, also in a folder that has lost its runs; the page is made again where its images are there.

use std::path::Path;

use super::{Verified, VerifyError, verify};
use crate::domain::PoolRole;
use crate::pool::Pool;
use crate::stage::evaluate::{EvaluateError, Figures, Inputs, documents, figures, load, remade_page, tables_of_run};
use crate::store::EvaluationDir;
use crate::work::Context;

/// What people can do about any problem.
const REMEDY: &str = "run the same `hardset evaluate` again";

/// Checks the whole evaluation.
pub fn verify_evaluation(ctx: &Context, dir: &EvaluationDir) -> Result<Verified, VerifyError> {
    let record = dir.record()?;
    let mut verified = Verified::begun();
    let roles = [PoolRole::Pool, PoolRole::Clean, PoolRole::Ood];
    for role in roles {
        ctx.check_stop()?;
        let ctx = Context { run: dir.run(role), ..ctx.again() };
        if ctx.run.spec_if_any()?.is_none() {
            continue;
        }
        let of_run = verify(&ctx)?;
        let is_whole = of_run.problems.is_empty();
        verified.files += of_run.files;
        verified.expected += of_run.expected;
        verified.problems.extend(of_run.problems);
        verified.not_checked.extend(of_run.not_checked);
        if is_whole {
            tables(&ctx, dir, role, &mut verified);
        }
    }
    for path in dir.strangers(&record) {
        let problem = "evaluation.toml has no such target; remove it";
        verified.problems.push(format!("{}: {problem}", path.display()));
    }
    let inputs = match load(dir, &record) {
        Ok(inputs) => inputs,
        Err(error) => {
            verified.problems.push(error.to_string());
            return Ok(verified);
        }
    };
    let made = figures(&inputs);
    match documents(dir, &inputs, &made) {
        Ok(documents) => {
            for (name, bytes) in documents {
                compare(&dir.document(&name), &bytes, "the tables of results", &mut verified);
            }
        }
        Err(error) => verified.problems.push(error.to_string()),
    }
    page(ctx, dir, (&inputs, &made), &mut verified);
    Ok(verified)
}

/// Holds the tables of results against the predictions of the run.
fn tables(ctx: &Context, dir: &EvaluationDir, role: PoolRole, verified: &mut Verified) {
    let made = ctx.run.spec().map_err(EvaluateError::from).and_then(|spec| {
        let pool = Pool::open(ctx, &spec)?;
        let mut each = |path: &Path, bytes: &[u8]| compare(path, bytes, "the predictions of its run", verified);
        tables_of_run(&pool, dir, role, &mut each)
    });
    if let Err(error) = made {
        verified.problems.push(error.to_string());
    }
}

/// Holds the page against the figures, if the images that it shows are there.
fn page(ctx: &Context, dir: &EvaluationDir, figures: (&Inputs, &Figures), verified: &mut Verified) {
    let (inputs, made) = figures;
    let ctx = Context { run: dir.run(PoolRole::Pool), ..ctx.again() };
    match remade_page(&ctx, dir, inputs, made) {
        Ok(Some(bytes)) => compare(&dir.document("index.html"), &bytes, "the figures and images", verified),
        Ok(None) => {
            let what = format!("the page, because the images of {} cannot be read here", inputs.record.pool.name);
            verified.not_checked.push(what);
        }
        Err(error) => verified.problems.push(error.to_string()),
    }
}

/// Compares a file with the bytes that it should have.
fn compare(path: &Path, wanted: &[u8], truth: &str, verified: &mut Verified) {
    verified.expected += 1;
    let problem = match std::fs::read(path) {
        Ok(found) if found == wanted => {
            verified.files += 1;
            return;
        }
        Ok(_) => format!("it is not what {truth} give"),
        Err(error) => format!("it cannot be read: {error}"),
    };
    verified.problems.push(format!("{}: {problem}; {REMEDY}", path.display()));
}
