//! Pins the images of a pool: finds each, and notes its hash and its size.
//!
//! Holds always: nothing is copied out of the pool; an image that cannot be read costs itself alone.

use std::sync::Arc;

use rayon::prelude::*;

use super::error::BenchmarkError;
use super::parquet::place_of;
use super::run;
use crate::domain::{BenchmarkLayout, BenchmarkSource, ImageRow, Outcome, PlanRow, Sha256};
use crate::generator::{Generator, GeneratorError, Picture, Pictures};
use crate::imaging::{self, DecodeLimits};
use crate::source::folder::read_picture_file;
use crate::store::{RunDir, read_member};
use crate::table::ParquetImages;

/// The name of the limit of an image's bytes, for reasons.
const LIMITED_BY: &str = "the limit of a pool";
const NO_PLACE: &str = "the plan names no place of the image";

/// Pins images.
pub struct Pins {
    source: BenchmarkSource,
    /// The column of images, for Parquet.
    column: Option<String>,
    parquet: ParquetImages,
    run: Option<RunTables>,
}

/// The tables of a run's images, of which one is in memory.
struct RunTables {
    run: RunDir,
    shard: usize,
    rows: Arc<Vec<ImageRow>>,
}

impl Pins {
    /// For the images of `source`.
    pub fn new(source: &BenchmarkSource, column: Option<&str>) -> Result<Self, BenchmarkError> {
        let run = match source.layout {
            BenchmarkLayout::Run => Some(RunTables::open(&source.root)?),
            _ => None,
        };
        Ok(Self { source: source.clone(), column: column.map(str::to_owned), parquet: ParquetImages::default(), run })
    }

    fn pin(&self, request: &PlanRow, of_run: Option<&ImageRow>) -> Outcome<Picture> {
        let found = match (&self.column, of_run) {
            (Some(column), _) => self.in_parquet(request, column),
            (None, Some(row)) => self.in_run(row),
            (None, None) if self.run.is_some() => Err("the run has no image of the item any more".to_owned()),
            (None, None) => self.in_file(request),
        };
        let pinned = found.and_then(|(path, offset, bytes)| {
            let size_px = self.size_px(&bytes)?;
            Ok(Picture::Found { path, offset, bytes: bytes.len() as u64, sha256: Sha256::of(&bytes), size_px })
        });
        match pinned {
            Ok(picture) => Outcome::Kept(picture),
            Err(reason) => Outcome::Dropped(reason),
        }
    }

    fn in_file(&self, request: &PlanRow) -> Result<(String, u64, Vec<u8>), String> {
        let path = request.source.clone().ok_or(NO_PLACE)?;
        let bytes = read_picture_file(&self.source.root.join(&path), self.source.max_file_bytes, LIMITED_BY)?;
        Ok((path, 0, bytes))
    }

    fn in_parquet(&self, request: &PlanRow, column: &str) -> Result<(String, u64, Vec<u8>), String> {
        let (file, row) = request.source.as_deref().and_then(place_of).ok_or(NO_PLACE)?;
        let bytes = self.parquet.bytes(&self.source.root.join(file), column, row)?;
        Ok((file.to_owned(), row, bytes))
    }

    fn in_run(&self, row: &ImageRow) -> Result<(String, u64, Vec<u8>), String> {
        let folder = self.source.photographs.as_deref().unwrap_or(&self.source.root);
        if row.bytes > self.source.max_file_bytes {
            return Err(format!(
                "the image has {} bytes, more than {LIMITED_BY} = {}",
                row.bytes, self.source.max_file_bytes
            ));
        }
        let bytes = read_member(&folder.join(&row.path), row.offset, row.bytes)
            .map_err(|_| format!("{} cannot be read", row.path))?;
        if Sha256::of(&bytes) != row.sha256 {
            return Err("the image has changed since the run pinned it: its SHA-256 differs".to_owned());
        }
        Ok((row.path.clone(), row.offset, bytes))
    }

    /// Width and height without the border.
    fn size_px(&self, bytes: &[u8]) -> Result<(u32, u32), String> {
        let limits = DecodeLimits { max_pixels: self.source.max_pixels, max_file_bytes: self.source.max_file_bytes };
        let (width_px, height_px) = imaging::dimensions(bytes, &limits).map_err(|error| error.to_string())?;
        let border_px = self.source.border_px;
        imaging::inside(width_px, height_px, border_px).ok_or_else(|| imaging::all_border(border_px))
    }
}

impl RunTables {
    fn open(root: &std::path::Path) -> Result<Self, BenchmarkError> {
        let run = RunDir::at(root);
        let rows = Arc::new(run::image_rows(&run, 0)?);
        Ok(Self { run, shard: 0, rows })
    }

    /// The rows of the items of `requests`, which ascend: the tables are read one after another.
    fn rows(&mut self, requests: &[PlanRow]) -> Vec<Option<ImageRow>> {
        requests.iter().map(|request| self.row(request)).collect()
    }

    fn row(&mut self, request: &PlanRow) -> Option<ImageRow> {
        let item = request.item_id;
        if self.rows.first().is_some_and(|first| item < first.item_id) {
            self.turn_to(0)?;
        }
        // An empty table says nothing about the item: the next one may have it.
        while self.rows.last().is_none_or(|last| item > last.item_id) {
            self.turn_to(self.shard + 1)?;
        }
        let at = self.rows.binary_search_by_key(&item, |row| row.item_id).ok()?;
        Some(self.rows[at].clone())
    }

    fn turn_to(&mut self, shard: usize) -> Option<()> {
        let rows = run::image_rows(&self.run, shard).ok()?;
        (self.shard, self.rows) = (shard, Arc::new(rows));
        Some(())
    }
}

impl Generator for Pins {
    fn generate(&mut self, requests: &[PlanRow]) -> Result<Pictures, GeneratorError> {
        let of_run = self.run.as_mut().map(|tables| tables.rows(requests));
        let of_run = of_run.unwrap_or_else(|| vec![None; requests.len()]);
        let pins: &Self = self;
        let pinned = requests.par_iter().zip(&of_run).map(|(request, row)| pins.pin(request, row.as_ref()));
        Ok(Pictures::ready(pinned.collect()))
    }
}
