//! How far a job is: by its records, and by what its ranks say.
//!
//! Holds always: reads one listing of the records and the live records, so that it costs what the ranks cost.

use std::time::{SystemTime, UNIX_EPOCH};

use super::JobError;
use crate::domain::{JobEngine, LiveRecord};
use crate::store::{RunDir, StoreError};

/// Seconds without a word after which a rank at work is called silent.
const SILENT: u64 = 600;
/// Seconds in which a rank has said something if it is at work.
const FRESH: u64 = 120;

/// How far a job is.
#[derive(Debug, Clone, PartialEq)]
pub struct JobStatus {
    /// Its name.
    pub name: String,
    /// What starts its ranks.
    pub engine: JobEngine,
    /// All ranks.
    pub ranks: usize,
    /// Ranks that have a record.
    pub through: usize,
    /// Ranks that have said in the last ten minutes that they work.
    pub at_work: usize,
    /// Ranks that were at work and have said nothing for ten minutes: their numbers and machines.
    pub silent: Vec<SilentRank>,
    /// Images a second of one rank at work, on average; `None` if none has done any.
    pub images_per_sec: Option<f64>,
    /// Hours that are left at the present rate.
    pub hours_left: Option<f64>,
}

/// A rank from which nothing has been heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SilentRank {
    /// The rank.
    pub rank: usize,
    /// Its machine.
    pub host: String,
    /// For how many seconds.
    pub seconds: u64,
}

/// The state of the job that was submitted last; `None` without a job.
pub fn job_status(run: &RunDir, planned: u64) -> Result<Option<JobStatus>, JobError> {
    let Some(job) = run.last_job()? else { return Ok(None) };
    let record = job.record()?;
    let recorded = job.recorded()?;
    let now = now();
    let (mut at_work, mut silent, mut rates, mut shares) = (0, Vec::new(), Vec::new(), 0.0);
    for (rank, said) in job.live()? {
        if recorded.contains(&rank) || rank >= record.ranks {
            continue;
        }
        shares += said.iter().map(share).sum::<f64>().min(1.0);
        let Some(last) = said.iter().filter(|live| live.ended.is_none()).map(|live| live.at).max() else { continue };
        let seconds = now.saturating_sub(last);
        if seconds >= SILENT {
            let host = said.first().map_or_else(String::new, |live| live.host.clone());
            silent.push(SilentRank { rank, host, seconds });
        } else {
            at_work += 1;
            rates.extend(said.iter().filter_map(LiveRecord::images_per_sec));
        }
    }
    let images_per_sec = (!rates.is_empty()).then(|| rates.iter().sum::<f64>() / rates.len() as f64);
    let through = recorded.iter().filter(|&&rank| rank < record.ranks).count();
    let left = planned as f64 * (1.0 - (through as f64 + shares) / record.ranks as f64).max(0.0);
    let rate: f64 = rates.iter().sum();
    Ok(Some(JobStatus {
        name: job.name().to_owned(),
        engine: record.engine,
        ranks: record.ranks,
        through,
        at_work,
        silent,
        images_per_sec,
        hours_left: (rate > 0.0).then(|| left / rate / 3600.0),
    }))
}

/// Seconds since 1970 by the clock of this machine.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Whether a process has said lately that it works.
pub(super) fn says_so(live: &LiveRecord, now: u64) -> bool {
    live.ended.is_none() && now.saturating_sub(live.at) < FRESH
}

/// The part of a rank that is done, by what one of its processes says.
fn share(live: &LiveRecord) -> f64 {
    if live.shards == 0 { 0.0 } else { live.done as f64 / live.shards as f64 }
}

/// An error while ranks of a job are at work on the run: a command that changes its recipe, or makes what they make,
/// would waste their work.
pub fn refuse_while_at_work(run: &RunDir) -> Result<(), JobError> {
    let Some(job) = run.last_job()? else { return Ok(()) };
    let recorded = job.recorded()?;
    let (now, live) = (now(), job.live()?);
    let is_at_work = |said: &[LiveRecord]| said.iter().any(|live| says_so(live, now));
    let at_work = live.iter().filter(|(rank, said)| !recorded.contains(rank) && is_at_work(said)).count();
    if at_work == 0 {
        return Ok(());
    }
    Err(StoreError::Locked {
        path: run.place().display().to_string(),
        holder: format!("{at_work} rank(s) of job {} (they have said so in the last {FRESH} seconds)", job.name()),
    }
    .into())
}
