//! verify of a release: every file by its hash, and what the files say about each other.
//!
//! hashes -> recipe -> rows of the data files, and beside them each other form -> lists -> documents. The data files
//! and `release.json` are what everything else is held against, because all else is made from them: a file that
//! somebody has changed together with its line in `SHA256SUMS` is found too.
//!
//! Holds always: changes nothing; needs nothing but the release, because whoever downloads it has no run; a data file
//! is hashed before it is parsed; memory does not grow with the bytes of the images.

mod documents;
mod follow;
mod forms;
mod known;
mod lists;
mod row;
mod rows;
mod sums;

use super::{Verified, VerifyError};
use crate::stage::prepare::TOOL;
use crate::store::ReleaseDir;
use crate::work::Context;
use known::{Findings, Known};

/// Checks the whole release.
pub fn verify_release(ctx: &Context, release: &ReleaseDir) -> Result<Verified, VerifyError> {
    let record = release.record()?;
    let mut findings = Findings { folder: release.path(), verified: Verified::default() };
    let names = sums::listed(release, &record, &mut findings);
    let data = sums::compare(ctx, release, &record, &names, &mut findings)?;
    if !findings.is_good() {
        return Ok(findings.verified);
    }
    let recipe = match release.recipe() {
        Ok(recipe) => recipe,
        Err(error) => {
            findings.verified.problems.push(error.to_string());
            return Ok(findings.verified);
        }
    };
    let known = Known { folder: release.path(), record: &record, recipe: &recipe, names: &names };
    documents::check_recipe(&known, &mut findings);
    let Some(found) = rows::read(ctx, &known, &data, &mut findings)? else { return Ok(findings.verified) };
    let excluded = lists::check(&known, &found, &mut findings);
    if !known.is_ours() {
        ctx.progress.note(&format!(
            "{} was made by {}, not by {TOOL}: the facts in its documents are compared, but not their words",
            release.path().display(),
            record.tool
        ));
    }
    documents::check(&known, &found, excluded, &mut findings);
    Ok(findings.verified)
}
