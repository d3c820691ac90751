//! Rounds of task sheets: made from the current mining once, kept in `batches/`, read back by every other step.

mod choose;
mod compose;
mod known_good;
mod random;
mod supply;

pub use choose::Candidate;
pub use compose::SheetError;

use std::collections::BTreeSet;

use self::compose::Design;
use self::random::shuffle;
use self::supply::{Supply, Survey};
use super::planned::Planned;
use super::{Context, StageError};
use crate::domain::{ItemId, KeyHasher, RunSpec, Secret, Sha256, Task, TaskImage, TaskKind};
use crate::store::{Check, Rows, ShardRecord};
use crate::table::{predictions_table, read_hard, tasks_table};

/// Shards in which sentinels are looked for.
const SURVEYED: usize = 64;

/// The tasks of one round.
#[derive(Debug, Clone, PartialEq)]
pub struct Round {
    /// Its number, from 0.
    pub index: usize,
    /// Sheet by sheet, in order.
    pub tasks: Vec<Task>,
}

impl Round {
    /// The sheets.
    pub fn sheets(&self) -> impl Iterator<Item = &[Task]> {
        self.tasks.chunk_by(|a, b| a.batch == b.batch)
    }

    /// People who are wanted, over all sheets.
    pub fn assignments(&self) -> u64 {
        self.sheets().map(|sheet| u64::from(sheet[0].people)).sum()
    }
}

/// What a round is to be made of.
pub enum Wanted {
    /// The hard items that the recipe asks for.
    Hard,
    /// Items that still lack votes.
    Missing(Vec<Candidate>),
}

/// The round for what is wanted: the last one if it was made for that, else a new one.
pub fn round(ctx: &Context, spec: &RunSpec, wanted: Wanted) -> Result<Round, StageError> {
    let secret = ctx.run.secret()?;
    let fresh_only = matches!(wanted, Wanted::Hard);
    let candidates = match wanted {
        Wanted::Hard => choose::choose(&spec.annotate, hard(ctx, spec)?, secret.seed("sample", &spec.seed.to_string())),
        Wanted::Missing(candidates) => candidates,
    };
    let key = key(spec, &secret, &candidates);
    let rounds = ctx.run.rounds();
    let known = (0..rounds).find(|&index| ctx.run.round(index).done(key, Check::Hashes).is_some());
    match known {
        Some(index) => read(ctx, index),
        None if fresh_only => {
            let on_sheets = candidates_of(&read_all(ctx)?);
            let fresh = candidates.into_iter().filter(|candidate| !on_sheets.contains(&candidate.item_id)).collect();
            make(ctx, spec, (rounds, key, &secret), fresh)
        }
        None => make(ctx, spec, (rounds, key, &secret), candidates),
    }
}

/// Items that people are asked to judge.
fn candidates_of(rounds: &[Round]) -> BTreeSet<ItemId> {
    let item = |task: &Task| match (&task.kind, &task.image) {
        (TaskKind::Candidate, TaskImage::Item(item)) => Some(*item),
        _ => None,
    };
    rounds.iter().flat_map(|round| &round.tasks).filter_map(item).collect()
}

/// A round that is there.
pub fn read(ctx: &Context, index: usize) -> Result<Round, StageError> {
    let unit = ctx.run.round(index);
    let tasks = tasks_table::decode(&unit.file("tasks.parquet"), &unit.file("sentinels.parquet"))?;
    Ok(Round { index, tasks })
}

/// All rounds that are there.
pub fn read_all(ctx: &Context) -> Result<Vec<Round>, StageError> {
    (0..ctx.run.rounds()).map(|index| read(ctx, index)).collect()
}

fn hard(ctx: &Context, spec: &RunSpec) -> Result<Vec<crate::table::HardRow>, StageError> {
    let mined = ctx.run.mined(&spec.mining_id());
    match mined.is_file() {
        true => Ok(read_hard(&mined)?),
        false => Err(StageError::NotReady {
            run: ctx.run.path().display().to_string(),
            missing: "its mining is not made yet".to_owned(),
        }),
    }
}

/// Everything that sheets depend on; not what is only asked of people, nor what becomes of their answers.
fn key(spec: &RunSpec, secret: &Secret, candidates: &[Candidate]) -> Sha256 {
    let annotate = &spec.annotate;
    let sentinels = serde_json::to_vec(&annotate.sentinels).unwrap_or_default();
    let key = KeyHasher::new().field("stage", "sheets 1").field("secret", secret.fingerprint().to_string());
    let key = key.field("mining", spec.mining_id()).field("sentinels", sentinels);
    let key = key.field("images", annotate.images_per_batch.to_le_bytes());
    let items = candidates.iter().fold(KeyHasher::new(), |key, candidate| {
        key.field(&candidate.item_id.to_string(), candidate.people.to_le_bytes())
    });
    key.field("items", items.finish().to_string()).finish()
}

fn make(
    ctx: &Context,
    spec: &RunSpec,
    (index, key, secret): (usize, Sha256, &Secret),
    candidates: Vec<Candidate>,
) -> Result<Round, StageError> {
    let given = candidates.len() as u64;
    let supply = supply(ctx, spec, secret)?;
    let tasks = Design { spec: &spec.annotate, secret, round: index }.compose(candidates, &supply)?;
    let (all, sentinels) = tasks_table::encode(&tasks)?;
    let rows = Rows { given, kept: given, dropped: 0, failed: 0 };
    let record = ShardRecord { key, rows, files: Vec::new(), lost: Vec::new(), facts: Default::default() };
    ctx.run.round(index).commit(&[("sentinels.parquet", sentinels), ("tasks.parquet", all)], record)?;
    Ok(Round { index, tasks })
}

fn supply(ctx: &Context, spec: &RunSpec, secret: &Secret) -> Result<Supply, StageError> {
    let plan = Planned::open(ctx, spec)?;
    let mut survey = Survey::new(&spec.categories, &spec.annotate.sentinels);
    let mut shards = shuffle((0..plan.ranges.len()).collect(), secret.seed("survey", ""));
    shards.truncate(SURVEYED);
    ctx.progress.start("sentinels", shards.len() as u64);
    for shard in shards {
        ctx.check_stop()?;
        let said = |name: &String| predictions_table::decode(&ctx.run.predictions(name, shard).file("parquet"));
        let predictions = spec.mine.select.surrogates.iter().map(said).collect::<Result<Vec<_>, _>>()?;
        survey.add(&plan.rows(shard)?, &predictions);
        ctx.progress.advance(1);
    }
    ctx.progress.finish();
    let mut supply = survey.supply(secret);
    if let Some(folder) = &spec.annotate.sentinels.known_good {
        supply.positives = known_good::list(folder, &spec.categories)?;
        supply = supply.shuffled(secret);
    }
    Ok(supply)
}
