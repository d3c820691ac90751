//! finish: what the ranks of a job have made becomes the run's mining.
//!
//! Holds always: makes nothing that a rank should have made, and nothing at all unless each shard is still the one that
//! its rank vouches for; what lacks is named. Reads one record and two files of each rank, and the records of all
//! shards; the report, which is not made here, reads the votes of all.

use std::collections::BTreeMap;
use std::ops::Range;

use super::JobError;
use super::error::run_in_commands;
use super::lacking::{changed, lacking};
use super::worker::checked_record;
use crate::domain::{DropRow, LiveRecord, RankScorer, RankShards, RunSpec};
use crate::pool::{Pool, ScorerWarning};
use crate::stage::mine::{Followed, Made, MinedPart, OfScorer, Selected, mine_from_ranks};
use crate::store::{JobDir, StoreError, Unit, side_by_side};
use crate::work::{Context, stretch};

/// Ranks that a message names.
const NAMED: usize = 20;

/// A job that was finished.
#[derive(Debug, Clone)]
pub struct FinishedJob {
    /// The selection.
    pub selected: Selected,
    /// For each surrogate and target.
    pub scorers: Vec<JobScorer>,
    /// Rows of `dropped.parquet`.
    pub dropped: u64,
    /// What is noticed of the scorers.
    pub warnings: Vec<ScorerWarning>,
}

/// A surrogate or target over all ranks.
#[derive(Debug, Clone)]
pub struct JobScorer {
    /// Its name.
    pub name: String,
    /// Whether it is a target, which does not vote.
    pub is_target: bool,
    /// Images that it has scored.
    pub scored: u64,
}

/// What one rank has made.
struct OfRank {
    part: MinedPart,
    made: RankShards,
    lost: Vec<DropRow>,
}

/// What all ranks have made.
#[derive(Default)]
struct Joined {
    followed: Followed,
    parts: Vec<MinedPart>,
    scorers: Vec<RankScorer>,
}

/// Checks that all ranks are through, and makes the mining of the run from what they have made. The caller holds the
/// run's lock.
pub fn finish(pool: &Pool, job: &JobDir) -> Result<FinishedJob, JobError> {
    let ctx = pool.ctx();
    let joined = join(pool, job)?;
    let (selected, dropped) = mine_from_ranks(pool, &joined.followed, &joined.parts)?;
    let mut warnings = Vec::new();
    let mut scorers = Vec::with_capacity(joined.scorers.len());
    for (scorer, of_ranks) in pool.spec().scored().into_iter().zip(&joined.scorers) {
        warnings.extend(ScorerWarning::of_sums(pool.spec(), &scorer.name, &of_ranks.sums));
        let is_target = pool.spec().mine.targets.contains(&scorer.name);
        scorers.push(JobScorer { name: scorer.name.clone(), is_target, scored: of_ranks.scored });
    }
    warnings.iter().for_each(|warning| ctx.progress.note(&format!("warning: {warning}")));
    Ok(FinishedJob { selected, scorers, dropped, warnings })
}

fn join(pool: &Pool, job: &JobDir) -> Result<Joined, JobError> {
    let (ctx, spec) = (pool.ctx(), pool.spec());
    let record = checked_record(ctx, job)?;
    let lacking = lacking(ctx, job, &record)?;
    if !lacking.is_empty() {
        return Err(not_through(ctx, job, record.ranks, &lacking)?);
    }
    let shards = pool.shards();
    let mut joined = Joined { scorers: vec![RankScorer::default(); spec.scored().len()], ..Joined::default() };
    joined.followed.predictions = scorers_of(spec);
    ctx.progress.start("finish", record.ranks as u64);
    let ranks: Vec<usize> = (0..record.ranks).collect();
    let read = side_by_side(&ranks, |&rank| -> Result<OfRank, JobError> {
        ctx.check_stop()?;
        let of_rank = OfRank::read(ctx, &job.rank(rank), &stretch(shards, rank, record.ranks))?;
        ctx.progress.advance(1);
        Ok(of_rank)
    });
    for of_rank in read {
        joined.add(of_rank?);
    }
    ctx.progress.finish();
    let changed = changed(ctx, spec, record.ranks, &joined.followed)?;
    if changed.is_empty() {
        return Ok(joined);
    }
    job.forget(&changed)?;
    let ranks: Vec<usize> = changed.into_iter().collect();
    Err(JobError::ShardsChanged { run: run_in_commands(ctx), job: job.name().to_owned(), ranks: few(&ranks) })
}

