//! `mined/<rule-id>.parquet` and `manifest.parquet`: one row per item that all surrogates scored, item ids ascending.
//!
//! Written shard by shard: chunks may be encoded on several threads at the same time and are appended in order.

use std::collections::HashSet;
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use polars::io::parquet::metadata::FileMetadataRef;
use polars::io::parquet::write::BatchedWriter;
use polars::prelude::*;

use super::frame::{self, RowGroups, TableError};
use super::images::ImagePaths;
use super::plan::PlanSlice;
use crate::domain::{HardRow, ItemId};

/// What one mining makes of one shard, as columns. Items ascend, and all of them are in the plan and in the images.
pub struct MinedColumns<'a> {
    /// Names of the surrogates; bit `i` of `failed` is surrogate `i`.
    pub surrogates: &'a [String],
    /// The items.
    pub item_id: Vec<u32>,
    /// Bit masks of failing surrogates.
    pub failed: Vec<u64>,
    /// The wrong class that most failing surrogates gave.
    pub agreed_wrong: Vec<Option<i32>>,
    /// How many gave it.
    pub n_agreed_wrong: Vec<u32>,
    /// Whether some margin is closer to 0 than the bound of a near tie.
    pub near_tie: Vec<bool>,
    /// Whether the rule holds.
    pub hard: Vec<bool>,
}

/// Rows of one shard or of several, ready to be encoded.
#[derive(Clone)]
pub struct MinedChunk(DataFrame);

impl MinedChunk {
    /// Joins the results of one shard with the plan and the paths of its images.
    pub fn new(plan: &PlanSlice, images: &ImagePaths, verdicts: MinedColumns) -> Result<Self, TableError> {
        let n = verdicts.item_id.len();
        let k = verdicts.surrogates.len() as u32;
        let mut columns = rows_of(&plan.0, &verdicts.item_id)?.columns().to_vec();
        columns.push(rows_of(&images.0, &verdicts.item_id)?.column("path")?.clone());
        columns.extend([
            Column::new("n_surrogates".into(), vec![k; n]),
            Column::new("n_failed".into(), verdicts.failed.iter().map(|bits| bits.count_ones()).collect::<Vec<u32>>()),
            failed_by(verdicts.surrogates, &verdicts.failed)?,
            Column::new("agreed_wrong".into(), verdicts.agreed_wrong),
            Column::new("n_agreed_wrong".into(), verdicts.n_agreed_wrong),
            Column::new("near_tie".into(), verdicts.near_tie),
            Column::new("hard".into(), verdicts.hard),
        ]);
        Ok(Self(DataFrame::new(n, columns)?))
    }

