//! A release of hardset as a pool: its images and labels, and what its surrogates said of them.
//!
//! Holds always: a data file is parsed only after its size and hash were compared with `release.json` and `SHA256SUMS`.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::error::BenchmarkError;
use super::parquet::source_of;
use crate::domain::{
    BenchmarkSource, CategorySet, Cell, ColumnFacts, ColumnKind, DataFileRecord, ItemId, ReleaseRecord, ReleaseRow,
    Sha256,
};
use crate::render::release::read_sums;
use crate::source::folder::{lost, row};
use crate::source::listing::{Listing, Rows};
use crate::store::{ReleaseDir, StoreError};
use crate::table::ReleaseFile;

/// The file that names all others.
const SUMS: &str = "SHA256SUMS";
/// The column of images.
pub const IMAGE: &str = "image";

/// A release whose files are as they were made.
pub struct Checked {
    /// Its record.
    pub record: ReleaseRecord,
    /// Its recipe's categories.
    pub categories: CategorySet,
    /// Hash of its `SHA256SUMS`.
    pub key: Sha256,
}

/// Compares the data files of a release with its hashes.
pub fn check(release: &ReleaseDir) -> Result<Checked, BenchmarkError> {
    let record = release.record()?;
    let path = release.path().join(SUMS);
    let text = std::fs::read(&path).map_err(StoreError::io("read", &path))?;
    let (sums, _) = read_sums(&String::from_utf8_lossy(&text));
    record.files.par_iter().map(|file| data_file(release, file, &sums)).collect::<Result<Vec<_>, _>>()?;
    let categories = release.recipe()?.categories;
    Ok(Checked { record, categories, key: Sha256::of(&text) })
}

fn data_file(
    release: &ReleaseDir,
    file: &DataFileRecord,
    sums: &std::collections::BTreeMap<String, String>,
) -> Result<PathBuf, StoreError> {
    let path = release.data(file)?;
    match sums.get(&file.path) {
        Some(sum) if *sum == file.sha256.to_string() => Ok(path),
        Some(_) => {
            Err(release.damaged(format!("the SHA-256 of {} in {SUMS} is not the one in release.json", file.path)))
        }
        None => Err(release.damaged(format!("{SUMS} does not name {}", file.path))),
    }
}

/// All images, in the order of the data files; the hashes must have been compared.
pub fn list(source: &BenchmarkSource, categories: &CategorySet, seed: u64) -> Result<Listing, BenchmarkError> {
    let root = source.root.as_path();
    let columns = ["category", "nuisance_kind", "nuisance"].map(text_column);
    let (mut rows, mut all_lost, mut item) = (Vec::new(), Vec::new(), 0);
    for file in found(root)?.record()?.files {
        let mut at = 0;
        ReleaseFile::open(&root.join(&file.path))?.cells(&columns, |cells| {
            let (item_id, place) = (ItemId(item), source_of(&file.path, at));
            (item, at) = (item + 1, at + 1);
            let [category, kind, nuisance] = [0, 1, 2].map(|column| text(&cells, column));
            let known = category.as_deref().and_then(|id| categories.by_id(id));
            match known {
                Some(category) => {
                    let mut row = row(item_id, place, category, seed);
                    (row.nuisance_kind, row.nuisance) = (kind, nuisance);
                    rows.push(row);
                }
                None => {
                    let id = category.unwrap_or_default();
                    all_lost.push(lost(item_id, place, format!("its category `{id}` is not in {}", categories.name)));
                }
            }
        })?;
    }
    Ok(Listing { rows: Rows::Listed(rows), lost: all_lost, passed_over: Default::default(), notes: Vec::new() })
}

fn found(root: &Path) -> Result<ReleaseDir, BenchmarkError> {
    ReleaseDir::find(root).ok_or_else(|| BenchmarkError::Layout {
        path: root.to_owned(),
        found: "it has no release.json".to_owned(),
        remedy: "give the folder of a release".to_owned(),
    })
}

fn text_column(name: &str) -> ColumnFacts {
    ColumnFacts { name: name.to_owned(), kind: ColumnKind::Text, description: String::new() }
}

fn text(cells: &ReleaseRow, column: usize) -> Option<String> {
    match cells.get(column) {
        Some(Cell::Text(text)) => Some(text.clone()),
        _ => None,
    }
}

/// The cells of `wanted`, as far as the release at `root` has these columns: the columns that it has, and one row for
/// each image in the order of its items. The images are not read; the data files are compared with their hashes.
pub fn release_columns(
    root: &Path,
    wanted: &[ColumnFacts],
) -> Result<(Vec<ColumnFacts>, Vec<ReleaseRow>), BenchmarkError> {
    let release = found(root)?;
    check(&release)?;
    let (mut columns, mut rows) = (None, Vec::new());
    for file in release.record()?.files {
        let opened = ReleaseFile::open(&root.join(&file.path))?;
        let columns: &Vec<ColumnFacts> = columns.get_or_insert_with(|| opened.present(wanted));
        opened.cells(columns, |row| rows.push(row))?;
    }
    Ok((columns.unwrap_or_default(), rows))
}
