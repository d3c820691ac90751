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
        let rows = ids.into_iter().zip(stages?).zip(sources?).zip(reasons?);
        Ok(rows
            .map(|(((id, stage), source), reason)| DropRow {
                item_id: ItemId(id),
                stage: stage_of(&stage),
                source,
                reason,
            })
            .collect())
    })
}

fn stage_of(text: &str) -> Stage {
    match text {
        "plan" => Stage::Plan,
        "generate" => Stage::Generate,
        _ => Stage::Mine,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_as_they_went_in_even_if_there_are_none() {
        let row =
            DropRow { item_id: ItemId(4), stage: Stage::Generate, source: "a,b\n".into(), reason: "truncated".into() };
        for rows in [vec![], vec![row]] {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), encode(&rows).unwrap()).unwrap();
            assert_eq!(decode(file.path()).unwrap(), rows);
        }
    }
}
