//! verify of images that are not in the run's folder: photographs, and the images of a benchmark.
//!
//! Holds always: an image that the run has dropped is not looked at, because its reason is written down; where the
//! images are not to be had (an archive, another machine), the run is checked without them, and this is said.

use std::collections::BTreeSet;

use rayon::prelude::*;

use super::verified::Verified;
use crate::domain::{ImageRow, RunSpec};
use crate::pool::RunImages;
use crate::source::source;
use crate::work::{Context, WorkError};

/// The images that are outside the run.
pub struct Photographs<'a> {
    ctx: &'a Context<'a>,
    images: RunImages,
    threads: rayon::ThreadPool,
}

impl<'a> Photographs<'a> {
    /// Those of the run of `ctx`; `None` if its images are in its folder, or are not to be had.
    pub fn of(ctx: &'a Context<'a>, spec: &RunSpec) -> Result<Option<Self>, WorkError> {
        let source = source(&spec.generate);
        if source.folder().is_none() {
            return Ok(None);
        }
        if let Err(error) = source.check_there() {
            ctx.progress.note(&format!("the images are not checked: {error}"));
            return Ok(None);
        }
        Ok(Some(Self { ctx, images: RunImages::new(&ctx.run, spec), threads: ctx.thread_pool()? }))
    }

    /// Holds the images of `rows` against their hashes; one problem for all that are wrong.
    pub fn check(&self, rows: &[ImageRow], verified: &mut Verified) -> Result<(), WorkError> {
        let problem = |row| {
            self.ctx.check_stop()?;
            Ok(self.images.bytes(row).err())
        };
        let problems: Vec<Option<String>> =
            self.threads.install(|| rows.par_iter().map(problem).collect::<Result<_, WorkError>>())?;
        let wrong: Vec<(&ImageRow, String)> =
            rows.iter().zip(problems).filter_map(|(row, problem)| Some((row, problem?))).collect();
        // Many images may be in one file of Parquet.
        let files =
            |rows: &mut dyn Iterator<Item = &ImageRow>| rows.map(|row| &row.path).collect::<BTreeSet<_>>().len();
        let expected = files(&mut rows.iter()) as u64;
        verified.expected += expected;
        verified.files += expected - files(&mut wrong.iter().map(|(row, _)| *row)) as u64;
        if let Some(((row, problem), others)) = wrong.split_first() {
            let others = if others.is_empty() { String::new() } else { format!(" (and {} more)", others.len()) };
            verified.problems.push(format!("the image {}{others}: {problem}", row.path));
        }
        Ok(())
    }
}
