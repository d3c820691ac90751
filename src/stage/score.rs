//! score: every surrogate's predictions on every image, shard by shard: `predictions/<surrogate>/NNNNN.{parquet,json}`.
//!
//! An image is read and decoded once for all surrogates that still lack its shard. Each thread has its own instance of
//! each surrogate and takes the next block of images: decoding, resampling and inference overlap, and what is in memory
//! does not grow with the pool. Blocks are cut the same way whatever the threads, so that sums round the same way.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use super::planned::Planned;
use super::shards::{Made, Output, Stage, Tally, for_each_shard};
use super::{Context, StageError, images, library};
use crate::assets::Located;
use crate::domain::{
    Device, DropRow, ImageRow, KeyHasher, Outcome, PlanRow, Prediction, RunSpec, SurrogateModel, SurrogateSpec,
};
use crate::imaging::RgbImage;
use crate::stats::{ClassMask, predict};
use crate::store::{Check, Rows, ShardRecord};
use crate::surrogate::{Host, Surrogate, SurrogateError};
use crate::table::{images_table, predictions_table};

/// What the stage did for one surrogate.
#[derive(Debug, Clone)]
pub struct Scored {
    /// The surrogate, or target.
    pub surrogate: String,
    /// Whether it has no say.
    pub is_target: bool,
    /// Its shards.
    pub tally: Tally,
}

/// Changes whenever decoding, preprocessing or prediction could give other numbers: nothing stale is reused then.
const SCORING: &str = "score 1";

struct Score<'a> {
    ctx: &'a Context<'a>,
    spec: &'a RunSpec,
    surrogates: Vec<&'a SurrogateSpec>,
    plan: Planned,
    images: &'a [ShardRecord],
    mask: ClassMask,
    pool: rayon::ThreadPool,
    host: Option<Host>,
    runtime_loaded: bool,
    /// Per surrogate, whether it has scored any image yet.
    proven: Vec<bool>,
    engines: Mutex<Vec<Engine>>,
}

/// One thread's instances, by place in `surrogates`.
type Engine = BTreeMap<usize, Box<dyn Surrogate>>;

/// Outcomes of one block: for each pending surrogate, one per image.
type BlockScores = Vec<Vec<Outcome<Prediction>>>;

/// Runs the stage for the surrogates of the current mining and for the targets; `images` are the records of `generate`.
pub fn score(ctx: &Context, spec: &RunSpec, images: &[ShardRecord], check: Check) -> Result<Vec<Scored>, StageError> {
    let surrogates = spec.scored();
    let names: Vec<String> = surrogates.iter().map(|surrogate| surrogate.name.clone()).collect();
    let plan = Planned::open(ctx, spec)?;
    let ranges = plan.ranges.clone();
    let stage = Score {
        ctx,
        spec,
        surrogates,
        plan,
        images,
        mask: ClassMask::new(&spec.categories.all_ids()),
        pool: ctx.pool()?,
        host: None,
        runtime_loaded: false,
        proven: vec![false; names.len()],
        engines: Mutex::default(),
    };
    surrogates_on_device(ctx, &stage.surrogates, ranges.len())?;
    let tallies = for_each_shard(ctx, &ranges, check, stage)?;
    let tallies = if tallies.is_empty() { vec![Tally::default(); names.len()] } else { tallies };
    let scored = |(surrogate, tally)| Scored { is_target: spec.mine.targets.contains(&surrogate), surrogate, tally };
    Ok(names.into_iter().zip(tallies).map(scored).collect())
}

/// The weights must still be the ones that the spec names.
fn check_weights(surrogate: &SurrogateSpec) -> Result<(), StageError> {
    let SurrogateModel::Onnx(model) = &surrogate.model else { return Ok(()) };
    let checked = Located::at(&model.weights.path, &surrogate.name, Some(model.weights.sha256));
    checked.map(|_| ()).map_err(|source| StageError::Weights { name: surrogate.name.clone(), source: Box::new(source) })
}

