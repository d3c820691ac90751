//! How far a job is: by its records, and by what its ranks say.
//!
//! Holds always: reads one listing of the records and the live records, so that it costs what the ranks cost.

use std::time::{SystemTime, UNIX_EPOCH};

use super::JobError;
use crate::domain::{JobEngine, JobRecord, LiveRecord};
use crate::store::{JobDir, RunDir, StoreError};

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
    /// Whether any rank has said anything yet.
    pub has_begun: bool,
    /// Whether the run waits for it: it is of the run's recipe and plan, and the mining is not there, or was there
    /// before the job was submitted and begun.
    pub is_needed: bool,
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
    let (mut at_work, mut silent, mut rate, mut shares) = (0, Vec::new(), 0.0, 0.0);
    let live = job.live()?;
    let has_begun = !live.is_empty();
    for (rank, said) in live {
        if recorded.contains(&rank) || rank >= record.ranks {
            continue;
        }
        shares += share(&said);
        let at_it: Vec<&LiveRecord> = said.iter().filter(|live| live.ended.is_none()).collect();
        let Some(last) = at_it.iter().max_by_key(|live| live.at) else { continue };
        let seconds = now.abs_diff(last.at);
        if seconds >= SILENT {
            silent.push(SilentRank { rank, host: last.host.clone(), seconds });
        } else {
            at_work += 1;
            let fresh = at_it.iter().filter(|live| now.abs_diff(live.at) < SILENT);
            rate += fresh.filter_map(|live| live.images_per_sec()).sum::<f64>();
        }
    }
    let images_per_sec = (at_work > 0 && rate > 0.0).then(|| rate / at_work as f64);
    let through = recorded.iter().filter(|&&rank| rank < record.ranks).count();
    let left = planned as f64 * (1.0 - (through as f64 + shares) / record.ranks as f64).max(0.0);
    Ok(Some(JobStatus {
        name: job.name().to_owned(),
        engine: record.engine,
        ranks: record.ranks,
        through,
        has_begun,
        is_needed: at_work > 0 || is_needed(run, &job, &record, has_begun)?,
        at_work,
        silent,
        images_per_sec,
        hours_left: (rate > 0.0).then(|| left / rate / 3600.0),
    }))
}

fn is_needed(run: &RunDir, job: &JobDir, record: &JobRecord, has_begun: bool) -> Result<bool, JobError> {
    let is_of_plan = run.plan().record()?.is_some_and(|plan| plan.hash() == record.plan_sha256);
    if !is_of_plan || run.spec_sha256()? != record.spec_sha256 {
        return Ok(false);
    }
    let mining = run.mined(&run.spec()?.mining_id());
    Ok(mining.record()?.is_none() || (has_begun && !job.is_older_than(&mining.record_path())))
}

/// Seconds since 1970 by the clock of this machine.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Whether a process has said lately that it works.
pub(super) fn says_so(live: &LiveRecord, now: u64) -> bool {
    live.ended.is_none() && now.abs_diff(live.at) < FRESH
}

/// The part of a rank that is done, by what its processes have said.
fn share(said: &[LiveRecord]) -> f64 {
    let sum = |of: fn(&LiveRecord) -> usize| said.iter().map(of).sum::<usize>() as f64;
    let all = sum(|live| live.shards);
    if all > 0.0 { sum(|live| live.done) / all } else { 0.0 }
}

/// An error while ranks of a job are at work on the run: a command that changes its recipe, or makes what they make,
/// would waste their work.
pub fn refuse_while_at_work(run: &RunDir) -> Result<(), JobError> {
    let now = now();
    for name in run.jobs()?.into_iter().rev() {
        let job = run.job(&name);
        let recorded = job.recorded()?;
        let is_at_work = |said: &[LiveRecord]| said.iter().any(|live| says_so(live, now));
        let live = job.live()?;
        let at_work = live.iter().filter(|(rank, said)| !recorded.contains(rank) && is_at_work(said)).count();
        if at_work > 0 {
            let path = run.place().display().to_string();
            let holder = format!("{at_work} rank(s) of job {name} (they have said so in the last {FRESH} seconds)");
            return Err(StoreError::Locked { path, holder }.into());
        }
    }
    Ok(())
}
