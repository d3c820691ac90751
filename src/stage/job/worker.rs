//! One rank of a job: its shards are made and scored, one after another, then its record is written.
//!
//! Holds always: takes no lock, deletes nothing, fetches nothing, and writes only its own units, so that any number of
//! processes may work on one rank; reads what belongs to its own shards, so that its start costs the same in a job of
//! ten ranks and of ten thousand.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use super::JobError;
use super::beat::{Beat, TOO_MANY_STARTS, Taken};
use super::error::run_in_commands;
use super::status::now;
use crate::domain::{Device, DropRow, JobRecord, LiveRecord, RankScorer, RankShard, RankShards, RunSpec, Sha256};
use crate::pool::{Pool, planned_shards, rank_key};
use crate::stage::generate::Generate;
use crate::stage::mine::{Score, check_space, of_shards};
use crate::store::{Check, JobDir, NewRecord, RankProcess, RowCounts, ShardRecord, Unit, UnitState, host_name};
use crate::work::processes::{self, Divided, ProcessInput, WorkCount};
use crate::work::{Context, Part, ShardDone, WorkError, stretch, work_on};

/// The process that divides a rank looks at the others every few seconds, whatever a block of theirs may take.
const SHARE_PATIENCE: Duration = Duration::from_secs(60);

/// Which rank a process works on.
#[derive(Debug, Clone)]
pub struct WorkerAsk {
    /// The job.
    pub job: JobDir,
    /// The rank, from 0.
    pub rank: usize,
    /// The part of the rank, for one of several devices.
    pub part: Part,
    /// Time without a finished block after which the process ends; `None`: follows from the blocks before.
    pub hung_after: Option<Duration>,
}

/// What a process has done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Worked {
    /// Shards of the rank, or of the part.
    pub shards: usize,
    /// Images that were made, or pinned, in this call.
    pub fresh_images: u64,
    /// Items of its shards that were lost.
    pub lost: u64,
    /// Whether all of it was there before.
    pub was_through: bool,
}

/// The rank of one process, and what it needs of the run.
struct Rank<'a> {
    ask: &'a WorkerAsk,
    record: JobRecord,
    spec: RunSpec,
    /// Its shards.
    shards: Range<usize>,
    unit: Unit,
    key: Sha256,
}

impl<'a> Rank<'a> {
    fn of(ctx: &Context, ask: &'a WorkerAsk) -> Result<Self, JobError> {
        let record = checked_record(ctx, &ask.job)?;
        if ask.rank >= record.ranks {
            let (job, last) = (ask.job.name().to_owned(), record.ranks - 1);
            return Err(JobError::NoSuchRank { job, last, rank: ask.rank });
        }
        let spec = ctx.run.spec()?;
        let all = planned_shards(&ctx.run, &spec)?;
        let Part { index, of } = ask.part;
        Ok(Self {
            shards: stretch(all, ask.rank * of + index, record.ranks * of),
            unit: ask.job.rank(ask.rank),
            key: rank_key(&record, ask.rank),
            ask,
            record,
            spec,
        })
    }

    /// Whether the rank is through already.
    fn is_through(&self) -> Result<bool, JobError> {
        Ok(matches!(self.unit.state(self.key, Check::Sizes)?, UnitState::Done(_)))
    }

    /// What the live record of this process begins with.
    fn live(&self, device: Device) -> LiveRecord {
        LiveRecord {
            host: std::env::var("SLURMD_NODENAME").unwrap_or_else(|_| host_name()),
            process: std::process::id(),
            device: device.to_string(),
            engine: engine_id(),
            shards: self.shards.len(),
            ..LiveRecord::default()
        }
    }
}

/// The record of a job, which must be of the run as it is.
pub(super) fn checked_record(ctx: &Context, job: &JobDir) -> Result<JobRecord, JobError> {
    let record = job.record()?;
    let changed = |what| JobError::Changed {
        what,
        run: run_in_commands(ctx),
        job: job.name().to_owned(),
        engine: record.engine.name(),
        ranks: record.ranks,
    };
    if ctx.run.spec_sha256()? != record.spec_sha256 {
        return Err(changed("recipe"));
    }
    if ctx.run.plan().existing()?.hash() != record.plan_sha256 {
        return Err(changed("plan"));
    }
    Ok(record)
}

