//! The tables of results: what each image of a pool shows, and what each target made of it, lost images included.
//!
//! Does not compute figures. Holds always: every planned image has one row for each target, in the plan's order; an
//! image that could not be read or scored has its reason instead of a prediction.

use std::collections::HashMap;
use std::mem::take;
use std::path::PathBuf;

use super::error::EvaluateError;
use crate::domain::{EvaluationRecord, Hasher, ImageRow, ItemId, PlanRow, PoolRole, Prediction, ResultRow, Sha256};
use crate::pool::Pool;
use crate::store::{EvaluationDir, ShardRecord};
use crate::table::{PoolColumns, results_table};

/// Why an image has no prediction, if no record says it.
const NO_REASON: &str = "it was lost without a reason";

/// Makes the tables of all targets on the pool of `role`, each given to `keep` with its path; returns what the images
/// show, and a hash of that.
pub fn tables(
    pool: &Pool,
    dir: &EvaluationDir,
    role: PoolRole,
    keep: &mut dyn FnMut(PathBuf, Vec<u8>) -> Result<(), EvaluateError>,
) -> Result<(PoolColumns, Sha256), EvaluateError> {
    let (mut columns, mut hasher) = (PoolColumns::default(), Hasher::default());
    for shard in 0..pool.shards() {
        pool.ctx().check_stop()?;
        let shown = shown(pool, role, shard)?;
        for row in &shown {
            hasher.update(named(row).as_bytes());
        }
        for target in pool.spec().targets() {
            let rows = rows(pool, &target.name, shard, &shown)?;
            keep(dir.results(&target.name, role, shard), results_table::encode(&rows)?)?;
        }
        shown.into_iter().for_each(|row| push(&mut columns, row));
    }
    keep(dir.images(role), results_table::encode_images(&columns)?)?;
    Ok((columns, hasher.finish()))
}

/// An image as its hash names it: equal images with equal labels have equal names, wherever they are.
fn named(row: &ResultRow) -> String {
    let sha256 = row.sha256.map_or_else(|| "unread".to_owned(), |hash| hash.to_string());
    let (kind, nuisance) = (row.kind.as_deref().unwrap_or_default(), row.nuisance.as_deref().unwrap_or_default());
    format!("{sha256}\t{}\t{kind}\t{nuisance}\n", row.category)
}

fn push(columns: &mut PoolColumns, row: ResultRow) {
    columns.item_id.push(row.item_id.0);
    columns.path.push(row.path);
    columns.sha256.push(row.sha256.map_or_else(String::new, |hash| hash.to_string()));
    columns.category.push(row.category);
    columns.kind.push(row.kind);
    columns.nuisance.push(row.nuisance);
}

/// The images of a shard, without predictions; those that could not be read have the reason.
fn shown(pool: &Pool, role: PoolRole, shard: usize) -> Result<Vec<ResultRow>, EvaluateError> {
    let images: HashMap<ItemId, ImageRow> =
        pool.image_rows(shard)?.iter().map(|row| (row.item_id, row.clone())).collect();
    let mut reasons = reasons(&pool.ctx().run.images(shard).existing()?);
    let mut rows = Vec::new();
    for planned in pool.items(shard)? {
        let PlanRow { item_id, category, nuisance_kind, nuisance, source, .. } = planned;
        let image = images.get(&item_id);
        rows.push(ResultRow {
            item_id,
            path: source.or_else(|| image.map(|image| image.path.clone())).unwrap_or_default(),
            sha256: image.map(|image| image.sha256),
            // Images of no category are planned under one that stands for none.
            category: if role == PoolRole::Ood { String::new() } else { category },
            kind: nuisance_kind,
            nuisance,
            prediction: Err(reasons.remove(&item_id).unwrap_or_default()),
        });
    }
    Ok(rows)
}

/// The rows of one target on a shard.
fn rows(pool: &Pool, target: &str, shard: usize, shown: &[ResultRow]) -> Result<Vec<ResultRow>, EvaluateError> {
    let mut predictions: HashMap<ItemId, Prediction> = HashMap::new();
    for row in pool.predictions(target, shard)? {
        predictions.insert(row.item_id, row);
    }
    let mut reasons = reasons(&pool.ctx().run.predictions(target, shard).existing()?);
    let mut rows = shown.to_vec();
    for row in &mut rows {
        if let Some(prediction) = predictions.remove(&row.item_id) {
            row.prediction = Ok(prediction);
        } else if let Err(unread) = &mut row.prediction {
            let reason = reasons.remove(&row.item_id).unwrap_or_else(|| take(unread));
            *unread = if reason.is_empty() { NO_REASON.to_owned() } else { reason };
        }
    }
    Ok(rows)
}

fn reasons(record: &ShardRecord) -> HashMap<ItemId, String> {
    record.lost.iter().map(|row| (row.item_id, row.reason.clone())).collect()
}

/// The hash of the hashes of a target's tables on the pool.
pub fn tables_sha256(dir: &EvaluationDir, target: &str, record: &EvaluationRecord) -> Sha256 {
    let mut hasher = Hasher::default();
    for path in dir.tables(target, PoolRole::Pool, record) {
        let hash = record.tables.get(&dir.name_of(&path)).map(ToString::to_string).unwrap_or_default();
        hasher.update(format!("{hash}\n").as_bytes());
    }
    hasher.finish()
}
