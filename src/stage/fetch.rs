//! fetch: brings files of the data manifest into the cache.

use std::path::{Path, PathBuf};

use super::resolve::pinned_note;
use super::{Context, StageError};
use crate::{assets, config};

/// One file that is there now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchResult {
    /// Its id.
    pub id: String,
    /// Where it is.
    pub path: PathBuf,
    /// Its hash.
    pub sha256: String,
    /// Its licence.
    pub licence: String,
    /// Whether it had to be fetched.
    pub fresh: bool,
}

/// Fetches the entries `ids`, or all that have a source where none is named.
pub fn fetch(ctx: &Context, ids: &[String]) -> Result<Vec<FetchResult>, StageError> {
    let here = Path::new(".");
    let entries = match ids {
        [] => config::all_entries(here)?.into_values().filter(|entry| entry.source.is_some()).collect(),
        ids => ids.iter().map(|id| config::entry(id, here, "the command line")).collect::<Result<Vec<_>, _>>()?,
    };
    let mut results = Vec::new();
    for entry in entries {
        ctx.check_stop()?;
        let fetched = assets::fetch(&entry, &ctx.data, true)?;
        if fetched.pinned_now {
            ctx.progress.note(&pinned_note(&entry.id, &fetched.located));
        }
        results.push(FetchResult {
            id: entry.id,
            path: fetched.located.path,
            sha256: fetched.located.sha256.to_string(),
            licence: entry.licence,
            fresh: fetched.fresh,
        });
    }
    Ok(results)
}
