//! External files of a run: found on this machine, or fetched where the data manifest says how.
//!
//! Holds always: a fetch is announced before it starts, and a hash that is pinned now is shown, because both change
//! what the next run finds.

use super::PrepareError;
use crate::assets::{self, AssetError, Located};
use crate::config::{WeightsRef, real_path};
use crate::domain::{DataEntry, PinnedFile};
use crate::work::Context;

/// A surrogate's weights, found or fetched, and hashed. `name`: the surrogate.
pub fn find_weights(ctx: &Context, name: &str, weights: &WeightsRef) -> Result<PinnedFile, PrepareError> {
    let found = match weights {
        WeightsRef::Path { path, sha256 } => Located::at(path, name, *sha256),
        WeightsRef::Entry(entry) => find_or_fetch(ctx, entry),
    };
    let Located { path, bytes, sha256 } =
        found.map_err(|source| PrepareError::Weights { name: name.to_owned(), source: Box::new(source) })?;
    Ok(PinnedFile { path: real_path(&path), bytes, sha256 })
}

/// The file of `entry`; fetched, with a note, if it is not on this machine and has a source.
pub fn find_or_fetch(ctx: &Context, entry: &DataEntry) -> Result<Located, AssetError> {
    match ctx.data.locate(entry) {
        Err(AssetError::Missing { .. }) if entry.source.is_some() => {
            ctx.progress.note(&format!("fetching {} into {}", entry.id, ctx.data.cache().display()));
            let fetched = assets::fetch(entry, &ctx.data, true)?;
            if fetched.pinned_now {
                ctx.progress.note(&pinned_note(&entry.id, &fetched.located));
            }
            Ok(fetched.located)
        }
        found => found,
    }
}

/// The note about a fetched file whose hash the manifest does not have.
pub fn pinned_note(id: &str, located: &Located) -> String {
    format!("{id} had no hash in data-manifest.toml; pinned now: {}", located.sha256)
}
