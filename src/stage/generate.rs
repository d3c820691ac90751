//! generate: makes or pins each image of the plan, shard by shard: `images/NNN/NNNNNN.<hash>.{tar,parquet}` and record.
//!
//! Does not know what makes an image: a [`Generator`] of the source does. Holds always: a run has the images of one
//! engine and one kind of device, because others round differently.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Instant;

use rayon::ThreadPool;
use rayon::prelude::*;

use super::prepare::{self, PrepareError};
use crate::domain::{Device, DropRow, ImageRow, Outcome, PlanRow, Provenance, RunSpec, Sha256, Stage};
use crate::generator::{Generator, GeneratorError, Picture, Pictures};
use crate::imaging;
use crate::pool::{Plan, PoolError, UnitKeys, generated};
use crate::render;
use crate::source::{SourceError, source};
use crate::store::{Check, RunDir, StoreError, TarShard, Unit};
use crate::table::{TableError, images_table};
use crate::work::processes::{self, Divided, ProcessInput};
use crate::work::{Context, Part, ShardRecords, ShardResult, ShardTarget, ShardWork, WorkError, for_each_shard};

/// Why images are not made.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// Something that the run needs is missing or wrong.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// The plan cannot be read.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// The source of images cannot be used.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// Images cannot be made.
    #[error(transparent)]
    Generator(#[from] GeneratorError),
    /// A table cannot be written.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A file of the run cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The work was stopped.
    #[error(transparent)]
    Work(#[from] WorkError),
}

/// The fewest images from which a rate is measured.
const LEAST_MEASURED: usize = 8;

/// The stage as work on shards.
pub struct Generate<'a> {
    ctx: &'a Context<'a>,
    spec: &'a RunSpec,
    keys: UnitKeys<'a>,
    plan: &'a Plan,
    part: Part,
    /// Shards among whose records one tells what made the images of the run; 0 if the caller knows.
    known: usize,
    /// Whether this process has the machine for itself, so that its rate is that of the machine.
    is_alone: bool,
    /// Encodes images. A pool of its own, because the thread that makes images waits for encoded ones on a thread of
    /// the other pool.
    encoders: ThreadPool,
    /// Built for the first shard that is made, because loading a model takes long.
    generator: Option<Box<dyn Generator>>,
}

/// Some rows and their pictures, on the way into a shard.
type Block = (Vec<PlanRow>, Pictures);

/// Runs the stage on the shards of `part`; one record per shard.
pub fn generate(ctx: &Context, spec: &RunSpec, check: Check, part: Part) -> Result<ShardRecords, GenerateError> {
    let plan = Plan::open(ctx, spec)?;
    prepare::check_engine(ctx, plan.ranges.len())?;
    let is_alone = part == Part::WHOLE;
    let stage = Generate { part, known: plan.ranges.len(), is_alone, ..Generate::of_rank(ctx, spec, &plan)? };
    let mut tallies = ctx.thread_pool()?.install(|| for_each_shard(ctx, &plan.ranges, check, stage))?;
    Ok(tallies.pop().unwrap_or_default())
}

impl<'a> Generate<'a> {
    /// For a process that works on some shards of a run, and whose context says what makes the images.
    pub fn of_rank(ctx: &'a Context<'a>, spec: &'a RunSpec, plan: &'a Plan) -> Result<Self, WorkError> {
        let encoders = ctx.thread_pool()?;
        let keys = UnitKeys::of(spec);
        Ok(Self { ctx, spec, keys, plan, part: Part::WHOLE, known: 0, is_alone: false, encoders, generator: None })
    }
}

