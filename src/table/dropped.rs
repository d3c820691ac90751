//! `dropped.parquet`: why items are not in the result; sorted by item, then by stage.

use std::path::Path;

use polars::prelude::*;

use super::frame::{self, TableError};
use crate::domain::{DropRow, ItemId, Stage};

/// The rows as Parquet.
pub fn encode(rows: &[DropRow]) -> Result<Vec<u8>, TableError> {
    let texts = |name: &str, text: fn(&DropRow) -> String| {
        Column::new(name.into(), rows.iter().map(text).collect::<Vec<String>>())
    };
    frame::encode(vec![
        Column::new("item_id".into(), rows.iter().map(|row| row.item_id.0).collect::<Vec<u32>>()),
        texts("stage", |row| row.stage.to_string()),
        texts("source", |row| row.source.clone()),
        texts("reason", |row| row.reason.clone()),
    ])
}

/// The rows of the file.
pub fn decode(path: &Path) -> Result<Vec<DropRow>, TableError> {
    frame::read_rows(path, &["item_id", "stage", "source", "reason"], |frame| {
        let ids = frame::u32s(frame, "item_id")?;
        let [stages, sources, reasons] = ["stage", "source", "reason"].map(|name| frame::full_strings(frame, name));
        let mut rows = Vec::with_capacity(ids.len());
        for (((id, stage), source), reason) in ids.into_iter().zip(stages?).zip(sources?).zip(reasons?) {
            rows.push(DropRow { item_id: ItemId(id), stage: stage_of(&stage)?, source, reason });
        }
        Ok(rows)
    })
}

fn stage_of(text: &str) -> PolarsResult<Stage> {
    let found = Stage::ALL.into_iter().find(|stage| stage.to_string() == text);
    found.ok_or_else(|| polars_err!(ComputeError: "`{text}` is not a stage"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_as_they_went_in_even_if_there_are_none() {
        let row = |stage| DropRow { item_id: ItemId(4), stage, source: "a,b\n".into(), reason: "truncated".into() };
        for rows in [vec![], Stage::ALL.map(row).to_vec()] {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), encode(&rows).unwrap()).unwrap();
            assert_eq!(decode(file.path()).unwrap(), rows);
        }
    }

    #[test]
    fn a_stage_that_is_not_known_is_an_error() {
        let error = stage_of("polish").unwrap_err().to_string();
        assert!(error.contains("`polish` is not a stage"), "{error}");
    }
}
