//! Rounds of task sheets: made once from the current mining, stored in `batches/`, read by every other step.
//!
//! Does not lay out a sheet: `people` does. Holds always: a round never changes, because people may be answering it.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::pack::{self, Packer};
use super::{AnnotateError, sentinels};
use crate::domain::{DropRow, ItemId, Key, Question, RunSpec, Secret, Sha256, Stage, Task, TaskImage};
use crate::people::{Candidate, Design, Missing, NotAsked, Round, SheetError, choose};
use crate::pool::Pool;
use crate::store::{NewRecord, RowCounts, RunDir, StoreError};
use crate::table::tasks_table;
use crate::work::Context;

/// Items that could not be put on the sheets of a round.
pub fn left_out(run: &RunDir, round: &Round) -> Result<u64, StoreError> {
    Ok(run.round(round.index).existing()?.rows.dropped)
}

/// Hash of everything on the sheets of a round that people see: equal hashes mean equal sheets.
pub fn look(run: &RunDir, spec: &RunSpec, round: &Round) -> Result<Sha256, StoreError> {
    let key = Key::new("look of sheets", 1)
        .field("round", run.round(round.index).existing()?.hash())
        .list("questions", spec.annotate.questions.iter().map(Question::identity))
        .field("image_px", spec.annotate.image_px)
        .field("categories", spec.categories.identity());
    Ok(key.finish())
}

/// The items that a round asks about.
pub enum Wanted {
    /// The hard items that the recipe asks for.
    Hard,
    /// Items that still lack votes.
    Missing(Missing),
}

/// A round, and where the images are that were asked for and are not on its sheets.
pub struct ChosenRound {
    /// The round.
    pub round: Round,
    /// Numbers of such images by the round on whose sheets they are, from 0.
    pub others: BTreeMap<usize, u64>,
}

impl ChosenRound {
    fn new(round: Round, wanted: &[ItemId], earlier: &[Round]) -> Self {
        let own = round.judged();
        let mut others = BTreeMap::new();
        let mut places: BTreeMap<ItemId, usize> = BTreeMap::new();
        for round in earlier {
            round.judged().into_iter().for_each(|item| _ = places.entry(item).or_insert(round.index));
        }
        for index in wanted.iter().filter(|item| !own.contains(item)).filter_map(|item| places.get(item)) {
            *others.entry(*index).or_default() += 1;
        }
        Self { round, others }
    }
}

/// How many hard items that the recipe asks for are on no sheet.
pub fn on_no_sheet(pool: &Pool, rounds: &[Round]) -> Result<u64, AnnotateError> {
    let on_sheets: BTreeSet<ItemId> = rounds.iter().flat_map(Round::judged).collect();
    let wanted = hard(pool, &pool.ctx().run.secret()?)?;
    Ok(wanted.iter().filter(|candidate| !on_sheets.contains(&candidate.item_id)).count() as u64)
}

/// The hard items that the recipe asks for.
fn hard(pool: &Pool, secret: &Secret) -> Result<Vec<Candidate>, AnnotateError> {
    let seed = secret.seed("sample", &pool.spec().seed.to_string());
    Ok(choose(&pool.spec().annotate, pool.hard()?, seed))
}

/// The round for `wanted`.
///
/// For hard items: the round that was made for them, else a new one with the items that are on no sheet yet, else the
/// last one as it is. For missing votes: a new one, else the last one that was made for missing votes.
pub fn round(pool: &Pool, wanted: Wanted) -> Result<ChosenRound, AnnotateError> {
    let (ctx, spec) = (pool.ctx(), pool.spec());
    let secret = ctx.run.secret()?;
    // Files of the next round, which a killed process left, are no hindrance to making it.
    let earlier = read_first(ctx, ctx.run.rounds_to_continue()?)?;
    let (kind, Missing { candidates, mut others }) = match wanted {
        Wanted::Hard => (HARD, Missing { candidates: hard(pool, &secret)?, ..Missing::default() }),
        Wanted::Missing(missing) => (MISSING, missing.still_hard(pool.hard()?)),
    };
    let asked_for: Vec<ItemId> = candidates.iter().map(|candidate| candidate.item_id).collect();
    let chosen = |round: Round| {
        let asked_for = if kind == HARD { &asked_for[..] } else { &[] };
        ChosenRound::new(round, asked_for, &earlier)
    };
    let key = key(spec, &secret, &candidates);
    let mut of_kind: Vec<&Round> = Vec::new();
    for round in &earlier {
        if kind_of(ctx, round)? == kind {
            of_kind.push(round);
        }
    }
    let mut fresh = candidates;
    if kind == HARD {
        for round in &of_kind {
            if ctx.run.round(round.index).existing()?.key == key {
                return Ok(chosen((*round).clone()));
            }
        }
        let on_sheets: BTreeSet<_> = earlier.iter().flat_map(Round::judged).collect();
        fresh.retain(|candidate| !on_sheets.contains(&candidate.item_id));
    }
    let Readable { candidates, lost } = readable(pool, fresh)?;
    others.unreadable = lost.len() as u64;
    if !candidates.is_empty() {
        return Ok(chosen(make(pool, NewRound { kind, key, secret, candidates, lost }, &earlier)?));
    }
    let Some(last) = of_kind.last() else { return Err(nothing(kind, &lost, others).into()) };
    let why = match (kind, lost.len()) {
        (HARD, 0) => "every image to judge is on a sheet already, and sheets do not change with the recipe".to_owned(),
        (HARD, lost) => format!("of the images that are on no sheet yet, none of {lost} can be read"),
        _ => SheetError::NothingMissing(others).to_string(),
    };
    ctx.progress.note(&format!("{why}; these are the sheets of round {} again", last.index + 1));
    Ok(chosen((*last).clone()))
}