/// What the engine that has started this process calls it.
fn engine_id() -> String {
    let var = |name: &str| std::env::var(name).ok();
    if let Some(job) = var("SLURM_JOB_ID") {
        let array = var("SLURM_ARRAY_JOB_ID").zip(var("SLURM_ARRAY_TASK_ID"));
        return array.map_or_else(|| format!("slurm {job}"), |(array, task)| format!("slurm {array}_{task}"));
    }
    if let Some(pod) = var("JOB_COMPLETION_INDEX").and(var("HOSTNAME")) {
        return format!("kubernetes {pod}");
    }
    var("HARDSET_ENGINE_ID").unwrap_or_default()
}

/// Does the rank, or a part of it, on one device; of a whole rank the record is written.
pub fn work(ctx: &Context, ask: &WorkerAsk) -> Result<Worked, JobError> {
    let is_part = ask.part != Part::WHOLE;
    let process = RankProcess { rank: ask.rank, device: is_part.then_some(ask.part.index) };
    Beat::over(&ask.job, process, ctx.progress, ask.hung_after, |beat| {
        let rank = Rank::of(ctx, ask)?;
        if !is_part && rank.is_through()? {
            return Ok(Worked { shards: rank.shards.len(), was_through: true, ..Worked::default() });
        }
        beat.begin(rank.live(ctx.device));
        rank.work(ctx, beat)
    })
}

impl Rank<'_> {
    fn work(&self, ctx: &Context, beat: &Beat) -> Result<Worked, JobError> {
        let accept = |unit: &Unit, facts: &BTreeMap<String, String>| self.accept(ctx, unit, facts);
        let ctx = &Context { accept: Some(&accept), progress: beat, fetches: false, ..ctx.again() };
        let pool = Pool::open_for_part(ctx, &self.spec)?;
        check_space(&pool)?;
        let made = self.make(&pool, beat)?;
        let left_out = beat.left_out();
        if !left_out.is_empty() {
            let shards = left_out.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let (run, rank, starts) = (run_in_commands(ctx), self.ask.rank, TOO_MANY_STARTS);
            return Err(JobError::LeftOut { run, rank, shards, starts });
        }
        let worked = Worked {
            shards: self.shards.len(),
            fresh_images: made.fresh_images,
            lost: made.rows.dropped + made.rows.failed,
            was_through: false,
        };
        if self.ask.part == Part::WHOLE {
            self.commit(&pool, made)?;
        }
        Ok(worked)
    }

    /// Makes and scores what its shards lack.
    fn make(&self, pool: &Pool, beat: &Beat) -> Result<RankResults, JobError> {
        let ctx = pool.ctx();
        let mut images = Taken::new(Generate::of_rank(ctx, &self.spec, pool.plan())?, beat);
        let mut scores = Taken::new(Score::of_rank(pool)?, beat);
        let threads = ctx.thread_pool()?;
        let mut made = RankResults::new(&self.spec, self.shards.start);
        let ranges = &pool.plan().ranges[self.shards.clone()];
        let items = ranges.first().zip(ranges.last()).map_or(0, |(first, last)| last.end - first.start);
        ctx.progress.start(&format!("rank {}", self.ask.rank), items as u64);
        for shard in self.shards.clone() {
            let both = threads.install(|| work_on(ctx, shard, Check::Sizes, &mut images)).map_err(JobError::from);
            let both = both.and_then(|images| Ok((images, work_on(ctx, shard, Check::Sizes, &mut scores)?)));
            match both {
                Ok((images, scores)) => {
                    let fresh = images.iter().chain(&scores).filter_map(|done| done.fresh_rows).max();
                    beat.done(shard, pool.plan().ranges[shard].len() as u64, fresh.unwrap_or(0));
                    made.add(images, scores);
                }
                Err(_) if beat.left_out().last() == Some(&shard) => {}
                Err(error) => return Err(error),
            }
        }
        ctx.progress.finish();
        Ok(made)
    }

    /// An error if something else makes these results than what has made the first ones of the job.
    fn accept(&self, ctx: &Context, unit: &Unit, facts: &BTreeMap<String, String>) -> Result<(), WorkError> {
        if self.record.mixed_devices {
            return Ok(());
        }
        let output = output_of(ctx, unit);
        let pinned = self.ask.job.pinned_maker(&output, facts)?;
        if pinned == *facts {
            return Ok(());
        }
        let names: BTreeSet<&String> = pinned.keys().chain(facts.keys()).collect();
        let differs = |name: &&String| pinned.get(*name) != facts.get(*name);
        let of = |facts: &BTreeMap<String, String>| {
            let said = names.iter().filter(|name| differs(name));
            let said = said.map(|name| format!("{name} {}", facts.get(*name).map_or("none", String::as_str)));
            said.collect::<Vec<_>>().join(", ")
        };
        Err(WorkError::OtherMaker { output, pinned: of(&pinned), found: of(facts) })
    }

    /// Writes the rank's part of the mining, and its record.
    fn commit(&self, pool: &Pool, made: RankResults) -> Result<(), JobError> {
        let RankResults { mut shards, rows, mut lost, .. } = made;
        let (table, mined) = of_shards(pool, self.shards.clone())?;
        shards.selected = mined.counts;
        shards.shards.iter_mut().zip(mined.rows).for_each(|(shard, rows)| shard.mined = rows);
        lost.sort();
        lost.dedup();
        let encoded = serde_json::to_vec(&shards).map_err(|error| WorkError::Spec(error.to_string()))?;
        let record = NewRecord { key: self.key, rows, lost, facts: BTreeMap::new(), sums: None };
        self.unit.commit(&[("shards.json", encoded), ("parquet", table)], record)?;
        Ok(())
    }
}

