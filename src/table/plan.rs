//! `plan.HASH.parquet`: one row per planned image, item ids ascending.

use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

use polars::io::parquet::metadata::FileMetadataRef;
use polars::prelude::*;
use rayon::prelude::*;

use super::frame::{self, RowGroups, TableError};
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

/// The columns that the table of a mining repeats.
const MINED_COLUMNS: [&str; 5] = ["item_id", "category", "nuisance_kind", "nuisance", "prompt"];

/// A plan on disk, read a slice at a time.
pub struct PlanTable {
    path: PathBuf,
    metadata: FileMetadataRef,
}

/// Some rows of a plan, with the columns that the table of a mining repeats.
pub struct PlanSlice(pub(super) DataFrame);

impl PlanSlice {
    /// These rows.
    pub fn of(rows: &[PlanRow]) -> Result<Self, TableError> {
        Ok(Self(columns(rows)?.select(MINED_COLUMNS)?))
    }

    /// The rows at `range` of the slice.
    pub fn part(&self, range: Range<usize>) -> Self {
        Self(self.0.slice(range.start as i64, range.len()))
    }
}

impl PlanTable {
    /// Writes `count` rows as Parquet, in row groups of `group_rows`, at least 1; `part` gives the rows of a range.
    /// Runs on the threads of the current pool; each has the rows of one group in memory at a time.
    pub fn write(
        target: impl Write + Send,
        count: usize,
        group_rows: usize,
        part: impl Fn(Range<usize>) -> Vec<PlanRow> + Sync,
    ) -> Result<(), TableError> {
        let writer = frame::writer(target).with_row_group_size(Some(group_rows));
        let writer = writer.batched(columns(&[])?.schema())?;
        let starts: Vec<usize> = (0..count).step_by(group_rows).collect();
        let encode = |&start: &usize| -> PolarsResult<RowGroups> {
            let rows = columns(&part(start..count.min(start + group_rows)))?;
            writer.encode_and_compress(&rows).collect()
        };
        for wave in starts.chunks(rayon::current_num_threads()) {
            let encoded: Vec<RowGroups> = wave.par_iter().map(encode).collect::<PolarsResult<_>>()?;
            encoded.into_iter().try_for_each(|groups| writer.write_row_groups(groups))?;
        }
        writer.finish()?;
        Ok(())
    }

    /// Opens the plan at `path`.
    pub fn open(path: &Path) -> Result<Self, TableError> {
        Ok(Self { path: path.to_owned(), metadata: frame::metadata(path)? })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.metadata.num_rows
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows at `range`.
    pub fn rows(&self, range: Range<usize>) -> Result<Vec<PlanRow>, TableError> {
        Ok(decode(&frame::read_slice(&self.path, &self.metadata, &COLUMNS, range)?)?)
    }

    /// The rows at `range`, with the columns that a mining repeats.
    pub fn slice(&self, range: Range<usize>) -> Result<PlanSlice, TableError> {
        frame::read_slice(&self.path, &self.metadata, &MINED_COLUMNS, range).map(PlanSlice)
    }
}

fn columns(rows: &[PlanRow]) -> PolarsResult<DataFrame> {
    let texts = |name: &str, text: fn(&PlanRow) -> Option<&str>| {
        Column::new(name.into(), rows.iter().map(text).collect::<Vec<Option<&str>>>())
    };
    DataFrame::new_infer_height(vec![
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

fn decode(frame: &DataFrame) -> PolarsResult<Vec<PlanRow>> {
    let ids = frame::u32s(frame, "item_id")?;
    let seeds = frame::u64s(frame, "seed")?;
    let mut categories = frame::full_strings(frame, "category")?;
    let mut labels = frame::i32_lists(frame, "label_ids")?;
    let text = |name: &str| frame::strings(frame, name);
    let (mut kinds, mut nuisances, mut templates) = (text("nuisance_kind")?, text("nuisance")?, text("template")?);
    let (mut prompts, mut negatives, mut sources) = (text("prompt")?, text("negative_prompt")?, text("source")?);
    Ok((0..ids.len())
        .map(|at| PlanRow {
            item_id: ItemId(ids[at]),
            category: std::mem::take(&mut categories[at]),
            label_ids: std::mem::take(&mut labels[at]),
            nuisance_kind: kinds[at].take(),
            nuisance: nuisances[at].take(),
            template: templates[at].take(),
            prompt: prompts[at].take(),
            negative_prompt: negatives[at].take(),
            seed: seeds[at],
            source: sources[at].take(),
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
        PlanTable::write(file.as_file(), 3, 2, |part| rows[part].to_vec()).unwrap();
        let table = PlanTable::open(file.path()).unwrap();
        assert_eq!((table.len(), table.rows(0..3).unwrap()), (3, rows.clone()));
        assert_eq!(table.rows(1..2).unwrap(), rows[1..2]);
        let slices = [PlanSlice::of(&rows).unwrap(), table.slice(0..3).unwrap()];
        assert!(slices[0].0.equals_missing(&slices[1].0), "{:?} {:?}", slices[0].0, slices[1].0);
    }

    #[test]
    fn a_file_that_is_no_table_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"not parquet").unwrap();
        let error = PlanTable::open(file.path()).err().unwrap().to_string();
        assert!(error.contains(&file.path().display().to_string()), "{error}");
    }
}
