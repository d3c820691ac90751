//! Rounds of task sheets: made from the current mining once, kept in `batches/`, read back by every other step.

mod choose;
mod compose;
mod known_good;
mod random;
mod supply;

pub use choose::Candidate;
pub use compose::SheetError;

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use self::compose::Design;
use self::random::shuffle;
use self::supply::{Supply, Survey};
use super::judge::read_mining;
use super::pack::Packer;
use super::planned::Planned;
use super::{Context, StageError};
use crate::domain::{DropRow, ItemId, KeyHasher, RunSpec, Secret, Sha256, Stage, Task, TaskImage};
use crate::store::{Check, Rows, RunDir, ShardRecord, StoreError, Unit};
use crate::table::{HardRow, predictions_table, tasks_table};

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

    /// Items that could not be put on its sheets.
    pub fn left_out(&self, run: &RunDir) -> u64 {
        run.round(self.index).record().map_or(0, |record| record.rows.dropped)
    }

    /// What sheets look like to people: two of the same name differ in nothing.
    pub fn look(&self, ctx: &Context, spec: &RunSpec) -> Sha256 {
        let record = ctx.run.round(self.index).record().map(|record| record.hash().to_string()).unwrap_or_default();
        let questions = serde_json::to_vec(&spec.annotate.questions).unwrap_or_default();
        KeyHasher::new()
            .field("round", record)
            .field("questions", questions)
            .field("image_px", spec.annotate.image_px.to_le_bytes())
            .field("categories", spec.categories.sha256.to_string())
            .finish()
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

/// The round for what is wanted. Of the hard items: the one that was made for them, else a new one with those that are on no
/// sheet yet, else the last one as it is. Of missing votes: a new one, else the last one that was made for such.
pub fn round(ctx: &Context, spec: &RunSpec, wanted: Wanted) -> Result<Round, StageError> {
    let secret = ctx.run.secret()?;
    let hard = read_mining(ctx, spec)?;
    let earlier = read_all(ctx)?;
    let (kind, candidates) = match wanted {
        Wanted::Hard => (HARD, choose::choose(&spec.annotate, hard, secret.seed("sample", &spec.seed.to_string()))),
        Wanted::Missing(candidates) => (MISSING, still_hard(candidates, &hard)),
    };
    let key = key(spec, &secret, &candidates);
    let of_kind = |index: &usize| ctx.run.round(*index).record().is_some_and(|record| kind_of(&record) == kind);
    let mut known = (0..earlier.len()).filter(of_kind);
    if let Some(index) =
        known.clone().find(|&index| kind == HARD && ctx.run.round(index).done(key, Check::Sizes).is_some())
    {
        return Ok(earlier[index].clone());
    }
    let on_sheets = if kind == HARD { candidates_of(&earlier) } else { BTreeSet::new() };
    let fresh = candidates.into_iter().filter(|candidate| !on_sheets.contains(&candidate.item_id)).collect();
    let (fresh, lost) = readable(ctx, spec, fresh)?;
    match (fresh.is_empty(), known.next_back()) {
        (true, Some(last)) => {
            ctx.progress
                .note("all of these images are on sheets already; they stay as they are, whatever the recipe says now");
            Ok(earlier[last].clone())
        }
        _ => make(ctx, spec, (kind, key, &secret), (fresh, lost), &earlier),
    }
}

/// What a round was made of, in its record.
const KIND: &str = "kind";
const HARD: &str = "hard";
const MISSING: &str = "missing";

fn kind_of(record: &ShardRecord) -> &str {
    record.facts.get(KIND).map_or(HARD, String::as_str)
}

/// What the current mining does not find hard needs no more votes.
pub fn still_hard(mut candidates: Vec<Candidate>, hard: &[HardRow]) -> Vec<Candidate> {
    let hard: BTreeSet<ItemId> = hard.iter().map(|row| row.item_id).collect();
    candidates.retain(|candidate| hard.contains(&candidate.item_id));
    candidates
}

/// Items that people are asked to judge.
fn candidates_of(rounds: &[Round]) -> BTreeSet<ItemId> {
    rounds.iter().flat_map(|round| &round.tasks).filter_map(Task::judged).collect()
}

/// A round that is there.
pub fn read(ctx: &Context, index: usize) -> Result<Round, StageError> {
    let unit = ctx.run.round(index);
    whole(&unit, "restore it from a copy of the run")?;
    let tasks = tasks_table::decode(&unit.file("tasks.parquet"), &unit.file("sentinels.parquet"))?;
    Ok(Round { index, tasks })
}

/// An error unless the unit's files are those of its record.
pub fn whole(unit: &Unit, remedy: &str) -> Result<(), StageError> {
    let Some((path, problem)) = unit.record().and_then(|record| unit.problem(&record, Check::Hashes)) else {
        return Ok(());
    };
    Err(StoreError::Damaged { path: path.display().to_string(), problem, remedy: remedy.to_owned() }.into())
}

/// All rounds that are there.
pub fn read_all(ctx: &Context) -> Result<Vec<Round>, StageError> {
    (0..ctx.run.rounds()).map(|index| read(ctx, index)).collect()
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
    (kind, key, secret): (&str, Sha256, &Secret),
    (candidates, lost): (Vec<Candidate>, Vec<DropRow>),
    earlier: &[Round],
) -> Result<Round, StageError> {
    let index = earlier.len();
    let used = earlier.iter().flat_map(|round| &round.tasks).map(|task| &task.image).collect();
    let mut supply = supply(ctx, spec, secret)?.unused_first(&used);
    let (kept, dropped) = (candidates.len() as u64, lost.len() as u64);
    let tasks = loop {
        let tasks = Design { spec: &spec.annotate, secret, round: index }.compose(candidates.clone(), &supply)?;
        let images: BTreeSet<&TaskImage> = tasks.iter().map(|task| &task.image).collect();
        let bad = unreadable(ctx, spec, &images)?;
        if bad.is_empty() {
            break tasks;
        }
        bad.iter().for_each(|(image, reason)| left_out(ctx, image, reason));
        supply.without(&bad.into_iter().map(|(image, _)| image).collect());
    };
    let (all, sentinels) = tasks_table::encode(&tasks)?;
    let rows = Rows { given: kept + dropped, kept, dropped, failed: 0 };
    let facts = [(KIND.to_owned(), kind.to_owned())].into();
    let record = ShardRecord { key, rows, files: Vec::new(), lost, facts };
    ctx.run.round(index).commit(&[("sentinels.parquet", sentinels), ("tasks.parquet", all)], record)?;
    Ok(Round { index, tasks })
}

/// The candidates whose images can be shown, and a row for each other one.
fn readable(
    ctx: &Context,
    spec: &RunSpec,
    candidates: Vec<Candidate>,
) -> Result<(Vec<Candidate>, Vec<DropRow>), StageError> {
    let images: Vec<TaskImage> = candidates.iter().map(|candidate| TaskImage::Item(candidate.item_id)).collect();
    let bad: BTreeMap<TaskImage, String> = unreadable(ctx, spec, &images.iter().collect())?.into_iter().collect();
    let (mut kept, mut lost) = (Vec::with_capacity(candidates.len()), Vec::new());
    for (candidate, image) in candidates.into_iter().zip(&images) {
        let Some(reason) = bad.get(image) else {
            kept.push(candidate);
            continue;
        };
        left_out(ctx, image, reason);
        let (item_id, reason) = (candidate.item_id, reason.clone());
        lost.push(DropRow { item_id, stage: Stage::Annotate, source: format!("item {item_id}"), reason });
    }
    Ok((kept, lost))
}

/// Images that cannot be shown, and why.
fn unreadable(
    ctx: &Context,
    spec: &RunSpec,
    images: &BTreeSet<&TaskImage>,
) -> Result<Vec<(TaskImage, String)>, StageError> {
    let packer = Packer::open(ctx, spec, images.iter().copied())?;
    let images: Vec<&TaskImage> = images.iter().copied().collect();
    let problem = |image: &&TaskImage| packer.problem(image).map(|problem| ((*image).clone(), problem));
    Ok(ctx.pool()?.install(|| images.par_iter().filter_map(problem).collect()))
}

/// Tells people of an image that is left out.
fn left_out(ctx: &Context, image: &TaskImage, reason: &str) {
    let source = match image {
        TaskImage::Item(item) => format!("item {item}"),
        TaskImage::Known(path) => path.clone(),
    };
    ctx.progress.note(&format!("{source} is left out of the sheets: {reason}"));
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
