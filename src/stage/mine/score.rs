//! score: every surrogate's predictions on every image, shard by shard: `predictions/<surrogate>/NNN/NNNNNN`.
//!
//! An image is read and decoded once for all surrogates that have not scored its shard. On a CPU each thread has its
//! own instance of each surrogate and takes the next block of images, so that decoding, resampling and inference
//! overlap. On a GPU each surrogate has one instance, and all threads prepare images for its batches ([`queue`]).
//!
//! Does not decide what is hard. Holds always: blocks are cut at fixed places, whatever the number of threads, because
//! other batches round differently; memory does not grow with the pool.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use super::MineError;
use super::import::Imported;
use super::judge::Judge;
use super::queue::{self, Prepared, Queued};
use crate::domain::{
    Device, DropRow, ImageRow, Outcome, PlanRow, Prediction, RunSpec, Scores, Stage, SurrogateModel, SurrogateSpec,
};
use crate::imaging::RgbImage;
use crate::pool::Pool;
use crate::scorer::{Instances, Scorer, ScorerError, ScorerFactory, fit};
use crate::stage::prepare;
use crate::store::{Check, RowCounts, ShardRecord, StoreError, UnitState};
use crate::table::predictions_table;
use crate::work::processes::WorkCount;
use crate::work::{Context, Part, ShardRecords, ShardResult, ShardTarget, ShardWork, WorkError, for_each_shard};

/// The result for one surrogate or target.
#[derive(Debug, Clone)]
pub struct Scored {
    /// The surrogate, or target.
    pub surrogate: String,
    /// Whether it is a target, which does not vote.
    pub is_target: bool,
    /// The records of its shards.
    pub records: ShardRecords,
}

/// The scoring as work on shards.
pub struct Score<'a> {
    run: &'a Pool<'a>,
    ctx: &'a Context<'a>,
    spec: &'a RunSpec,
    surrogates: Vec<&'a SurrogateSpec>,
    /// The records of the images by shard, as far as the caller has them.
    images: &'a [ShardRecord],
    /// For each surrogate, what its scores are held against.
    judges: Vec<Judge<'a>>,
    pool: rayon::ThreadPool,
    part: Part,
    factory: Option<ScorerFactory>,
    runtime_loaded: bool,
    /// For each surrogate, whether it has scored any image yet.
    proven: Vec<bool>,
    /// For each surrogate, whether it scores one image at a time ([`Scorer::is_alone`]).
    alone: Vec<bool>,
    engines: Mutex<Vec<Engine>>,
    /// Scores that other programs have made, by place in `surrogates`.
    imported: BTreeMap<usize, Imported>,
}

/// One thread's instances (on a GPU the only ones), by place in `surrogates`.
type Engine = BTreeMap<usize, Box<dyn Scorer>>;

/// Outcomes of one block: for each pending surrogate, one per image.
type BlockScores = Vec<Vec<Outcome<Prediction>>>;

/// Name of a fact in the records of a scorer that scores one image at a time.
const ONE_BY_ONE: &str = "one_by_one";
/// The fewest images that are prepared at a time for a GPU; at least four for each thread.
const STRETCH: usize = 64;

/// Scores the shards of `part` with the surrogates of the mining and the targets; `images`: the records of `generate`
/// for all shards, or none, to be read when they are needed.
pub fn score(pool: &Pool, images: &[ShardRecord], check: Check, part: Part) -> Result<Vec<Scored>, MineError> {
    let (ctx, spec) = (pool.ctx(), pool.spec());
    let names: Vec<String> = spec.scored().iter().map(|surrogate| surrogate.name.clone()).collect();
    check_device(ctx, &spec.scored(), pool.shards())?;
    let work = Score { images, part, ..Score::of_rank(pool)? };
    let mut records = for_each_shard(ctx, &pool.plan().ranges, check, work)?;
    // A loop without shards returns no outputs.
    records.resize(names.len(), ShardRecords::default());
    let mut scored = Vec::with_capacity(names.len());
    for (surrogate, records) in names.into_iter().zip(records) {
        scored.push(Scored { is_target: spec.mine.targets.contains(&surrogate), surrogate, records });
    }
    Ok(scored)
}

