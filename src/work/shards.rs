//! The only resume loop: goes over shards, skips finished ones, commits the results of the others.
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
    /// Makes the `pending` ones of these results, in that order.
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
        ctx.check_stop()?;
        let outputs = work.outputs(shard)?;
        results.resize(outputs.len(), ShardRecords::default());
        let mut records = Vec::with_capacity(outputs.len());
        for output in &outputs {
            records.push(finished(ctx, &output.unit, output.key, check).map_err(WorkError::from)?);
        }
        let pending: Vec<usize> = (0..outputs.len()).filter(|&at| records[at].is_none()).collect();
        if pending.is_empty() {
            ctx.progress.advance(range.len() as u64);
            ctx.progress.detail(&format!("{}: shard {shard} of {} was there", W::NAME, ranges.len()));
        } else {
            let made = work.make(shard, &pending)?;
            for (&at, made) in pending.iter().zip(made) {
                results[at].fresh_rows += made.rows.given;
                records[at] = Some(commit::<W>(shard, &outputs[at], made)?);
            }
            ctx.progress.detail(&format!("{}: shard {shard} of {} made", W::NAME, ranges.len()));
        }
        for (result, record) in results.iter_mut().zip(records) {
            result.records.extend(record);
        }
    }
    ctx.progress.finish();
    Ok(results)
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

fn commit<W: ShardWork>(shard: usize, output: &ShardTarget, made: ShardResult) -> Result<ShardRecord, WorkError> {
    let RowCounts { given, kept, dropped, failed } = made.rows;
    let accounted = kept + dropped + failed;
    if given != accounted || made.lost.len() as u64 != dropped + failed {
        return Err(WorkError::Accounting { stage: W::NAME, shard, given, accounted });
    }
    let record = NewRecord { key: output.key, rows: made.rows, lost: made.lost, facts: made.facts, sums: made.sums };
    Ok(output.unit.commit(&made.files, record)?)
}