impl OfRank {
    fn read(ctx: &Context, unit: &Unit, shards: &Range<usize>) -> Result<Self, JobError> {
        let done = unit.existing()?;
        let damaged = |problem: String| JobError::RankDamaged {
            path: unit.record_path().display().to_string(),
            problem,
            run: run_in_commands(ctx),
        };
        let path = unit.checked(&done, "shards.json")?;
        let bytes = std::fs::read(&path).map_err(StoreError::io("read", &path))?;
        let made: RankShards = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        if (made.first..made.first + made.shards.len()) != *shards {
            return Err(damaged("it is of other shards".to_owned()));
        }
        let table = unit.checked(&done, "parquet")?;
        let rows = made.shards.iter().map(|shard| shard.mined).collect();
        let part = MinedPart { path: table, made: Made { counts: made.selected.clone(), rows } };
        Ok(Self { part, made, lost: done.lost })
    }
}

fn scorers_of(spec: &RunSpec) -> Vec<OfScorer> {
    let of = |name: &String| OfScorer { is_target: spec.mine.targets.contains(name), records: Vec::new() };
    spec.scored().iter().map(|scorer| of(&scorer.name)).collect()
}

impl Joined {
    fn add(&mut self, OfRank { part, made, lost }: OfRank) {
        self.parts.push(part);
        self.followed.lost.extend(lost);
        for shard in made.shards {
            self.followed.images.push(shard.images);
            for (scorer, hash) in self.followed.predictions.iter_mut().zip(shard.predictions) {
                scorer.records.push(hash);
            }
        }
        for (sum, of_rank) in self.scorers.iter_mut().zip(made.scorers) {
            sum.scored += of_rank.scored;
            sum.sums.add(&of_rank.sums);
        }
    }
}

/// The error that names the ranks that lack, what they last said, and what to do.
fn not_through(ctx: &Context, job: &JobDir, ranks: usize, lacking: &[usize]) -> Result<JobError, JobError> {
    let live = job.live()?;
    let mut text = format!("{} of {ranks} ranks have no valid record: {}", lacking.len(), few(lacking));
    text += &said(lacking, &live);
    let run = run_in_commands(ctx);
    text += &format!("; start them again with `hardset submit {run} --missing`");
    Ok(JobError::NotThrough { run, job: job.name().to_owned(), lacking: text })
}

/// Some numbers, and how many more there are.
pub(super) fn few(numbers: &[usize]) -> String {
    let named = numbers.iter().take(NAMED).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let more = numbers.len().saturating_sub(NAMED);
    if more == 0 { named } else { format!("{named} and {more} more") }
}

/// What the first of these ranks last said.
fn said(lacking: &[usize], live: &BTreeMap<usize, Vec<LiveRecord>>) -> String {
    let mut text = String::new();
    for rank in lacking.iter().take(NAMED) {
        let said: Vec<String> = live.get(rank).into_iter().flatten().map(last_words).collect();
        if !said.is_empty() {
            text += &format!("; rank {rank}: {}", said.join(", "));
        }
    }
    text
}

fn last_words(live: &LiveRecord) -> String {
    let at = format!("{} of {} shards on {}", live.done, live.shards, live.host);
    let shard = live.shard.map_or_else(String::new, |shard| format!(", shard {shard} in hand"));
    let how = live.ended.as_ref().map_or_else(|| "did not say that it ended".to_owned(), |how| how.clone());
    format!("{at}{shard}: {how}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_names_some_ranks_and_counts_the_others() {
        assert_eq!(few(&[3, 17]), "3, 17");
        let many: Vec<usize> = (0..23).collect();
        assert!(few(&many).ends_with("18, 19 and 3 more"), "{}", few(&many));
    }
}