impl ShardWork for Generate<'_> {
    const NAME: &'static str = "generate";
    type Error = GenerateError;

    fn part(&self) -> Part {
        self.part
    }

    fn outputs(&self, shard: usize) -> Result<Vec<ShardTarget>, GenerateError> {
        let key = self.keys.images(&self.plan.record, &self.plan.ranges[shard]);
        Ok(vec![ShardTarget { unit: self.ctx.run.images(shard), key }])
    }

    fn load(&mut self, shard: usize, _pending: &[usize]) -> Result<(), GenerateError> {
        if self.generator.is_none() {
            source(&self.spec.generate).check_there()?;
            let generator = build(self.ctx, self.spec, self.known)?;
            // Before a shard is made for nothing.
            if let Some(accept) = self.ctx.accept {
                accept(&self.ctx.run.images(shard), &generator.facts())?;
            }
            self.generator = Some(generator);
        }
        Ok(())
    }

    fn make(&mut self, shard: usize, _pending: &[usize]) -> Result<Vec<ShardResult>, GenerateError> {
        source(&self.spec.generate).check_there()?;
        let rows = self.plan.rows(shard)?;
        let (ctx, spec, alone) = (self.ctx, self.spec, self.is_alone);
        // `load` has built it.
        let Some(generator) = &mut self.generator else { return Ok(Vec::new()) };
        let facts = generator.facts();
        let shard = Shard::new(&ctx.run, shard, spec, &facts);
        let (given, encoders) = (rows.len(), &self.encoders);
        // One block is finished and encoded while the next one is made.
        let (sender, blocks) = sync_channel::<Block>(1);
        std::thread::scope(|scope| {
            let encoder = scope.spawn(move || shard.fill(blocks, encoders));
            let (mut rows, begun) = (rows.as_slice(), Instant::now());
            while !rows.is_empty() {
                ctx.check_stop()?;
                let (block, rest) = rows.split_at(generator.block().clamp(1, rows.len()));
                let pictures = generator.generate(block)?;
                generator.take_notes().iter().for_each(|note| ctx.progress.note(note));
                ctx.progress.advance(block.len() as u64);
                rows = rest;
                if sender.send((block.to_vec(), pictures)).is_err() {
                    break;
                }
            }
            drop(sender);
            let shard = encoder.join().map_err(|_| WorkError::Threads("the encoder's thread died".to_owned()))??;
            generator.take_notes().iter().for_each(|note| ctx.progress.note(note));
            // A process that shares the machine with others, or makes few images, would measure a wrong rate.
            if alone && given >= LEAST_MEASURED {
                record_rate(ctx, spec, &facts, given as f64 / begun.elapsed().as_secs_f64().max(1e-9));
            }
            shard.finish(given, facts.clone()).map(|made| vec![made])
        })
    }
}

/// Makes the missing images on all `devices` at once, if there are several and the source has a model that runs on
/// them. The engine is chosen once for all of them, because all images of a run come from one engine.
pub fn generate_on(ctx: &Context, devices: &[Device], spec: &RunSpec) -> Result<(), GenerateError> {
    if devices.len() < 2 || source(&spec.generate).diffusion().is_none() {
        return Ok(());
    }
    let engine = prepare::settled_engine(ctx, spec)?;
    let ctx = Context { engine, ..ctx.again() };
    let count = || Ok(generated(&ctx.run, spec)?);
    let work = Divided {
        command: "generate",
        doing: "making images",
        args: Vec::new(),
        input: ProcessInput::Nothing,
        count: &count,
    };
    processes::share(&ctx, devices, &work)
}

fn build(ctx: &Context, spec: &RunSpec, shards: usize) -> Result<Box<dyn Generator>, GenerateError> {
    let source = source(&spec.generate);
    if let Some(diffusion) = source.diffusion() {
        ctx.progress.note(&format!("loading {}", diffusion.model.path.display()));
    }
    let generator = source.generator(&prepare::for_run(ctx, spec, shards)?)?;
    let facts: Vec<String> = generator.facts().iter().map(|(name, value)| format!("{name} {value}")).collect();
    if !facts.is_empty() {
        ctx.progress.note(&format!("making images with {}", facts.join(", ")));
    }
    Ok(generator)
}

/// Stores how fast a model is on this machine, for `plan --dry-run`. A rate that cannot be stored is not an error,
/// because no image depends on it.
fn record_rate(ctx: &Context, spec: &RunSpec, facts: &BTreeMap<String, String>, images_per_sec: f64) {
    let fact = |name: &str| facts.get(name).map(String::as_str);
    if let (Some(diffusion), Some(device)) = (source(&spec.generate).diffusion(), fact("gpu").or(fact("device"))) {
        let on = fact("engine").map_or_else(|| device.to_owned(), |engine| format!("{device} ({engine})"));
        let _ = crate::store::record_rate(ctx.data.cache(), &diffusion.workload(), &on, images_per_sec);
    }
}

/// A picture on the way into a shard: its row, whose offset is not known yet, and its bytes if the shard stores them.
struct Encoded {
    row: ImageRow,
    png: Option<Vec<u8>>,
}

