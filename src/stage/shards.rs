//! The one resume loop: over shards, skipping what is done, committing what was made.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use super::{Context, StageError};
use crate::domain::{DropRow, GenerateSpec, Sha256};
use crate::store::{Check, Rows, ShardRecord, Unit};

/// Most shards that a pool is cut into unless the recipe says otherwise.
const MAX_SHARDS: usize = 1024;
const SMALLEST: usize = 256;

/// Items per shard for a pool of `items`: small, so that little work is lost, but not so small that there are more than
/// 1,024 of them. Images of a diffusion model are dear to make and all in memory until their shard is written: their
/// shards have 64 to 1,024.
pub fn default_shard_items(items: usize, source: &GenerateSpec) -> u32 {
    let even = items.div_ceil(MAX_SHARDS).next_power_of_two();
    match source {
        GenerateSpec::Diffusion(_) => even.clamp(64, 1024) as u32,
        GenerateSpec::Folder(_) | GenerateSpec::Fake(_) => even.max(SMALLEST) as u32,
    }
}

/// Places of each shard's rows in the plan.
pub fn ranges(rows: usize, shard_items: u32) -> Vec<Range<usize>> {
    let size = shard_items as usize;
    (0..rows.div_ceil(size)).map(|shard| shard * size..rows.min((shard + 1) * size)).collect()
}

/// Every `of`-th shard from the `index`-th on: one process's share of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// From 0.
    pub index: usize,
    /// At least 1.
    pub of: usize,
}

impl Part {
    /// All shards.
    pub const WHOLE: Self = Self { index: 0, of: 1 };

    fn has(self, shard: usize) -> bool {
        shard % self.of == self.index
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(index, of)| Some((index.parse().ok()?, of.parse().ok()?)));
        match numbers {
            Some((index, of)) if index < of => Ok(Self { index, of }),
            _ => Err(format!("`{text}` is no part; write K/N with K from 0 to N - 1")),
        }
    }
}

/// One thing to be made of a shard: where it goes, and the hash of what it is made from.
pub struct Output {
    /// Where.
    pub unit: Unit,
    /// From what.
    pub key: Sha256,
}

/// What was made.
pub struct Made {
    /// Extension and bytes of each file.
    pub files: Vec<(&'static str, Vec<u8>)>,
    /// Row counts.
    pub rows: Rows,
    /// A row for everything that was not kept.
    pub lost: Vec<DropRow>,
    /// What else is worth knowing.
    pub facts: BTreeMap<String, String>,
}

/// The records of all shards of one output, and how many of them were made just now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// One per shard.
    pub records: Vec<ShardRecord>,
    /// Rows that were worked on in this call.
    pub fresh_rows: u64,
}

/// A stage's part of the loop.
pub trait Stage {
    /// Its name.
    const NAME: &'static str;
    /// The shards that this process works on; the others have no record in the tally.
    fn part(&self) -> Part {
        Part::WHOLE
    }
    /// What is to be made of shard `shard`; the same number for every shard.
    fn outputs(&self, shard: usize) -> Result<Vec<Output>, StageError>;
    /// Makes the `pending` ones of the outputs, in that order.
    fn make(&mut self, shard: usize, pending: &[usize]) -> Result<Vec<Made>, StageError>;
}

/// Runs a stage over all shards; returns one [`Tally`] per output.
pub fn for_each_shard<S: Stage>(
    ctx: &Context,
    ranges: &[Range<usize>],
    check: Check,
    mut stage: S,
) -> Result<Vec<Tally>, StageError> {
    let mut tallies: Vec<Tally> = Vec::new();
    ctx.progress.start(S::NAME, ranges.last().map_or(0, |last| last.end as u64));
    let part = stage.part();
    for (shard, range) in ranges.iter().enumerate().filter(|(shard, _)| part.has(*shard)) {
        ctx.check_stop()?;
        let outputs = stage.outputs(shard)?;
        tallies.resize(outputs.len(), Tally::default());
        let mut records: Vec<Option<ShardRecord>> =
            outputs.iter().map(|output| output.unit.done(output.key, check)).collect();
        let pending: Vec<usize> = (0..outputs.len()).filter(|&at| records[at].is_none()).collect();
        let what = if pending.is_empty() { "was there" } else { "made" };
        let made = if pending.is_empty() { Vec::new() } else { stage.make(shard, &pending)? };
        for (&at, made) in pending.iter().zip(made) {
            tallies[at].fresh_rows += made.rows.given;
            records[at] = Some(commit::<S>(shard, &outputs[at], made)?);
        }
        if pending.is_empty() {
            ctx.progress.advance(range.len() as u64);
        }
        ctx.progress.detail(&format!("{}: shard {shard} of {} {what}", S::NAME, ranges.len()));
        tallies.iter_mut().zip(records).for_each(|(tally, record)| tally.records.extend(record));
    }
    ctx.progress.finish();
    Ok(tallies)
}

fn commit<S: Stage>(shard: usize, output: &Output, made: Made) -> Result<ShardRecord, StageError> {
    let Rows { given, kept, dropped, failed } = made.rows;
    let accounted = kept + dropped + failed;
    if given != accounted || made.lost.len() as u64 != dropped + failed {
        return Err(StageError::Accounting { stage: S::NAME, shard, given, accounted });
    }
    let record =
        ShardRecord { key: output.key, rows: made.rows, files: Vec::new(), lost: made.lost, facts: made.facts };
    Ok(output.unit.commit(&made.files, record)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::FakeImages;

    #[test]
    fn shards_cover_the_plan_without_gap_or_overlap() {
        assert_eq!(ranges(5, 2), [0..2, 2..4, 4..5]);
        assert_eq!(ranges(4, 2), [0..2, 2..4]);
        assert!(ranges(0, 2).is_empty());
    }

    #[test]
    fn shards_are_few_enough_and_small_enough() {
        let fake = GenerateSpec::Fake(FakeImages { images_per_category: 1, size_px: 1, fail_every: None });
        assert_eq!([400, 10_000_000, 0].map(|items| default_shard_items(items, &fake)), [256, 16_384, 256]);
    }
}