    /// The rows of both, these first.
    pub fn append(&mut self, other: &Self) -> Result<(), TableError> {
        self.0.vstack_mut(&other.0)?;
        Ok(())
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.0.height()
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The rows of `frame` (item ids ascending) for `ids` (ascending), all of which `frame` must have.
fn rows_of(frame: &DataFrame, ids: &[u32]) -> PolarsResult<DataFrame> {
    let column = frame.column("item_id")?.u32()?;
    let all = column.cont_slice()?;
    let missing = |id: u32| polars_err!(ComputeError: "item {id} is not in the plan or not among the images");
    let Some((&first, &last)) = ids.first().zip(ids.last()) else { return Ok(frame.slice(0, 0)) };
    let start = all.binary_search(&first).map_err(|_| missing(first))?;
    let end = all.binary_search(&last).map_err(|_| missing(last))?;
    if end + 1 - start == ids.len() {
        return Ok(frame.slice(start as i64, ids.len()));
    }
    let places = ids.iter().map(|id| all.binary_search(id).map(|at| at as IdxSize).map_err(|_| missing(*id)));
    let places = places.collect::<PolarsResult<Vec<IdxSize>>>()?;
    frame.take(&IdxCa::from_vec("".into(), places))
}

/// The names of failing surrogates: one list per distinct mask, repeated by reference.
fn failed_by(surrogates: &[String], failed: &[u64]) -> PolarsResult<Column> {
    let mut distinct: Vec<u64> = failed.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let place = |mask: &u64| distinct.partition_point(|other| other < mask) as IdxSize;
    let rows: Vec<IdxSize> = failed.iter().map(place).collect();
    let mut builder =
        ListStringChunkedBuilder::new("failed_by".into(), distinct.len(), distinct.len() * surrogates.len());
    for mask in distinct {
        builder.append_values_iter(
            surrogates.iter().enumerate().filter(|(bit, _)| mask >> bit & 1 == 1).map(|(_, name)| name.as_str()),
        );
    }
    let lists = builder.finish().into_series();
    Ok(lists.take(&IdxCa::from_vec("".into(), rows))?.into())
}

/// An encoded chunk.
pub struct EncodedChunk(RowGroups);

/// Writes the table.
pub struct MinedWriter<W: Write>(BatchedWriter<W>);

impl<W: Write> MinedWriter<W> {
    /// Starts a table that has the columns of `like`.
    pub fn new(target: W, like: &MinedChunk) -> Result<Self, TableError> {
        // Statistics would not help: a reader that filters by these columns reads all row groups anyway.
        let writer = frame::writer(target).with_statistics(StatisticsOptions::empty());
        Ok(Self(writer.batched(like.0.schema())?))
    }

    /// Encodes a chunk; may be called from several threads.
    pub fn encode(&self, mut chunk: MinedChunk) -> Result<EncodedChunk, TableError> {
        chunk.0.rechunk_mut();
        Ok(EncodedChunk(self.0.encode_and_compress(&chunk.0).collect::<PolarsResult<_>>()?))
    }

    /// Appends an encoded chunk.
    pub fn append(&self, chunk: EncodedChunk) -> Result<(), TableError> {
        Ok(self.0.write_row_groups(chunk.0)?)
    }

    /// Writes the footer.
    pub fn finish(&self) -> Result<(), TableError> {
        self.0.finish()?;
        Ok(())
    }
}

/// A table on disk, of which some rows are read at a time.
pub struct MinedTable {
    path: PathBuf,
    metadata: FileMetadataRef,
}

impl MinedTable {
    /// Opens the table at `path`.
    pub fn open(path: &Path) -> Result<Self, TableError> {
        Ok(Self { path: path.to_owned(), metadata: frame::metadata(path)? })
    }

    /// The rows at these places.
    pub fn rows(&self, rows: Range<usize>) -> Result<MinedChunk, TableError> {
        let columns: Vec<&str> = self.metadata.schema().fields().iter().map(|field| field.name()).collect();
        frame::read_slice(&self.path, &self.metadata, &columns, rows).map(MinedChunk)
    }
}

/// The hard items of the table, in its order.
pub fn read_hard(path: &Path) -> Result<Vec<HardRow>, TableError> {
    frame::read_rows(
        path,
        &[
            "item_id",
            "category",
            "nuisance_kind",
            "nuisance",
            "n_failed",
            "failed_by",
            "agreed_wrong",
            "n_agreed_wrong",
            "near_tie",
            "hard",
        ],
        |frame| {
            let frame = frame.filter(frame.column("hard")?.bool()?)?;
            let (ids, failed) = (frame::u32s(&frame, "item_id")?, frame::u32s(&frame, "n_failed")?);
            let (categories, near) = (frame::full_strings(&frame, "category")?, frame::bools(&frame, "near_tie")?);
            let (wrong, agreed) = (frame.column("agreed_wrong")?.i32()?, frame::u32s(&frame, "n_agreed_wrong")?);
            let (kinds, values) = (frame.column("nuisance_kind")?.str()?, frame.column("nuisance")?.str()?);
            let failed_by = frame.column("failed_by")?.list()?;
            let mut shared = SharedNames::default();
            let mut rows = Vec::with_capacity(ids.len());
            for (at, category) in categories.into_iter().enumerate() {
                rows.push(HardRow {
                    item_id: ItemId(ids[at]),
                    category,
                    nuisance: kinds
                        .get(at)
                        .zip(values.get(at))
                        .map(|(kind, value)| (kind.to_owned(), value.to_owned())),
                    failed_by: shared.of(failed_by, at)?,
                    n_failed: failed[at],
                    agreed_wrong: wrong.get(at).map(|class| (class, agreed[at])),
                    near_tie: near[at],
                });
            }
            Ok(rows)
        },
    )
}

/// Lists of names, each distinct one in memory once: millions of rows share a few.
#[derive(Default)]
struct SharedNames(HashSet<Arc<[String]>>);

impl SharedNames {
    /// The names in the list of row `at`.
    fn of(&mut self, lists: &ListChunked, at: usize) -> PolarsResult<Arc<[String]>> {
        let names: Vec<String> = match lists.get_as_series(at) {
            Some(names) => names.str()?.iter().flatten().map(str::to_owned).collect(),
            None => Vec::new(),
        };
        if let Some(shared) = self.0.get(names.as_slice()) {
            return Ok(Arc::clone(shared));
        }
        let shared: Arc<[String]> = names.into();
        self.0.insert(Arc::clone(&shared));
        Ok(shared)
    }
}
