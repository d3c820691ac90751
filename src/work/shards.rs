//! The one resume loop: over shards, skipping what is done, committing what was made.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use super::{Context, WorkError};
use crate::domain::{DropRow, Sha256};
use crate::store::{Check, RowCounts, ShardRecord, Unit};

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
    pub rows: RowCounts,
    /// A row for everything that was not kept.
    pub lost: Vec<DropRow>,
    /// What else is worth knowing.
    pub facts: BTreeMap<String, String>,
}

/// The records of all shards of one output, and how many rows were worked on in this call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShardRecords {
    /// One per shard.
    pub records: Vec<ShardRecord>,
    /// Rows that were worked on in this call.
    pub fresh_rows: u64,
}

/// What one stage makes of a shard: its part of the loop.
pub trait ShardWork {
    /// Name of the stage, for progress and messages.
    const NAME: &'static str;
    /// Why it stops.
    type Error: From<WorkError>;
    /// The shards that this process works on; the others have no record in the result.
    fn part(&self) -> Part {
        Part::WHOLE
    }
    /// What is to be made of shard `shard`; the same number for every shard.
    fn outputs(&self, shard: usize) -> Result<Vec<Output>, Self::Error>;
    /// Makes the `pending` ones of the outputs, in that order.
    fn make(&mut self, shard: usize, pending: &[usize]) -> Result<Vec<Made>, Self::Error>;
}

/// Runs a stage over all shards; returns the records of each of its outputs.
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
        let mut records: Vec<Option<ShardRecord>> =
            outputs.iter().map(|output| output.unit.done(output.key, check)).collect();
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

fn commit<W: ShardWork>(shard: usize, output: &Output, made: Made) -> Result<ShardRecord, WorkError> {
    let RowCounts { given, kept, dropped, failed } = made.rows;
    let accounted = kept + dropped + failed;
    if given != accounted || made.lost.len() as u64 != dropped + failed {
        return Err(WorkError::Accounting { stage: W::NAME, shard, given, accounted });
    }
    let record =
        ShardRecord { key: output.key, rows: made.rows, files: Vec::new(), lost: made.lost, facts: made.facts };
    Ok(output.unit.commit(&made.files, record)?)
}