/// A device that is asked for by name must be of the kind (CPU, CUDA) that predictions already there were made on.
fn surrogates_on_device(ctx: &Context, surrogates: &[&SurrogateSpec], shards: usize) -> Result<(), StageError> {
    if ctx.device == Device::Auto {
        return Ok(());
    }
    for surrogate in surrogates {
        let records = (0..shards).filter_map(|shard| ctx.run.predictions(&surrogate.name, shard).record());
        for record in records {
            let Some(made_on) = record.facts.get("device") else { continue };
            // Records of before had an index: `cuda:0`.
            if made_on.split(':').next() == Some(ctx.device.kind()) {
                continue;
            }
            let (name, wanted) = (surrogate.name.clone(), ctx.device.to_string());
            let folder = ctx.run.predictions(&name, 0).dir.display().to_string();
            return Err(StageError::OtherDevice { name, made_on: made_on.clone(), wanted, folder });
        }
    }
    Ok(())
}

impl Stage for Score<'_> {
    const NAME: &'static str = "mine";

    fn outputs(&self, shard: usize) -> Result<Vec<Output>, StageError> {
        let images = self.images[shard].hash().to_string();
        let output = |surrogate: &&SurrogateSpec| Output {
            unit: self.ctx.run.predictions(&surrogate.name, shard),
            key: KeyHasher::new()
                .field("stage", SCORING)
                .field("images", &images)
                .field("surrogate", surrogate.identity())
                .field("batch", self.spec.mine.batch.to_le_bytes())
                .field("categories", self.spec.categories.sha256.to_string())
                .finish(),
        };
        Ok(self.surrogates.iter().map(output).collect())
    }

    fn make(&mut self, shard: usize, pending: &[usize]) -> Result<Vec<Made>, StageError> {
        images::check_source(self.spec)?;
        self.ready(pending)?;
        let images = images_table::decode(&self.ctx.run.images(shard).file("parquet"))?;
        let labels = self.plan.rows(shard)?;
        let blocks: Vec<&[ImageRow]> = images.chunks(self.spec.mine.batch as usize).collect();
        let scored: Vec<BlockScores> = self.pool.install(|| {
            blocks
                .par_iter()
                .with_max_len(1)
                .map(|block| self.score_block(block, &labels, pending))
                .collect::<Result<_, _>>()
        })?;
        // Items that were lost before this stage count as through.
        self.ctx.progress.advance((labels.len() - images.len()) as u64);
        let mut by_surrogate: BlockScores = vec![Vec::with_capacity(images.len()); pending.len()];
        for block in scored {
            by_surrogate.iter_mut().zip(block).for_each(|(all, outcomes)| all.extend(outcomes));
        }
        let made = pending.iter().zip(by_surrogate).map(|(&at, outcomes)| self.pack(shard, at, &images, outcomes));
        let made = made.collect::<Result<Vec<Made>, StageError>>()?;
        pending.iter().zip(&made).for_each(|(&at, made)| self.proven[at] |= made.rows.kept > 0);
        Ok(made)
    }
}