/// How many predictions of the surrogates and targets of the mining are made; `images`: the records of all shards.
pub fn predicted(pool: &Pool, images: &[ShardRecord]) -> Result<WorkCount, StoreError> {
    let mut counted = WorkCount { done: 0, all: 0 };
    for surrogate in pool.spec().scored() {
        for (shard, images) in images.iter().enumerate() {
            let unit = pool.ctx().run.predictions(&surrogate.name, shard);
            counted.all += images.rows.kept;
            let state = unit.state(pool.keys().predictions(images, surrogate), Check::Sizes)?;
            if matches!(state, UnitState::Done(_)) {
                counted.done += images.rows.kept;
            }
        }
    }
    Ok(counted)
}

/// An error if the requested device is of another kind (CPU, CUDA) than the one that made the predictions of the run.
fn check_device(ctx: &Context, surrogates: &[&SurrogateSpec], shards: usize) -> Result<(), MineError> {
    if ctx.device == Device::Auto {
        return Ok(());
    }
    for surrogate in surrogates {
        for shard in 0..shards {
            let record = ctx.run.predictions(&surrogate.name, shard).record()?;
            let Some(made_on) = record.as_ref().and_then(|record| record.facts.get("device")) else { continue };
            if made_on == ctx.device.kind() {
                continue;
            }
            let (name, wanted) = (surrogate.name.clone(), ctx.device.to_string());
            let folder = ctx.run.path().join("predictions").join(&name).display().to_string();
            return Err(MineError::OtherDevice { name, made_on: made_on.clone(), wanted, folder });
        }
    }
    Ok(())
}

impl ShardWork for Score<'_> {
    const NAME: &'static str = "mine";
    type Error = MineError;

    fn part(&self) -> Part {
        self.part
    }

    fn outputs(&self, shard: usize) -> Result<Vec<ShardTarget>, MineError> {
        let images = match self.images.get(shard) {
            Some(images) => images,
            None => &self.ctx.run.images(shard).existing()?,
        };
        let output = |surrogate: &&SurrogateSpec| ShardTarget {
            unit: self.ctx.run.predictions(&surrogate.name, shard),
            key: self.run.keys().predictions(images, surrogate),
        };
        Ok(self.surrogates.iter().map(output).collect())
    }

    fn load(&mut self, _shard: usize, pending: &[usize]) -> Result<(), MineError> {
        let looking: Vec<usize> = pending.iter().copied().filter(|&at| !self.is_imported(at)).collect();
        if looking.is_empty() { Ok(()) } else { self.ready(&looking) }
    }

    fn make(&mut self, shard: usize, pending: &[usize]) -> Result<Vec<ShardResult>, MineError> {
        self.run.check_source()?;
        // A network that fails now stops the work; later it would cost images.
        self.run.bring_images(shard)?;
        let images = self.run.image_rows(shard)?;
        let labels = self.run.items(shard)?;
        let (imported, looking): (Vec<usize>, Vec<usize>) = pending.iter().partition(|&&at| self.is_imported(at));
        let mut by_surrogate: BTreeMap<usize, Vec<Outcome<Prediction>>> = BTreeMap::new();
        for at in imported {
            by_surrogate.insert(at, self.look_up(at, &images, &labels)?);
        }
        if looking.is_empty() {
            self.ctx.progress.advance(images.len() as u64);
        } else {
            let scored = match self.instances() {
                Instances::PerCore => self.score_on_all_cores(&images, &labels, &looking)?,
                Instances::PerModel => self.score_through_queues(&images, &labels, &looking)?,
            };
            by_surrogate.extend(looking.into_iter().zip(scored));
        }
        // Items that an earlier stage lost count as done.
        self.ctx.progress.advance((labels.len() - images.len()) as u64);
        let mut made = Vec::with_capacity(pending.len());
        for &at in pending {
            let outcomes = by_surrogate.remove(&at).unwrap_or_default();
            made.push(self.pack(shard, at, &images, &labels, outcomes)?);
        }
        pending.iter().zip(&made).for_each(|(&at, made)| self.proven[at] |= made.rows.kept > 0);
        Ok(made)
    }
}

