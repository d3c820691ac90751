//! Writes the documents of a release, and last the hashes of all of its files.
//!
//! Does not word them: `render::release` does.

use rayon::prelude::*;

use super::ReleaseError;
use super::choose::LeftOut;
use super::data::DataFile;
use crate::domain::DataFileRecord;
use crate::render::release::{
    Changes, ExcludedRow, NearRow, Release, card, changes_md, citation_cff, croissant, excluded_csv, near_csv,
    sha256sums,
};
use crate::store::{Draft, StoreError, hash_file, hash_once};
use crate::work::Context;

/// The data files with their sizes and hashes.
pub fn file_records(ctx: &Context, draft: &Draft, files: &[DataFile]) -> Result<Vec<DataFileRecord>, ReleaseError> {
    let record = |file: &DataFile| {
        let path = draft.folder().join(file.path());
        let cannot = |error| StoreError::io("read", &path)(error);
        let (bytes, sha256) = (path.metadata().map_err(cannot)?.len(), hash_once(&path).map_err(cannot)?);
        Ok(DataFileRecord { path: file.path(), images: file.items().len() as u64, bytes, sha256 })
    };
    ctx.thread_pool()?.install(|| files.par_iter().map(record).collect())
}

/// The hash of the published recipe.
pub fn recipe_sha256(draft: &Draft) -> Result<String, ReleaseError> {
    let path = draft.folder().join("recipe.toml");
    let (_, sha256) = hash_file(&path).map_err(StoreError::io("read", &path))?;
    Ok(sha256.to_string())
}

/// Card, Croissant and citation.
pub fn write(draft: &Draft, facts: &Release) -> Result<(), ReleaseError> {
    draft.put("README.md", card(facts).as_bytes())?;
    draft.put("croissant.json", &croissant(facts))?;
    draft.put("CITATION.cff", citation_cff(facts).as_bytes())?;
    Ok(())
}

/// Lists of what was left out, what looks alike and what changed.
pub fn write_lists(
    draft: &Draft,
    left_out: &[LeftOut],
    near: &[NearRow],
    changes: Option<&Changes>,
) -> Result<(), ReleaseError> {
    let row = |row: &LeftOut| ExcludedRow {
        item_id: row.item_id.to_string(),
        category: row.category.clone(),
        reason: row.reason.to_string(),
        detail: row.detail.clone(),
    };
    draft.put("excluded.csv", &excluded_csv(&left_out.iter().map(row).collect::<Vec<_>>()))?;
    draft.put("near-duplicates.csv", &near_csv(near))?;
    match changes {
        Some(changes) => Ok(draft.put("CHANGES.md", changes_md(changes).as_bytes())?),
        None => Ok(()),
    }
}

/// `SHA256SUMS` over all files; `known`: files that have been hashed already.
pub fn write_sums(ctx: &Context, draft: &Draft, known: &[DataFileRecord]) -> Result<(), ReleaseError> {
    let names = draft.files()?;
    let sum = |name: &String| {
        if let Some(file) = known.iter().find(|file| file.path == *name) {
            return Ok((name.clone(), file.sha256.to_string()));
        }
        let path = draft.folder().join(name);
        let (_, sha256) = hash_file(&path).map_err(StoreError::io("read", &path))?;
        Ok((name.clone(), sha256.to_string()))
    };
    let sums: Result<Vec<_>, ReleaseError> = ctx.thread_pool()?.install(|| names.par_iter().map(sum).collect());
    Ok(draft.put("SHA256SUMS", sha256sums(&sums?).as_bytes())?)
}