impl Score<'_> {
    /// Loads the runtime and the pending surrogates, the first time that any is needed: re-mining needs neither.
    fn ready(&mut self, pending: &[usize]) -> Result<(), StageError> {
        if self.engines.get_mut().unwrap_or_else(PoisonError::into_inner).is_empty() {
            self.engines = Mutex::new((0..self.ctx.threads).map(|_| Engine::new()).collect());
        }
        let real = |at: &usize| matches!(self.surrogates[*at].model, SurrogateModel::Onnx(_));
        if self.host.is_none() || (!self.runtime_loaded && pending.iter().any(real)) {
            self.runtime_loaded = pending.iter().any(real);
            self.host = Some(self.load_host(pending)?);
        }
        let Some(host) = &self.host else { return Ok(()) };
        let (surrogates, batch) = (&self.surrogates, self.spec.mine.batch as usize);
        let engines = self.engines.get_mut().unwrap_or_else(PoisonError::into_inner);
        let fresh = pending.iter().filter(|&at| engines.iter().all(|engine| !engine.contains_key(at)));
        fresh.copied().try_for_each(|at| check_weights(surrogates[at]))?;
        let load = |engine: &mut Engine| -> Result<(), SurrogateError> {
            for &at in pending {
                if let Entry::Vacant(place) = engine.entry(at) {
                    place.insert(host.build(surrogates[at], batch)?);
                }
            }
            Ok(())
        };
        Ok(self.pool.install(|| engines.par_iter_mut().try_for_each(load))?)
    }

    fn load_host(&self, pending: &[usize]) -> Result<Host, StageError> {
        if !self.runtime_loaded {
            return Ok(Host::without_runtime());
        }
        let ready = library::ready(self.ctx)?;
        ready.tell(self.ctx);
        let host = Host::with_onnx_runtime(ready.runtime, ready.chosen);
        let names: Vec<&str> = pending.iter().map(|&at| self.surrogates[at].name.as_str()).collect();
        self.ctx.progress.note(&format!("scoring with {} ({})", names.join(", "), library::described(host.facts())));
        Ok(host)
    }

    fn score_block(
        &self,
        block: &[ImageRow],
        labels: &[PlanRow],
        pending: &[usize],
    ) -> Result<BlockScores, StageError> {
        self.ctx.check_stop()?;
        let decoded: Vec<Outcome<RgbImage>> =
            block.iter().map(|row| images::read(&self.ctx.run, self.spec, row)).collect();
        let pop = || self.engines.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut engine =
            pop().ok_or_else(|| StageError::Threads("more threads than instances of the surrogates".to_owned()))?;
        let scored = pending.iter().map(|at| match engine.get_mut(at) {
            Some(surrogate) => self.score_images(surrogate.as_mut(), block, &decoded, labels),
            None => Ok(Vec::new()),
        });
        let scored = scored.collect::<Result<BlockScores, SurrogateError>>();
        self.engines.lock().unwrap_or_else(PoisonError::into_inner).push(engine);
        self.ctx.progress.advance(block.len() as u64);
        Ok(scored?)
    }

    fn score_images(
        &self,
        surrogate: &mut dyn Surrogate,
        block: &[ImageRow],
        decoded: &[Outcome<RgbImage>],
        labels: &[PlanRow],
    ) -> Result<Vec<Outcome<Prediction>>, SurrogateError> {
        let good: Vec<&RgbImage> = decoded
            .iter()
            .filter_map(|outcome| if let Outcome::Kept(image) = outcome { Some(image) } else { None })
            .collect();
        let mut scores = surrogate.score(&good)?.into_iter();
        let outcome = |(row, decoded): (&ImageRow, &Outcome<RgbImage>)| match decoded {
            Outcome::Dropped(reason) => Outcome::Dropped(reason.clone()),
            Outcome::Failed(reason) => Outcome::Failed(reason.clone()),
            Outcome::Kept(_) => match scores.next() {
                Some(Outcome::Kept(scores)) => self.predict(row, &scores, labels),
                Some(Outcome::Dropped(reason)) => Outcome::Dropped(reason),
                Some(Outcome::Failed(reason)) => Outcome::Failed(reason),
                None => Outcome::Failed("no score came back".to_owned()),
            },
        };
        Ok(block.iter().zip(decoded).map(outcome).collect())
    }

    fn predict(&self, row: &ImageRow, scores: &crate::domain::Scores, labels: &[PlanRow]) -> Outcome<Prediction> {
        let label = labels.binary_search_by_key(&row.item_id, |label| label.item_id).map(|at| &labels[at].label_ids);
        let Ok(label_ids) = label else { return Outcome::Failed("the plan does not know this item".to_owned()) };
        match predict(row.item_id, scores, label_ids, &self.mask) {
            Ok(prediction) => Outcome::Kept(prediction),
            Err(error) => Outcome::Failed(error.to_string()),
        }
    }

    fn pack(
        &self,
        shard: usize,
        at: usize,
        images: &[ImageRow],
        outcomes: Vec<Outcome<Prediction>>,
    ) -> Result<Made, StageError> {
        let name = &self.surrogates[at].name;
        let mut rows = Rows { given: outcomes.len() as u64, ..Rows::default() };
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
            let stage = crate::domain::Stage::Mine;
            lost.push(DropRow { item_id: image.item_id, stage, source: image.path.clone(), reason });
        }
        rows.kept = kept.len() as u64;
        if rows.failed > 0 && kept.is_empty() && !self.proven[at] {
            let reason = lost.last().map_or_else(String::new, |row: &DropRow| row.reason.clone());
            return Err(StageError::AllFailed { name: name.clone(), shard, reason });
        }
        let facts = match &self.surrogates[at].model {
            SurrogateModel::Fake(_) => Host::without_runtime().facts().clone(),
            SurrogateModel::Onnx(_) => self.host.as_ref().map(|host| host.facts().clone()).unwrap_or_default(),
        };
        Ok(Made { files: vec![("parquet", predictions_table::encode(&kept)?)], rows, lost, facts })
    }
}
