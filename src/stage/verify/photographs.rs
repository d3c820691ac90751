//! verify of images that are not in the run's folder: photographs, and the images of a benchmark.
//!
//! Holds always: an image that the run has dropped is not looked at, because its reason is written down; where the
//! images are not to be had (an archive, another machine), the run is checked without them, and this is said.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rayon::prelude::*;

use super::verified::Verified;
use crate::domain::{ImageRow, RunSpec};
use crate::pool::RunImages;
use crate::source::source;
use crate::work::{Context, WorkError};

/// The images that are outside the run, and what was found of them so far.
pub struct Photographs<'a> {
    ctx: &'a Context<'a>,
    folder: PathBuf,
    images: RunImages,
    threads: rayon::ThreadPool,
    files: Files,
    /// The first image that is wrong, and why.
    first: Option<(String, String)>,
    wrong: usize,
}

/// Files of images.
enum Files {
    /// One for each image: how many, and how many of them are wrong.
    Own(u64, u64),
    /// Of many images each (Parquet): whether one of them is wrong.
    Shared(BTreeMap<String, bool>),
}

impl Files {
    fn add(&mut self, row: &ImageRow, is_wrong: bool) {
        match self {
            Self::Own(all, wrong) => {
                *all += 1;
                *wrong += u64::from(is_wrong);
            }
            Self::Shared(files) => *files.entry(row.path.clone()).or_default() |= is_wrong,
        }
    }

    /// How many there are, and how many are wrong.
    fn counts(&self) -> (u64, u64) {
        match self {
            Self::Own(all, wrong) => (*all, *wrong),
            Self::Shared(files) => (files.len() as u64, files.values().filter(|is_wrong| **is_wrong).count() as u64),
        }
    }
}

impl<'a> Photographs<'a> {
    /// Those of the run of `ctx`; `None` if its images are in its folder, or are not to be had.
    pub fn of(ctx: &'a Context<'a>, spec: &RunSpec, verified: &mut Verified) -> Result<Option<Self>, WorkError> {
        let source = source(&spec.generate);
        let Some(folder) = source.folder().map(ToOwned::to_owned) else { return Ok(None) };
        if let Err(error) = source.check_there() {
            verified.not_checked.push(format!("the images: {error}"));
            return Ok(None);
        }
        let files = if source.in_shards() { Files::Shared(BTreeMap::new()) } else { Files::Own(0, 0) };
        let (images, threads) = (RunImages::new(&ctx.run, spec), ctx.thread_pool()?);
        Ok(Some(Self { ctx, folder, images, threads, files, first: None, wrong: 0 }))
    }

    /// Holds the images of `rows` against their hashes.
    pub fn check(&mut self, rows: &[ImageRow]) -> Result<(), WorkError> {
        let problem = |row| {
            self.ctx.check_stop()?;
            Ok(self.images.bytes(row).err().map(|problem| problem.to_string()))
        };
        let problems: Vec<Option<String>> =
            self.threads.install(|| rows.par_iter().map(problem).collect::<Result<_, WorkError>>())?;
        for (row, problem) in rows.iter().zip(problems) {
            self.files.add(row, problem.is_some());
            if let Some(problem) = problem {
                self.wrong += 1;
                self.first.get_or_insert((row.path.clone(), problem));
            }
        }
        Ok(())
    }

    /// One problem for all images that are wrong.
    pub fn end(self, verified: &mut Verified) {
        let (all, wrong) = self.files.counts();
        verified.expected += all;
        verified.files += all - wrong;
        if let Some((path, problem)) = self.first {
            verified.problems.push(format!(
                "{}: {} image(s) are not as they were pinned, the first is {path}: {problem}; restore them",
                self.folder.display(),
                self.wrong
            ));
        }
    }
}
