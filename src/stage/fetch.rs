//! fetch: brings files and models of the data manifest into the cache.
//!
//! Does not download by itself: `assets` does. Holds always: a hash that is pinned now is shown, because the next fetch
//! is checked against it.

use std::path::{Path, PathBuf};

use super::prepare::{self, PrepareError, pinned_note};
use crate::domain::{DataEntry, DiffusionModel, ModelEntry};
use crate::work::Context;
use crate::{assets, config};

/// One file or model that is in the cache now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchResult {
    /// Its id.
    pub id: String,
    /// Where it is.
    pub path: PathBuf,
    /// Its hash; of a model, that of the names and hashes of its files.
    pub sha256: String,
    /// Its licence.
    pub licence: String,
    /// Whether this call fetched it.
    pub fresh: bool,
}

/// Fetches the files or models `ids`; if `ids` is empty, all files that have a source.
pub fn fetch(ctx: &Context, ids: &[String]) -> Result<Vec<FetchResult>, PrepareError> {
    let here = Path::new(".");
    if ids.is_empty() {
        let entries = config::all_entries(here)?.into_values().filter(|entry| entry.source.is_some());
        return entries.map(|entry| fetch_file(ctx, entry)).collect();
    }
    let one = |id: &String| match config::model_entry(id)? {
        Some(model) => fetch_model(ctx, model),
        None => fetch_file(ctx, config::entry(id, here, "the command line")?),
    };
    ids.iter().map(one).collect()
}

fn fetch_file(ctx: &Context, entry: DataEntry) -> Result<FetchResult, PrepareError> {
    ctx.check_stop()?;
    let fetched = assets::fetch(&entry, &ctx.data, true)?;
    if fetched.pinned_now {
        ctx.progress.note(&pinned_note(&entry.id, &fetched.located));
    }
    Ok(FetchResult {
        id: entry.id,
        path: fetched.located.path,
        sha256: fetched.located.sha256.to_string(),
        licence: entry.licence,
        fresh: fetched.fresh,
    })
}

fn fetch_model(ctx: &Context, entry: ModelEntry) -> Result<FetchResult, PrepareError> {
    ctx.check_stop()?;
    let named =
        DiffusionModel { name: entry.id.clone(), path: PathBuf::new(), sha256: None, files: Vec::new(), licence: None };
    let before = prepare::look_up_model(ctx, &entry.id).is_some();
    let found = prepare::find_model(ctx, &named)?;
    let sha256 = found.sha256.map(|hash| hash.to_string()).unwrap_or_default();
    Ok(FetchResult { id: entry.id, path: found.path, sha256, licence: entry.licence, fresh: !before })
}