/// The name of the folder of a shard's unit: `images`, `predictions.NAME`.
pub(super) fn output_of(ctx: &Context, unit: &Unit) -> String {
    let folder = unit.dir.parent().and_then(|dir| dir.strip_prefix(ctx.run.path()).ok()).unwrap_or(&unit.dir);
    folder.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join(".")
}

/// What a process has made so far.
struct RankResults {
    shards: RankShards,
    rows: RowCounts,
    lost: Vec<DropRow>,
    fresh_images: u64,
}

impl RankResults {
    fn new(spec: &RunSpec, first: usize) -> Self {
        let scorers = vec![RankScorer::default(); spec.scored().len()];
        let shards = RankShards { first, scorers, ..RankShards::default() };
        Self { shards, rows: RowCounts::default(), lost: Vec::new(), fresh_images: 0 }
    }

    fn add(&mut self, images: Vec<ShardDone>, scores: Vec<ShardDone>) {
        let predictions = scores.iter().map(|done| done.record.hash()).collect();
        // A shard's images are one result.
        if let Some(ShardDone { record, fresh_rows }) = images.into_iter().next() {
            self.rows.add(record.rows);
            self.fresh_images += fresh_rows.unwrap_or(0);
            self.shards.shards.push(RankShard { images: record.hash(), predictions, mined: 0 });
            self.lost.extend(record.lost);
        }
        for (sum, done) in self.shards.scorers.iter_mut().zip(scores) {
            add_scores(sum, &done.record);
            self.lost.extend(done.record.lost);
        }
    }
}

fn add_scores(sum: &mut RankScorer, record: &ShardRecord) {
    sum.scored += record.rows.kept;
    record.sums.iter().for_each(|sums| sum.sums.add(sums));
}

/// Divides the rank among several devices, one process for each, and returns how many images these have worked on; does
/// nothing with one device. The rank's record is left to [`work`], which finds everything there.
pub fn share(ctx: &Context, devices: &[Device], ask: &WorkerAsk) -> Result<u64, JobError> {
    if devices.len() < 2 {
        return Ok(0);
    }
    let process = RankProcess { rank: ask.rank, device: None };
    let hung_after = ask.hung_after.map(|after| after.max(SHARE_PATIENCE));
    Beat::over(&ask.job, process, ctx.progress, hung_after, |beat| {
        let rank = Rank::of(ctx, ask)?;
        if rank.is_through()? {
            return Ok(0);
        }
        let begun = now();
        let all = rank.shards.len() as u64;
        let of_device = |device| ask.job.live_of(&RankProcess { rank: ask.rank, device: Some(device) });
        // An earlier process may have left its own words.
        let live = || (0..devices.len()).map(of_device).filter(|live| live.started >= begun);
        let count = || -> Result<WorkCount, JobError> {
            let done = live().map(|live| live.done as u64).sum::<u64>();
            beat.renew();
            // Whether all is done is for the rank's record to say.
            Ok(WorkCount { done: done.min(all.saturating_sub(1)), all })
        };
        let mut args = vec![format!("--job={}", ask.job.name()), format!("--rank={}", ask.rank)];
        args.extend(ask.hung_after.map(|after| format!("--hung-after={}", after.as_secs())));
        let work = Divided { command: "worker", doing: "working", args, input: ProcessInput::UntilStop, count: &count };
        processes::share(ctx, devices, &work)?;
        Ok(live().map(|live| live.images).sum())
    })
}
