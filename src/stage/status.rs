//! status: the progress of a run.
//!
//! Holds always: reads records only and takes no lock, because people ask while another process works on the run.

use super::prepare::all_described;
use crate::domain::RunSpec;
use crate::pool::{PoolError, planned_shards};
use crate::store::{Check, RunDir, Unit};
use crate::table::{dropped_table, read_hard};

/// The progress of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// The spec.
    pub spec: RunSpec,
    /// Items of the plan; `None` without a plan.
    pub planned: Option<u64>,
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
#[derive(Debug, Clone, PartialEq, Eq)]
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
}

/// Reads the progress of the run.
pub fn status(run: &RunDir) -> Result<Status, PoolError> {
    let spec = run.spec()?;
    let planned = run.plan().record().map(|record| record.rows.kept);
    let shards = planned_shards(run, &spec);
    let names = run.predicted();
    let hard = run.manifest().is_file().then(|| read_hard(&run.manifest())).transpose()?;
    let dropped = run.dropped().is_file().then(|| dropped_table::decode(&run.dropped())).transpose()?;
    Ok(Status {
        planned,
        shards: shards as u64,
        image_shards: done((0..shards).map(|shard| run.images(shard))),
        surrogates: names.into_iter().map(|name| surrogate(run, &spec, name, shards)).collect(),
        hard: hard.map(|rows| rows.len() as u64),
        dropped: dropped.map(|rows| rows.len() as u64),
        rounds: run.rounds() as u64,
        answers: answers(run),
        spec,
    })
}

fn answers(run: &RunDir) -> (u64, u64) {
    let records: Vec<_> = run.answered().iter().filter_map(|name| run.answers(name).record()).collect();
    (records.len() as u64, records.iter().map(|record| record.rows.given).sum())
}

fn done(units: impl Iterator<Item = Unit>) -> u64 {
    units.filter(|unit| unit.record().is_some_and(|record| unit.problem(&record, Check::Sizes).is_none())).count()
        as u64
}

fn surrogate(run: &RunDir, spec: &RunSpec, name: String, shards: usize) -> SurrogateStatus {
    let records: Vec<_> = (0..shards).filter_map(|shard| run.predictions(&name, shard).record()).collect();
    SurrogateStatus {
        shards: records.len() as u64,
        scored: records.iter().map(|record| record.rows.kept).sum(),
        selected: spec.mine.select.surrogates.contains(&name),
        target: spec.mine.targets.contains(&name),
        runtime: all_described(&records),
        name,
    }
}
