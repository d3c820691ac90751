//! status: the progress of a run.
//!
//! Holds always: reads records only and takes no lock, because people ask while another process works on the run.

use super::mine::HARD;
use super::plan::{notes, passed_over};
use super::prepare::all_described;
use crate::domain::{PassedOver, RunSpec};
use crate::pool::{PoolError, ScorerWarning, planned_shards};
use crate::store::{Check, RunDir, ShardRecord, StoreError, Unit};

/// The progress of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// The spec.
    pub spec: RunSpec,
    /// Items of the plan; `None` without a plan.
    pub planned: Option<u64>,
    /// Files that the plan passed over, because they are no images by their names.
    pub passed_over: PassedOver,
    /// What people should know about the plan.
    pub notes: Vec<String>,
    /// Shards in all.
    pub shards: u64,
    /// Shards whose images are done.
    pub image_shards: u64,
    /// For each surrogate that has predictions.
    pub surrogates: Vec<SurrogateStatus>,
    /// Hard items of the current mining; `None` before the first.
    pub hard: Option<u64>,
    /// Rows of `dropped.parquet`; `None` before the first mining.
    pub dropped: Option<u64>,
    /// Rounds of task sheets.
    pub rounds: u64,
    /// Inputs of answers, and the answers in them.
    pub answers: (u64, u64),
}

/// The progress of one surrogate.
#[derive(Debug, Clone, PartialEq)]
pub struct SurrogateStatus {
    /// Its name.
    pub name: String,
    /// Shards that it has scored.
    pub shards: u64,
    /// Images that it has scored.
    pub scored: u64,
    /// Whether it takes part in the current mining.
    pub selected: bool,
    /// Whether it is a target: it is scored and does not vote.
    pub target: bool,
    /// What made its predictions: runtime, version, device.
    pub runtime: String,
    /// What is noticed of it.
    pub warnings: Vec<ScorerWarning>,
}

/// Reads the progress of the run. What was there and is gone is an error, not less progress.
pub fn status(run: &RunDir) -> Result<Status, PoolError> {
    let spec = run.spec()?;
    // Another process may be about to write the record of a file.
    let is_at_work = run.is_at_work();
    if let Some(error) = run.unrecorded()?.into_iter().next().filter(|_| !is_at_work) {
        return Err(error.into());
    }
    let plan = whole(&run.plan())?;
    if plan.is_none() && run.has_images() {
        run.plan().existing()?;
    }
    let shards = planned_shards(run, &spec)?;
    let mined = whole(&run.mined(&spec.mining_id()))?;
    // When the current mining was made, everything that it follows from was there.
    let must_be_there = mined.is_some();
    let image_shards = images(run, shards, must_be_there)?;
    let mut surrogates = Vec::new();
    for name in run.predicted()? {
        surrogates.push(surrogate(run, &spec, name, shards, must_be_there)?);
    }
    let dropped = whole(&run.dropped())?;
    if must_be_there && dropped.is_none() {
        run.dropped().existing()?;
    }
    Ok(Status {
        passed_over: passed_over(plan.as_ref()),
        notes: notes(plan.as_ref()),
        planned: plan.map(|record| record.rows.kept),
        shards: shards as u64,
        image_shards,
        surrogates,
        hard: mined.and_then(|record| record.facts.get(HARD).and_then(|hard| hard.parse().ok())),
        dropped: dropped.map(|record| record.rows.kept),
        rounds: rounds(run, is_at_work)?,
        answers: answers(run, is_at_work)?,
        spec,
    })
}

/// Items of the plan; of a run that a job makes, because reading the records of all shards would take a quarter of an
/// hour of a large one.
pub fn outline(run: &RunDir) -> Result<(RunSpec, u64), PoolError> {
    let spec = run.spec()?;
    let planned = run.plan().record()?.map_or(0, |record| record.rows.kept);
    Ok((spec, planned))
}

/// The record of a unit, if it has one; an error if a file has another size than it says.
fn whole(unit: &Unit) -> Result<Option<ShardRecord>, StoreError> {
    let record = unit.record()?;
    record.iter().try_for_each(|record| unit.check(record, Check::Sizes))?;
    Ok(record)
}

fn rounds(run: &RunDir, is_at_work: bool) -> Result<u64, StoreError> {
    let rounds = if is_at_work { run.rounds_to_continue()? } else { run.rounds()? };
    (0..rounds).try_for_each(|index| whole(&run.round(index)).map(|_| ()))?;
    Ok(rounds as u64)
}

fn answers(run: &RunDir, is_at_work: bool) -> Result<(u64, u64), StoreError> {
    run.ballots_id()?;
    let names = if is_at_work { run.answered_to_continue()? } else { run.answered()? };
    let mut answers = (0, 0);
    for name in names {
        answers.0 += 1;
        answers.1 += whole(&run.answers(&name))?.map_or(0, |record| record.rows.given);
    }
    Ok(answers)
}

/// The record of a shard's unit; an error if there is none although there must be.
fn shard(unit: &Unit, must_be_there: bool) -> Result<Option<ShardRecord>, StoreError> {
    match unit.record()? {
        None if must_be_there => unit.existing().map(Some),
        record => Ok(record),
    }
}

fn images(run: &RunDir, shards: usize, must_be_there: bool) -> Result<u64, StoreError> {
    let mut done = 0;
    for index in 0..shards {
        let unit = run.images(index);
        if let Some(record) = shard(&unit, must_be_there)? {
            unit.check(&record, Check::Sizes)?;
            done += 1;
        }
    }
    Ok(done)
}

fn surrogate(
    run: &RunDir,
    spec: &RunSpec,
    name: String,
    shards: usize,
    must_be_there: bool,
) -> Result<SurrogateStatus, StoreError> {
    let selected = spec.mine.select.surrogates.contains(&name);
    let target = spec.mine.targets.contains(&name);
    let mut records = Vec::with_capacity(shards);
    for index in 0..shards {
        records.extend(shard(&run.predictions(&name, index), must_be_there && (selected || target))?);
    }
    Ok(SurrogateStatus {
        shards: records.len() as u64,
        scored: records.iter().map(|record| record.rows.kept).sum(),
        selected,
        target,
        runtime: all_described(&records),
        warnings: ScorerWarning::of(spec, &name, &records),
        name,
    })
}