impl<'a> Score<'a> {
    /// For a process that works on some shards of a run.
    pub fn of_rank(pool: &'a Pool<'a>) -> Result<Self, MineError> {
        let (ctx, spec) = (pool.ctx(), pool.spec());
        let surrogates = spec.scored();
        let mut judges = Vec::with_capacity(surrogates.len());
        for surrogate in &surrogates {
            judges.push(Judge::of(pool, &surrogate.name)?);
        }
        Ok(Self {
            run: pool,
            ctx,
            spec,
            images: &[],
            judges,
            pool: ctx.thread_pool()?,
            part: Part::WHOLE,
            factory: None,
            runtime_loaded: false,
            proven: vec![false; surrogates.len()],
            alone: vec![false; surrogates.len()],
            engines: Mutex::default(),
            imported: BTreeMap::new(),
            surrogates,
        })
    }

    fn is_imported(&self, at: usize) -> bool {
        matches!(self.surrogates[at].model, SurrogateModel::Imported(_))
    }

    /// The predictions of an imported scorer, whose file is read when it is needed first.
    fn look_up(
        &mut self,
        at: usize,
        images: &[ImageRow],
        labels: &[PlanRow],
    ) -> Result<Vec<Outcome<Prediction>>, MineError> {
        let surrogate = self.surrogates[at];
        let SurrogateModel::Imported(model) = &surrogate.model else { return Ok(Vec::new()) };
        let imported = match self.imported.entry(at) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                prepare::check_weights(surrogate)?;
                place.insert(Imported::read(self.run, &surrogate.name, model, self.judges[at].space())?)
            }
        };
        let judge = &self.judges[at];
        let mut predictions = Vec::with_capacity(images.len());
        // Scores of many classes take more memory than what follows from them.
        for stretch in images.chunks(STRETCH) {
            let scores = imported.scores(stretch)?;
            predictions.extend(stretch.iter().zip(scores).map(|(row, scores)| judge.predict(row, scores, labels)));
        }
        Ok(predictions)
    }

    /// Loads the runtime and the pending surrogates when the first is needed; mining again by another rule needs
    /// neither.
    fn ready(&mut self, pending: &[usize]) -> Result<(), MineError> {
        let real = |at: &usize| self.surrogates[*at].model.needs_runtime();
        if self.factory.is_none() || (!self.runtime_loaded && pending.iter().any(real)) {
            self.runtime_loaded = pending.iter().any(real);
            self.factory = Some(self.load_factory(pending)?);
            self.engines = Mutex::default();
        }
        let (instances, batch) = (self.instances(), self.batch());
        let Some(factory) = &self.factory else { return Ok(()) };
        let (surrogates, judges) = (&self.surrogates, &self.judges);
        let engines = self.engines.get_mut().unwrap_or_else(PoisonError::into_inner);
        if engines.is_empty() {
            let count = if instances == Instances::PerCore { self.ctx.threads } else { 1 };
            engines.resize_with(count, Engine::new);
        }
        let fresh = pending.iter().filter(|&at| engines.iter().all(|engine| !engine.contains_key(at)));
        let fresh: Vec<usize> = fresh.copied().collect();
        fresh.iter().try_for_each(|&at| prepare::check_weights(surrogates[at]))?;
        let ctx = self.ctx;
        let stop = || ctx.check_stop().is_err();
        let load = |engine: &mut Engine| -> Result<(), ScorerError> {
            for &at in pending {
                if let Entry::Vacant(place) = engine.entry(at) {
                    place.insert(factory.build(surrogates[at], judges[at].space().len(), batch, &stop)?);
                }
            }
            Ok(())
        };
        // A GPU's sessions are made one after another: making several at once has crashed (microsoft/onnxruntime
        // 26610).
        let loaded = self.pool.install(|| engines.par_iter_mut().try_for_each(load));
        ctx.check_stop()?;
        loaded?;
        for &at in &fresh {
            self.alone[at] = engines.first().and_then(|engine| engine.get(&at)).is_some_and(|model| model.is_alone());
            if self.alone[at] {
                // Without the records of all images this process looks at no other records either.
                let older = scored_together(self.ctx, self.images.len(), &surrogates[at].name)?;
                self.ctx.progress.note(&alone_note(&surrogates[at].name, older));
            }
        }
        // Before a shard is scored for nothing.
        if let Some(accept) = self.ctx.accept {
            for at in fresh {
                accept(&self.ctx.run.predictions(&self.surrogates[at].name, 0), &self.facts(at))?;
            }
        }
        Ok(())
    }

    fn instances(&self) -> Instances {
        self.factory.as_ref().map_or(Instances::PerCore, ScorerFactory::instances)
    }

    /// Images per call of a model.
    fn batch(&self) -> usize {
        self.spec.mine.batch.unwrap_or(self.instances().default_batch()) as usize
    }

    fn load_factory(&self, pending: &[usize]) -> Result<ScorerFactory, MineError> {
        if !self.runtime_loaded {
            return Ok(ScorerFactory::without_runtime());
        }
        let ready = prepare::ready(self.ctx)?;
        ready.chosen.note.iter().for_each(|note| self.ctx.progress.note(note));
        let instances = self.ctx.instances.unwrap_or_else(|| Instances::on(ready.chosen.device));
        let factory = ScorerFactory::with_onnx_runtime(ready.runtime, ready.chosen, instances, self.ctx.data.cache());
        let names: Vec<&str> = pending.iter().map(|&at| self.surrogates[at].name.as_str()).collect();
        self.ctx.progress.note(&format!("scoring with {} ({})", names.join(", "), prepare::described(factory.facts())));
        Ok(factory)
    }

    fn score_on_all_cores(
        &self,
        images: &[ImageRow],
        labels: &[PlanRow],
        pending: &[usize],
    ) -> Result<BlockScores, MineError> {
        let blocks: Vec<&[ImageRow]> = images.chunks(self.batch()).collect();
        let scored: Vec<BlockScores> = self.pool.install(|| {
            blocks
                .par_iter()
                .with_max_len(1)
                .map(|block| self.score_block(block, labels, pending))
                .collect::<Result<_, _>>()
        })?;
        let mut by_surrogate: BlockScores = vec![Vec::with_capacity(images.len()); pending.len()];
        for block in scored {
            by_surrogate.iter_mut().zip(block).for_each(|(all, outcomes)| all.extend(outcomes));
        }
        Ok(by_surrogate)
    }

    fn score_through_queues(
        &self,
        images: &[ImageRow],
        labels: &[PlanRow],
        pending: &[usize],
    ) -> Result<BlockScores, MineError> {
        let mut engines = self.engines.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(engine) = engines.first_mut() else { return Ok(Vec::new()) };
        let batch = self.batch();
        let mut scorers: Vec<Option<Queued>> = pending.iter().map(|_| None).collect();
        for (at, surrogate) in engine.iter_mut() {
            if let Some(place) = pending.iter().position(|pending| pending == at) {
                scorers[place] = Some(Queued { model: surrogate.as_mut(), place: *at, batch });
            }
        }
        let mut stretches = images.chunks(STRETCH.max(4 * self.ctx.threads));
        let prepare = || {
            self.ctx.check_stop()?;
            let Some(stretch) = stretches.next() else { return Ok(None) };
            let prepared = self.prepare(stretch, pending);
            self.ctx.progress.advance(stretch.len() as u64);
            Ok(Some(prepared))
        };
        let judge =
            |at: usize, place: usize, scores: Outcome<Scores>| self.judges[at].predict(&images[place], scores, labels);
        queue::run(scorers.into_iter().flatten().collect(), prepare, &judge)
    }

    /// Reads images and fits them for each pending surrogate, on all cores.
    fn prepare(&self, stretch: &[ImageRow], pending: &[usize]) -> Vec<Prepared> {
        let prepare = |row: &ImageRow| -> Prepared {
            let decoded = self.run.images().picture(row);
            pending.iter().map(|&at| fitted(self.surrogates[at], &decoded, self.run.images().prepared_px())).collect()
        };
        let rows: Vec<Prepared> = self.pool.install(|| stretch.par_iter().with_max_len(1).map(prepare).collect());
        let mut by_surrogate: Vec<Prepared> = pending.iter().map(|_| Vec::with_capacity(rows.len())).collect();
        for row in rows {
            by_surrogate.iter_mut().zip(row).for_each(|(all, image)| all.push(image));
        }
        by_surrogate
    }

    fn score_block(&self, block: &[ImageRow], labels: &[PlanRow], pending: &[usize]) -> Result<BlockScores, MineError> {
        self.ctx.check_stop()?;
        let decoded: Vec<Outcome<RgbImage>> = block.iter().map(|row| self.run.images().picture(row)).collect();
        let pop = || self.engines.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut engine =
            pop().ok_or_else(|| WorkError::Threads("more threads than instances of the surrogates".to_owned()))?;
        let prepared_px = self.run.images().prepared_px();
        let scored = pending.iter().map(|&at| {
            let Some(surrogate) = engine.get_mut(&at) else { return Ok(Vec::new()) };
            let images = decoded.iter().map(|decoded| fitted(self.surrogates[at], decoded, prepared_px)).collect();
            score_images(surrogate.as_mut(), &self.judges[at], block, images, labels)
        });
        let scored = scored.collect::<Result<BlockScores, ScorerError>>();
        self.engines.lock().unwrap_or_else(PoisonError::into_inner).push(engine);
        self.ctx.progress.advance(block.len() as u64);
        Ok(scored?)
    }

    /// What made the predictions of a scorer.
    fn facts(&self, at: usize) -> BTreeMap<String, String> {
        match &self.surrogates[at].model {
            SurrogateModel::Fake(_) => ScorerFactory::without_runtime().facts().clone(),
            SurrogateModel::Imported(_) => BTreeMap::from([("runtime".to_owned(), "imported".to_owned())]),
            SurrogateModel::Onnx(_) | SurrogateModel::ZeroShot(_) => self.facts_of_onnx(at),
        }
    }

    /// The same of ONNX models; on a GPU also the batch, which the key does not say.
    fn facts_of_onnx(&self, at: usize) -> BTreeMap<String, String> {
        let Some(factory) = &self.factory else { return BTreeMap::new() };
        let mut facts = factory.facts().clone();
        if factory.instances() == Instances::PerModel {
            facts.insert("batch".to_owned(), self.batch().to_string());
        }
        if self.alone[at] {
            facts.insert(ONE_BY_ONE.to_owned(), "yes".to_owned());
        }
        facts
    }

    fn pack(
        &self,
        shard: usize,
        at: usize,
        images: &[ImageRow],
        labels: &[PlanRow],
        outcomes: Vec<Outcome<Prediction>>,
    ) -> Result<ShardResult, MineError> {
        let name = &self.surrogates[at].name;
        let mut rows = RowCounts { given: outcomes.len() as u64, ..RowCounts::default() };
        let (mut kept, mut lost) = (Vec::new(), Vec::new());
        for (image, outcome) in images.iter().zip(outcomes) {
            let reason = match outcome {
                Outcome::Kept(prediction) => {
                    kept.push(prediction);
                    continue;
                }
                Outcome::Dropped(reason) => {
                    rows.dropped += 1;
                    reason
                }
                Outcome::Failed(reason) => {
                    rows.failed += 1;
                    format!("surrogate `{name}`: {reason}")
                }
            };
            let stage = Stage::Mine;
            lost.push(DropRow { item_id: image.item_id, stage, source: image.path.clone(), reason });
        }
        rows.kept = kept.len() as u64;
        // Of an imported scorer the whole file was looked at.
        let is_imported = self.surrogates[at].model.is_imported();
        if rows.failed > 0 && kept.is_empty() && !self.proven[at] && !is_imported {
            let reason = lost.last().map_or_else(String::new, |row: &DropRow| row.reason.clone());
            return Err(MineError::AllFailed { name: name.clone(), shard, reason });
        }
        let facts = self.facts(at);
        let mut files = vec![("parquet", predictions_table::encode(&kept)?)];
        files.extend(self.judges[at].kept(&kept).map(|bytes| ("npy", bytes)));
        Ok(ShardResult { files, rows, lost, facts, sums: Some(self.judges[at].sums(&kept, labels)) })
    }
}

