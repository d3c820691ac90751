//! The release that a build makes beside its run, of the current mining.
//!
//! Holds always: nothing that lies there is changed, and nothing there stops a build: the folder has the hash of the
//! mining in its name, so that another mining gets another folder; where something else has that name (the release
//! before people answered or settings changed, or one that somebody has edited), a number follows.

use super::{ReleaseError, ReleaseTo, Released, release};
use crate::pool::Pool;
use crate::store::beside;

/// Releases the current mining as `release` does; `None`, with a note, if there is nothing to release.
pub fn release_beside(pool: &Pool) -> Result<Option<Released>, ReleaseError> {
    let run = pool.ctx().run.path();
    let note = |why: String| {
        pool.ctx().progress.note(&format!("no release and no evaluation: {why}"));
        Ok(None)
    };
    if pool.hard()?.is_empty() {
        return note("no item is hard".to_owned());
    }
    let to = ReleaseTo {
        out: beside(run, &format!("release-{}", pool.spec().mining_hash())),
        or_numbered: true,
        base: None,
        also: Vec::new(),
        against: Vec::new(),
    };
    match release(pool, &to) {
        Ok(released) => Ok(Some(released)),
        Err(ReleaseError::Inside { out, folder }) => note(format!(
            "{out} would lie inside {folder}; build with another --run-dir, or call `hardset release {} --out DIR` and \
             `hardset evaluate DIR`",
            run.display()
        )),
        // Neither the run nor the recipe is wrong: people answer, or have rejected everything.
        Err(error @ (ReleaseError::Nothing { .. } | ReleaseError::NotCollected { .. })) => note(error.to_string()),
        Err(error) => Err(error),
    }
}