/// A shard being filled.
struct Shard {
    unit: Unit,
    /// Its folder, relative to the run directory.
    folder: String,
    /// What all images that a model makes have in common.
    provenance: Option<Provenance>,
    tar: Option<TarShard>,
    kept: Vec<ImageRow>,
    made: ShardResult,
}

impl Shard {
    fn new(run: &RunDir, shard: usize, spec: &RunSpec, facts: &BTreeMap<String, String>) -> Self {
        let unit = run.images(shard);
        let folder = unit.dir.strip_prefix(run.path()).unwrap_or(&unit.dir).to_string_lossy().into_owned();
        let made = ShardResult::default();
        let provenance = source(&spec.generate).provenance(facts);
        Self { unit, folder, provenance, tar: None, kept: Vec::new(), made }
    }

    fn fill(mut self, blocks: Receiver<Block>, encoders: &ThreadPool) -> Result<Self, GenerateError> {
        for (rows, pictures) in blocks {
            let outcomes = pictures.finish()?;
            // A GPU makes more images a second than one thread can encode.
            let encoded: Vec<Outcome<Result<Encoded, StoreError>>> = encoders.install(|| {
                let outcomes = rows.par_iter().zip(outcomes);
                outcomes.map(|(row, outcome)| outcome.map(|picture| self.encode(row, picture))).collect()
            });
            for (row, outcome) in rows.iter().zip(encoded) {
                self.add(row, outcome)?;
            }
        }
        Ok(self)
    }

    fn encode(&self, request: &PlanRow, picture: Picture) -> Result<Encoded, StoreError> {
        let item_id = request.item_id;
        match picture {
            Picture::Found { path, offset, bytes, sha256, size_px: (width_px, height_px) } => {
                let row = ImageRow { item_id, path, offset, bytes, sha256, width_px, height_px, made: None };
                Ok(Encoded { row, png: None })
            }
            Picture::Made { image, warning } => {
                let made = self.provenance.clone().map(|provenance| Provenance { warning, ..provenance });
                let texts = made.as_ref().map_or_else(Vec::new, |made| render::png_texts(request, made));
                let png =
                    imaging::encode_png(&image, &texts).map_err(|error| self.cannot(std::io::Error::other(error)))?;
                let row = ImageRow {
                    item_id,
                    // The tar's name has the hash of its content: `finish` knows it.
                    path: String::new(),
                    offset: 0,
                    bytes: png.len() as u64,
                    sha256: Sha256::of(&png),
                    width_px: image.width_px(),
                    height_px: image.height_px(),
                    made,
                };
                Ok(Encoded { row, png: Some(png) })
            }
        }
    }

    fn cannot(&self, error: std::io::Error) -> StoreError {
        StoreError::io("encode", &self.unit.dir.join(format!("{}.tar", self.unit.stem)))(error)
    }

    fn add(&mut self, request: &PlanRow, outcome: Outcome<Result<Encoded, StoreError>>) -> Result<(), GenerateError> {
        let counts = &mut self.made.rows;
        match &outcome {
            Outcome::Kept(_) => counts.kept += 1,
            Outcome::Dropped(_) => counts.dropped += 1,
            Outcome::Failed(_) => counts.failed += 1,
        }
        if let Some(reason) = outcome.reason() {
            let source = request.source.clone().or_else(|| request.prompt.clone()).unwrap_or_default();
            let stage = Stage::Generate;
            self.made.lost.push(DropRow { item_id: request.item_id, stage, source, reason: reason.to_owned() });
        }
        let Some(encoded) = outcome.kept() else { return Ok(()) };
        let Encoded { mut row, png } = encoded?;
        if let Some(png) = png {
            let pushed = self.tar.get_or_insert_default().push(&RunDir::member(row.item_id), &png);
            row.offset = pushed.map_err(|error| self.cannot(error))?;
        }
        self.kept.push(row);
        Ok(())
    }

    fn finish(mut self, given: usize, facts: BTreeMap<String, String>) -> Result<ShardResult, GenerateError> {
        if let Some(tar) = self.tar.take() {
            let bytes = tar.finish().map_err(|error| self.cannot(error))?;
            let path = format!("{}/{}", self.folder, self.unit.name_of(&bytes, "tar"));
            self.kept.iter_mut().for_each(|row| row.path.clone_from(&path));
            self.made.files.push(("tar", bytes));
        }
        self.made.files.push(("parquet", images_table::encode(&self.kept)?));
        self.made.rows.given = given as u64;
        self.made.facts = facts;
        Ok(self.made)
    }
}
