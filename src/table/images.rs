//! `images/NNNNN.parquet`: where each image of a shard is, item ids ascending.

use std::path::Path;

use polars::prelude::*;

use super::frame::{self, TableError};
use crate::domain::{ImageRow, ItemId, Provenance, Sha256};

const COLUMNS: [&str; 13] = [
    "item_id",
    "path",
    "offset",
    "bytes",
    "sha256",
    "width_px",
    "height_px",
    "model_sha256",
    "engine",
    "sampler",
    "steps",
    "guidance",
    "warning",
];

/// Items and paths only, for the table of a mining.
pub struct ImagePaths(pub(super) DataFrame);

impl ImagePaths {
    /// Those of `rows`.
    pub fn of(rows: &[ImageRow]) -> Result<Self, TableError> {
        let columns = vec![
            Column::new("item_id".into(), rows.iter().map(|row| row.item_id.0).collect::<Vec<u32>>()),
            Column::new("path".into(), rows.iter().map(|row| row.path.as_str()).collect::<Vec<&str>>()),
        ];
        Ok(Self(DataFrame::new(rows.len(), columns)?))
    }

    /// No items.
    pub fn empty() -> Result<Self, TableError> {
        let columns =
            vec![Column::new("item_id".into(), Vec::<u32>::new()), Column::new("path".into(), Vec::<String>::new())];
        Ok(Self(DataFrame::new(0, columns)?))
    }

    /// The items, ascending.
    pub fn item_ids(&self) -> Result<Vec<u32>, TableError> {
        Ok(frame::u32s(&self.0, "item_id")?)
    }
}

/// The rows as Parquet.
pub fn encode(rows: &[ImageRow]) -> Result<Vec<u8>, TableError> {
    let made = || rows.iter().map(|row| row.made.as_ref());
    frame::encode(vec![
        Column::new("item_id".into(), rows.iter().map(|row| row.item_id.0).collect::<Vec<u32>>()),
        Column::new("path".into(), rows.iter().map(|row| row.path.as_str()).collect::<Vec<&str>>()),
        Column::new("offset".into(), rows.iter().map(|row| row.offset).collect::<Vec<u64>>()),
        Column::new("bytes".into(), rows.iter().map(|row| row.bytes).collect::<Vec<u64>>()),
        Column::new("sha256".into(), rows.iter().map(|row| row.sha256.to_string()).collect::<Vec<String>>()),
        Column::new("width_px".into(), rows.iter().map(|row| row.width_px).collect::<Vec<u32>>()),
        Column::new("height_px".into(), rows.iter().map(|row| row.height_px).collect::<Vec<u32>>()),
        Column::new(
            "model_sha256".into(),
            made().map(|made| Some(made?.model_sha256.to_string())).collect::<Vec<Option<String>>>(),
        ),
        Column::new("engine".into(), made().map(|made| Some(made?.engine.as_str())).collect::<Vec<Option<&str>>>()),
        Column::new("sampler".into(), made().map(|made| Some(made?.sampler.as_str())).collect::<Vec<Option<&str>>>()),
        Column::new("steps".into(), made().map(|made| Some(made?.steps)).collect::<Vec<Option<u32>>>()),
        Column::new("guidance".into(), made().map(|made| Some(made?.guidance)).collect::<Vec<Option<f64>>>()),
        Column::new("warning".into(), made().map(|made| made?.warning.as_deref()).collect::<Vec<Option<&str>>>()),
    ])
}

/// The rows of the file.
pub fn decode(path: &Path) -> Result<Vec<ImageRow>, TableError> {
    frame::read_rows(path, &COLUMNS, rows)
}

/// The engine of images in tables without the column `engine`, which are older than the second engine.
const FIRST_ENGINE: &str = "candle";

/// Items and paths of the file.
pub fn read_paths(path: &Path) -> Result<ImagePaths, TableError> {
    frame::ShardFile::read(path)?.columns(&COLUMNS[..2]).map(ImagePaths)
}

fn rows(frame: &DataFrame) -> PolarsResult<Vec<ImageRow>> {
    let ids = frame::u32s(frame, "item_id")?;
    let paths = frame::full_strings(frame, "path")?;
    let (offsets, bytes) = (frame::u64s(frame, "offset")?, frame::u64s(frame, "bytes")?);
    let hashes = frame::full_strings(frame, "sha256")?;
    let (widths, heights) = (frame::u32s(frame, "width_px")?, frame::u32s(frame, "height_px")?);
    let mut made = provenances(frame)?;
    (ids.into_iter().zip(paths).zip(hashes).enumerate())
        .map(|(at, ((id, path), hash))| {
            Ok(ImageRow {
                item_id: ItemId(id),
                path,
                offset: offsets[at],
                bytes: bytes[at],
                sha256: hash_of(hash)?,
                width_px: widths[at],
                height_px: heights[at],
                made: made[at].take(),
            })
        })
        .collect()
}

fn hash_of(text: String) -> PolarsResult<Sha256> {
    Sha256::try_from(text).map_err(|problem| polars_err!(ComputeError: "{problem}"))
}

fn provenances(frame: &DataFrame) -> PolarsResult<Vec<Option<Provenance>>> {
    let models = frame::strings(frame, "model_sha256")?;
    let engines = match frame.column("engine") {
        Ok(_) => frame::full_strings(frame, "engine")?,
        Err(_) => vec![FIRST_ENGINE.to_owned(); models.len()],
    };
    let (samplers, mut warnings) = (frame::full_strings(frame, "sampler")?, frame::strings(frame, "warning")?);
    let (steps, guidances) = (frame.column("steps")?.u32()?, frame.column("guidance")?.f64()?);
    let mut made = Vec::with_capacity(models.len());
    for (at, model) in models.into_iter().enumerate() {
        let Some(model) = model else {
            made.push(None);
            continue;
        };
        made.push(Some(Provenance {
            model_sha256: hash_of(model)?,
            engine: engines[at].clone(),
            sampler: samplers[at].clone(),
            steps: steps.get(at).unwrap_or_default(),
            guidance: guidances.get(at).unwrap_or_default(),
            warning: warnings[at].take(),
        }));
    }
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_as_they_went_in() {
        let row = |id: u32| ImageRow {
            item_id: ItemId(id),
            path: format!("a/{id}.png"),
            offset: 512,
            bytes: 77,
            sha256: Sha256::of(&[id as u8]),
            width_px: 4,
            height_px: 3,
            made: (id % 2 == 1).then(|| Provenance {
                model_sha256: Sha256::of(b"model"),
                engine: if id == 1 { "ort" } else { "candle" }.to_owned(),
                sampler: "ddim".to_owned(),
                steps: 20,
                guidance: 7.5,
                warning: (id == 3).then(|| "cut".to_owned()),
            }),
        };
        let rows: Vec<ImageRow> = (0..5).map(row).collect();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), encode(&rows).unwrap()).unwrap();
        assert_eq!(decode(file.path()).unwrap(), rows);

        // A table from before the column existed.
        let whole = frame::ShardFile::read(file.path()).unwrap().columns(&COLUMNS).unwrap();
        let older = whole.drop("engine").unwrap().into_columns();
        std::fs::write(file.path(), frame::encode(older).unwrap()).unwrap();
        let read = decode(file.path()).unwrap();
        let engines: Vec<_> = read.iter().map(|row| row.made.as_ref().map(|made| made.engine.as_str())).collect();
        assert_eq!(engines, [None, Some("candle"), None, Some("candle"), None]);
    }
}