/// Why there is no round at all.
fn nothing(kind: &str, lost: &[DropRow], others: NotAsked) -> SheetError {
    match (kind, lost.len()) {
        (MISSING, _) => SheetError::NothingMissing(others),
        (_, 0) => SheetError::NoCandidates,
        (_, lost) => SheetError::NoneReadable(lost as u64),
    }
}

/// Round `number`, from 1, as it is.
pub fn numbered(pool: &Pool, number: u64) -> Result<ChosenRound, AnnotateError> {
    let ctx = pool.ctx();
    let rounds = read_all(ctx)?;
    let Some(round) = rounds.iter().find(|round| round.index as u64 + 1 == number) else {
        return Err(match rounds.len() {
            0 => AnnotateError::NoSheets { run: ctx.run_name() },
            rounds => AnnotateError::NoSuchRound { run: ctx.run_name(), number, rounds },
        });
    };
    let wanted: Vec<ItemId> = hard(pool, &ctx.run.secret()?)?.into_iter().map(|candidate| candidate.item_id).collect();
    Ok(ChosenRound::new(round.clone(), &wanted, &rounds))
}

/// Name of a fact in a round's record: the hash of the images on its sheets.
const IMAGES: &str = "images";

/// Hash of the items and images on these sheets.
fn images_on(pool: &Pool, tasks: &[Task]) -> Result<Sha256, AnnotateError> {
    let items: BTreeSet<ItemId> = tasks.iter().filter_map(|task| task.image.item()).collect();
    let found = pool.find_images(&items)?;
    let key = Key::new("images on sheets", 1)
        .list("items", items.iter().map(|item| item.0))
        .list("images", items.iter().map(|item| found.get(item).map(|found| found.row.sha256)));
    Ok(key.finish())
}

/// An error if an item on the sheets has another image than when people were asked: their verdicts are about that one.
pub fn check_images(pool: &Pool) -> Result<(), AnnotateError> {
    for round in read_all(pool.ctx())? {
        let unit = pool.ctx().run.round(round.index);
        let then = unit.existing()?.facts.remove(IMAGES);
        if then != Some(images_on(pool, &round.tasks)?.to_string()) {
            return Err(StoreError::Damaged {
                path: pool.ctx().run.path().join("images").display().to_string(),
                problem: format!("items on the sheets of round {} have other images now", round.index + 1),
                remedy: "restore the plan and the images from a copy of the run".to_owned(),
            }
            .into());
        }
    }
    Ok(())
}

/// Name of a fact in a round's record: what the round was made for.
const KIND: &str = "kind";
const HARD: &str = "hard";
const MISSING: &str = "missing";

fn kind_of(ctx: &Context, round: &Round) -> Result<String, StoreError> {
    let kind = ctx.run.round(round.index).existing()?.facts.remove(KIND);
    Ok(kind.unwrap_or_else(|| HARD.to_owned()))
}

/// The round `index`, which must exist.
pub fn read(ctx: &Context, index: usize) -> Result<Round, AnnotateError> {
    let unit = ctx.run.round(index);
    let record = unit.existing()?;
    let (tasks, sentinels) = (unit.checked(&record, "tasks.parquet")?, unit.checked(&record, "sentinels.parquet")?);
    let tasks = tasks_table::decode(&tasks, &sentinels)?;
    Ok(Round { index, tasks })
}

