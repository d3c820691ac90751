//! The only place that resumes: skips what is finished of a shard, makes and commits the rest.
//!
//! Does not know what is made. Holds always: a shard is skipped only if its record has the key of today's inputs,
//! because a result of other inputs is wrong; every row that goes in is accounted for.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use super::{Context, WorkError};
use crate::domain::{DropRow, ScoreSums, Sha256};
use crate::store::{Check, NewRecord, RowCounts, ShardRecord, StoreError, Unit, UnitState};

/// Every `of`-th shard from the `index`-th on: one process's share of a stage on several devices. (The ranks of a job
/// have stretches of shards instead: [`stretch`].)
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

/// Stretch `index` of `of`, as even as possible, of `shards` shards. Stretches of stretches nest: stretch `i` of `n` is
/// the stretches `i * k` to `i * k + k - 1` of `n * k`.
pub fn stretch(shards: usize, index: usize, of: usize) -> Range<usize> {
    let start = |index: usize| (shards as u128 * index as u128 / of as u128) as usize;
    start(index)..start(index + 1)
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
            _ => Err(format!("`{text}` is not a part; write K/N with K from 0 to N - 1")),
        }
    }
}

/// One result to make of a shard: its unit and its key.
pub struct ShardTarget {
    /// The unit.
    pub unit: Unit,
    /// Hash of its inputs.
    pub key: Sha256,
}

/// The result for one shard, not yet committed.
#[derive(Default)]
pub struct ShardResult {
    /// Extension and bytes of each file.
    pub files: Vec<(&'static str, Vec<u8>)>,
    /// Row counts.
    pub rows: RowCounts,
    /// A row for every item that was dropped or failed.
    pub lost: Vec<DropRow>,
    /// Facts for the record.
    pub facts: BTreeMap<String, String>,
    /// The sums of predictions.
    pub sums: Option<ScoreSums>,
}

/// The records of all shards of one output, and how many rows were worked on in this call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShardRecords {
    /// One per shard.
    pub records: Vec<ShardRecord>,
    /// Rows that were worked on in this call.
    pub fresh_rows: u64,
}

/// What a stage makes of a shard.
pub trait ShardWork {
    /// Name of the stage, for progress and messages.
    const NAME: &'static str;
    /// Its error.
    type Error: From<WorkError>;
    /// The shards that this process works on; others have no record in the result.
    fn part(&self) -> Part {
        Part::WHOLE
    }
    /// The results to make of shard `shard`; as many for every shard.
    fn outputs(&self, shard: usize) -> Result<Vec<ShardTarget>, Self::Error>;
    /// Loads the models for the `pending` ones of these results, unless they are loaded.
    fn load(&mut self, shard: usize, pending: &[usize]) -> Result<(), Self::Error>;
    /// Makes the `pending` ones of these results, in that order, after [`ShardWork::load`].
    fn make(&mut self, shard: usize, pending: &[usize]) -> Result<Vec<ShardResult>, Self::Error>;
}

/// Runs a stage over all shards; returns the records of each of its results.
///
/// `ranges`: places of each shard's rows in the plan, for the progress.
pub fn for_each_shard<W: ShardWork>(
    ctx: &Context,
    ranges: &[Range<usize>],
    check: Check,
    mut work: W,
) -> Result<Vec<ShardRecords>, W::Error> {
    let mut results: Vec<ShardRecords> = Vec::new();
    ctx.progress.start(W::NAME, ranges.last().map_or(0, |last| last.end as u64));
    let part = work.part();
    for (shard, range) in ranges.iter().enumerate() {
        if !part.has(shard) {
            continue;
        }
        let done = work_on(ctx, shard, check, &mut work)?;
        if done.iter().all(|done| done.fresh_rows.is_none()) {
            ctx.progress.advance(range.len() as u64);
            ctx.progress.detail(&format!("{}: shard {shard} of {} was there", W::NAME, ranges.len()));
        } else {
            ctx.progress.detail(&format!("{}: shard {shard} of {} made", W::NAME, ranges.len()));
        }
        results.resize(done.len(), ShardRecords::default());
        for (result, done) in results.iter_mut().zip(done) {
            result.fresh_rows += done.fresh_rows.unwrap_or(0);
            result.records.push(done.record);
        }
    }
    ctx.progress.finish();
    Ok(results)
}

/// One result of a shard that is done.
pub struct ShardDone {
    /// Its record.
    pub record: ShardRecord,
    /// Rows that were worked on in this call; `None` if it was there.
    pub fresh_rows: Option<u64>,
}

/// Makes and commits what one shard lacks; returns all of its results.
pub fn work_on<W: ShardWork>(
    ctx: &Context,
    shard: usize,
    check: Check,
    work: &mut W,
) -> Result<Vec<ShardDone>, W::Error> {
    ctx.check_stop()?;
    let outputs = work.outputs(shard)?;
    let mut found = Vec::with_capacity(outputs.len());
    for output in &outputs {
        found.push(finished(ctx, &output.unit, output.key, check).map_err(WorkError::from)?);
    }
    let pending: Vec<usize> = (0..outputs.len()).filter(|&at| found[at].is_none()).collect();
    let mut done: Vec<Option<ShardDone>> =
        found.into_iter().map(|found| found.map(|record| ShardDone { record, fresh_rows: None })).collect();
    if !pending.is_empty() {
        work.load(shard, &pending)?;
        for (&at, made) in pending.iter().zip(work.make(shard, &pending)?) {
            let fresh_rows = Some(made.rows.given);
            done[at] = Some(ShardDone { record: commit::<W>(ctx, shard, &outputs[at], made)?, fresh_rows });
        }
    }
    Ok(done.into_iter().flatten().collect())
}

/// The record of a unit that is done with this key. One of which a file was damaged is not: it is made again, because
/// its inputs are there, and people are told.
pub fn finished(ctx: &Context, unit: &Unit, key: Sha256, check: Check) -> Result<Option<ShardRecord>, StoreError> {
    match unit.state(key, check)? {
        UnitState::Done(record) => Ok(Some(record)),
        UnitState::ToDo => Ok(None),
        UnitState::Damaged(path, problem) => {
            ctx.progress.note(&format!("{} is damaged: {problem}; it is made again", path.display()));
            Ok(None)
        }
    }
}

fn commit<W: ShardWork>(
    ctx: &Context,
    shard: usize,
    output: &ShardTarget,
    made: ShardResult,
) -> Result<ShardRecord, WorkError> {
    if let Some(accept) = ctx.accept {
        accept(&output.unit, &made.facts)?;
    }
    let RowCounts { given, kept, dropped, failed } = made.rows;
    let accounted = kept + dropped + failed;
    if given != accounted || made.lost.len() as u64 != dropped + failed {
        return Err(WorkError::Accounting { stage: W::NAME, shard, given, accounted });
    }
    let record = NewRecord { key: output.key, rows: made.rows, lost: made.lost, facts: made.facts, sums: made.sums };
    Ok(output.unit.commit(&made.files, record)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_cover_all_shards_and_nest() {
        for (shards, of) in [(0, 3), (1, 1), (10, 3), (57, 8), (5, 9), (97_657, 1000)] {
            let all: Vec<usize> = (0..of).flat_map(|index| stretch(shards, index, of)).collect();
            assert_eq!(all, (0..shards).collect::<Vec<_>>());
            for index in 0..of {
                let inner: Vec<usize> = (4 * index..4 * index + 4).flat_map(|at| stretch(shards, at, 4 * of)).collect();
                assert_eq!(inner, stretch(shards, index, of).collect::<Vec<_>>(), "{index} of {of}");
            }
        }
    }
}