/// How many shards an older program has scored with a model whose scores depend on the images side by side.
fn scored_together(ctx: &Context, shards: usize, name: &str) -> Result<usize, StoreError> {
    let mut count = 0;
    for shard in 0..shards {
        let record = ctx.run.predictions(name, shard).record()?;
        count += usize::from(record.is_some_and(|record| !record.facts.contains_key(ONE_BY_ONE)));
    }
    Ok(count)
}

fn alone_note(name: &str, older: usize) -> String {
    let remedy = if older == 0 {
        String::new()
    } else {
        format!(
            "; {older} shard(s) were scored together by an older hardset: remove predictions/{name} from the run, and \
             run the same command again"
        )
    };
    format!(
        "surrogate `{name}`: its scores of an image depend on the images beside it in a batch, so it scores one image \
         at a time, which is slower; the cause is dynamic quantisation, or batch normalisation left in training mode: \
         then export the model in evaluation mode{remedy}"
    )
}

/// Scores the images of a block that could be decoded and fitted.
fn score_images(
    surrogate: &mut dyn Scorer,
    judge: &Judge,
    block: &[ImageRow],
    fitted: Vec<Outcome<RgbImage>>,
    labels: &[PlanRow],
) -> Result<Vec<Outcome<Prediction>>, ScorerError> {
    let mut good = Vec::with_capacity(block.len());
    let mut lost = Vec::with_capacity(block.len());
    for image in fitted {
        match image {
            Outcome::Kept(image) => {
                good.push(image);
                lost.push(None);
            }
            Outcome::Dropped(reason) => lost.push(Some(Outcome::Dropped(reason))),
            Outcome::Failed(reason) => lost.push(Some(Outcome::Failed(reason))),
        }
    }
    let mut scores = surrogate.score_fitted(&good)?.into_iter();
    let mut outcomes = Vec::with_capacity(block.len());
    for (row, lost) in block.iter().zip(lost) {
        outcomes.push(lost.unwrap_or_else(|| match scores.next() {
            Some(scores) => judge.predict(row, scores, labels),
            None => Outcome::Failed("no score came back".to_owned()),
        }));
    }
    Ok(outcomes)
}

/// An image fitted for a surrogate; an image that could not be read keeps its reason.
fn fitted(surrogate: &SurrogateSpec, decoded: &Outcome<RgbImage>, prepared_px: Option<u32>) -> Outcome<RgbImage> {
    match decoded {
        Outcome::Kept(image) => fit(surrogate, image, prepared_px),
        Outcome::Dropped(reason) => Outcome::Dropped(reason.clone()),
        Outcome::Failed(reason) => Outcome::Failed(reason.clone()),
    }
}