/// All rounds of the run.
pub fn read_all(ctx: &Context) -> Result<Vec<Round>, AnnotateError> {
    read_first(ctx, ctx.run.rounds()?)
}

fn read_first(ctx: &Context, rounds: usize) -> Result<Vec<Round>, AnnotateError> {
    (0..rounds).map(|index| read(ctx, index)).collect()
}

/// Hash of everything that sheets depend on; without the questions and the rules for answers, which may change.
fn key(spec: &RunSpec, secret: &Secret, candidates: &[Candidate]) -> Sha256 {
    let annotate = &spec.annotate;
    Key::new("round", 2)
        .field("secret", secret.fingerprint())
        .field("mining", spec.mining_id())
        .field("sentinels", annotate.sentinels.identity())
        .field("images", annotate.images_per_batch)
        .list("items", candidates.iter().map(|candidate| candidate.item_id.0))
        .list("people", candidates.iter().map(|candidate| candidate.people))
        .finish()
}

/// Everything that a new round is made from.
struct NewRound {
    kind: &'static str,
    key: Sha256,
    secret: Secret,
    candidates: Vec<Candidate>,
    /// Items that cannot be shown.
    lost: Vec<DropRow>,
}

fn make(pool: &Pool, new: NewRound, earlier: &[Round]) -> Result<Round, AnnotateError> {
    let NewRound { kind, key, secret, candidates, lost } = new;
    let ctx = pool.ctx();
    let index = earlier.len();
    let used = earlier.iter().flat_map(|round| &round.tasks).map(|task| &task.image).collect();
    let mut supply = sentinels::supply(pool, &secret, earlier, &candidates)?.unused_first(&used);
    let (kept, dropped) = (candidates.len() as u64, lost.len() as u64);
    let design = Design { spec: &pool.spec().annotate, secret: &secret, round: index };
    let tasks = loop {
        let tasks = design.compose(candidates.clone(), &supply)?;
        let bad = unreadable(pool, tasks.iter().map(|task| &task.image).collect())?;
        if bad.is_empty() {
            break tasks;
        }
        for (image, reason) in &bad {
            note_left_out(ctx, image, reason);
        }
        supply.without(&bad.into_keys().collect());
    };
    let (all, sentinels) = tasks_table::encode(&tasks)?;
    let rows = RowCounts { given: kept + dropped, kept, dropped, failed: 0 };
    let images = images_on(pool, &tasks)?.to_string();
    let facts = [(KIND.to_owned(), kind.to_owned()), (IMAGES.to_owned(), images)].into();
    let record = NewRecord { key, rows, lost, facts, sums: None };
    // Before the first round, so that a list that is missing later is damage.
    ctx.run.start_blanks()?;
    ctx.run.round(index).commit_once(&[("sentinels.parquet", sentinels), ("tasks.parquet", all)], record)?;
    Ok(Round { index, tasks })
}

/// Candidates whose images can be shown, and a row for each of the others.
struct Readable {
    candidates: Vec<Candidate>,
    lost: Vec<DropRow>,
}

fn readable(pool: &Pool, candidates: Vec<Candidate>) -> Result<Readable, AnnotateError> {
    let images: Vec<TaskImage> = candidates.iter().map(|candidate| TaskImage::Item(candidate.item_id)).collect();
    let bad = unreadable(pool, images.iter().collect())?;
    let mut readable = Readable { candidates: Vec::with_capacity(candidates.len()), lost: Vec::new() };
    for (candidate, image) in candidates.into_iter().zip(&images) {
        let Some(reason) = bad.get(image) else {
            readable.candidates.push(candidate);
            continue;
        };
        note_left_out(pool.ctx(), image, reason);
        let (item_id, reason) = (candidate.item_id, reason.clone());
        readable.lost.push(DropRow { item_id, stage: Stage::Annotate, source: format!("item {item_id}"), reason });
    }
    Ok(readable)
}

/// Images that cannot be shown, and why.
fn unreadable(pool: &Pool, images: BTreeSet<&TaskImage>) -> Result<BTreeMap<TaskImage, String>, AnnotateError> {
    let packer = Packer::open(pool, images.iter().copied())?;
    let images: Vec<&TaskImage> = images.into_iter().collect();
    let problem = |image: &&TaskImage| packer.problem(image).map(|problem| ((*image).clone(), problem));
    Ok(pool.ctx().thread_pool()?.install(|| images.par_iter().filter_map(problem).collect()))
}

/// Notes an image that is left out.
fn note_left_out(ctx: &Context, image: &TaskImage, reason: &str) {
    ctx.progress.note(&format!("{} is left out of the sheets: {reason}", pack::name(image)));
}
