//! `plan.parquet`: one row per image to make or to read, item ids ascending.

use std::ops::Range;
use std::path::Path;

use polars::prelude::*;

use super::frame::{self, TableError};
use crate::domain::{ItemId, PlanRow};

const COLUMNS: [&str; 10] = [
    "item_id",
    "category",
    "label_ids",
    "nuisance_kind",
    "nuisance",
    "template",
    "prompt",
    "negative_prompt",
    "seed",
    "source",
];

/// A plan in memory, as columns.
pub struct PlanTable(pub(super) DataFrame);

impl PlanTable {
    /// The rows as Parquet.
    pub fn encode(rows: &[PlanRow]) -> Result<Vec<u8>, TableError> {
        let texts = |name: &str, text: fn(&PlanRow) -> Option<&str>| {
            Column::new(name.into(), rows.iter().map(text).collect::<Vec<Option<&str>>>())
        };
        frame::encode(vec![
            Column::new("item_id".into(), rows.iter().map(|row| row.item_id.0).collect::<Vec<u32>>()),
            texts("category", |row| Some(&row.category)),
            frame::lists("label_ids", rows.iter().map(|row| row.label_ids.as_slice())),
            texts("nuisance_kind", |row| row.nuisance_kind.as_deref()),
            texts("nuisance", |row| row.nuisance.as_deref()),
            texts("template", |row| row.template.as_deref()),
            texts("prompt", |row| row.prompt.as_deref()),
            texts("negative_prompt", |row| row.negative_prompt.as_deref()),
            Column::new("seed".into(), rows.iter().map(|row| row.seed).collect::<Vec<u64>>()),
            texts("source", |row| row.source.as_deref()),
        ])
    }

    /// Reads the whole plan.
    pub fn read(path: &Path) -> Result<Self, TableError> {
        frame::read(path, &COLUMNS, ParallelStrategy::Auto).map(Self)
    }

    /// Reads the columns that the table of a mining repeats.
    pub fn read_for_mining(path: &Path) -> Result<Self, TableError> {
        frame::read(path, &super::mined::PLAN_COLUMNS, ParallelStrategy::Auto).map(Self)
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.0.height()
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows at `range`, of a plan that was read whole.
    pub fn rows(&self, range: Range<usize>) -> Result<Vec<PlanRow>, TableError> {
        let slice = self.0.slice(range.start as i64, range.len());
        Ok(decode(&slice)?)
    }
}

fn decode(frame: &DataFrame) -> PolarsResult<Vec<PlanRow>> {
    let ids = frame::u32s(frame, "item_id")?;
    let seeds = frame::u64s(frame, "seed")?;
    let mut categories = frame::full_strings(frame, "category")?;
    let mut labels = frame::i32_lists(frame, "label_ids")?;
    let [mut kinds, mut nuisances, mut templates, mut prompts, mut negatives, mut sources] =
        ["nuisance_kind", "nuisance", "template", "prompt", "negative_prompt", "source"]
            .map(|name| frame::strings(frame, name));
    let take = |texts: &mut PolarsResult<Vec<Option<String>>>, at: usize| {
        texts.as_mut().ok().and_then(|texts| texts[at].take())
    };
    Ok((0..ids.len())
        .map(|at| PlanRow {
            item_id: ItemId(ids[at]),
            category: std::mem::take(&mut categories[at]),
            label_ids: std::mem::take(&mut labels[at]),
            nuisance_kind: take(&mut kinds, at),
            nuisance: take(&mut nuisances, at),
            template: take(&mut templates, at),
            prompt: take(&mut prompts, at),
            negative_prompt: take(&mut negatives, at),
            seed: seeds[at],
            source: take(&mut sources, at),
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: u32) -> PlanRow {
        PlanRow {
            item_id: ItemId(id),
            category: "mug".to_owned(),
            label_ids: vec![504, 968],
            nuisance_kind: None,
            nuisance: (id == 3).then(|| "a \"quoted\" forest\n".to_owned()),
            template: None,
            prompt: Some(format!("A photo of {id} mugs")),
            negative_prompt: None,
            seed: u64::MAX - u64::from(id),
            source: None,
        }
    }

    #[test]
    fn rows_come_back_as_they_went_in() {
        let rows: Vec<PlanRow> = [0, 3, 7].map(row).into();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), PlanTable::encode(&rows).unwrap()).unwrap();
        let table = PlanTable::read(file.path()).unwrap();
        assert_eq!((table.len(), table.rows(0..3).unwrap()), (3, rows.clone()));
        assert_eq!(table.rows(1..2).unwrap(), rows[1..2]);
    }

    #[test]
    fn a_file_that_is_no_table_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"not parquet").unwrap();
        let error = PlanTable::read(file.path()).err().unwrap().to_string();
        assert!(error.contains(&file.path().display().to_string()), "{error}");
    }
}
