//! generate: makes or pins each image of the plan, shard by shard: `images/NNNNN.{tar,parquet,json}`.

use std::ops::Range;

use super::images::check_source;
use super::planned::Planned;
use super::shards::{Made, Output, Stage, Tally, for_each_shard};
use super::{Context, StageError};
use crate::domain::{DropRow, ImageRow, KeyHasher, Outcome, PlanRow, RunSpec, Sha256};
use crate::generator::{self, Generator, Picture};
use crate::imaging;
use crate::store::{Check, RunDir, StoreError, TarShard};
use crate::table::images_table;

/// Images made at a time: bounds memory and lets a signal through.
const BLOCK: usize = 64;

struct Generate<'a> {
    ctx: &'a Context<'a>,
    spec: &'a RunSpec,
    plan: Planned,
    base_key: Sha256,
    generator: Box<dyn Generator>,
}

/// Runs the stage; the tally has one record per shard.
pub fn generate(ctx: &Context, spec: &RunSpec, check: Check) -> Result<Tally, StageError> {
    let plan = Planned::open(ctx, spec)?;
    let ranges = plan.ranges.clone();
    let base_key = (KeyHasher::new().field("stage", "generate 1").field("plan", plan.record.hash().to_string()))
        .field("generate", serde_json::to_vec(&spec.generate).unwrap_or_default())
        .finish();
    let stage = Generate { ctx, spec, plan, base_key, generator: generator::build(&spec.generate) };
    let mut tallies = ctx.pool()?.install(|| for_each_shard(ctx, &ranges, check, stage))?;
    Ok(tallies.pop().unwrap_or_default())
}

impl Stage for Generate<'_> {
    const NAME: &'static str = "generate";

    fn outputs(&self, shard: usize) -> Result<Vec<Output>, StageError> {
        let Range { start, end } = self.plan.ranges[shard];
        let key =
            KeyHasher::new().field("base", self.base_key.to_string()).field("rows", format!("{start}..{end}")).finish();
        Ok(vec![Output { unit: self.ctx.run.images(shard), key }])
    }

    fn make(&mut self, shard: usize, _pending: &[usize]) -> Result<Vec<Made>, StageError> {
        check_source(self.spec)?;
        let rows = self.plan.rows(shard)?;
        let mut images = Shard::new(shard);
        for block in rows.chunks(BLOCK) {
            self.ctx.check_stop()?;
            for (request, outcome) in block.iter().zip(self.generator.generate(block)) {
                images.add(request, outcome)?;
            }
            self.ctx.progress.advance(block.len() as u64);
        }
        images.finish(rows.len()).map(|made| vec![made])
    }
}

/// A shard being filled.
struct Shard {
    path: String,
    tar: Option<TarShard>,
    kept: Vec<ImageRow>,
    made: Made,
}

impl Shard {
    fn new(shard: usize) -> Self {
        let made = Made { files: Vec::new(), rows: Default::default(), lost: Vec::new(), facts: Default::default() };
        Self { path: format!("images/{shard:05}.tar"), tar: None, kept: Vec::new(), made }
    }

    fn add(&mut self, request: &PlanRow, outcome: Outcome<Picture>) -> Result<(), StageError> {
        let counts = &mut self.made.rows;
        match &outcome {
            Outcome::Kept(_) => counts.kept += 1,
            Outcome::Dropped(_) => counts.dropped += 1,
            Outcome::Failed(_) => counts.failed += 1,
        }
        if let Some(reason) = outcome.reason() {
            let source = request.source.clone().or_else(|| request.prompt.clone()).unwrap_or_default();
            let stage = crate::domain::Stage::Generate;
            self.made.lost.push(DropRow { item_id: request.item_id, stage, source, reason: reason.to_owned() });
        }
        outcome.kept().map_or(Ok(()), |picture| self.keep(request, picture))
    }

    fn keep(&mut self, request: &PlanRow, picture: Picture) -> Result<(), StageError> {
        let item_id = request.item_id;
        let row = match picture {
            Picture::Found { path, bytes, sha256, size_px: (width_px, height_px) } => {
                ImageRow { item_id, path, offset: 0, bytes, sha256, width_px, height_px }
            }
            Picture::Made(image) => {
                let cannot = StoreError::io("encode", std::path::Path::new(&self.path));
                let png = match imaging::encode_png(&image) {
                    Ok(png) => png,
                    Err(error) => return Err(cannot(std::io::Error::other(error)).into()),
                };
                let offset = self.tar.get_or_insert_default().push(&RunDir::member(item_id), &png).map_err(cannot)?;
                ImageRow {
                    item_id,
                    path: self.path.clone(),
                    offset,
                    bytes: png.len() as u64,
                    sha256: Sha256::of(&png),
                    width_px: image.width_px(),
                    height_px: image.height_px(),
                }
            }
        };
        self.kept.push(row);
        Ok(())
    }

    fn finish(mut self, given: usize) -> Result<Made, StageError> {
        if let Some(tar) = self.tar {
            let bytes = tar.finish().map_err(StoreError::io("encode", std::path::Path::new(&self.path)))?;
            self.made.files.push(("tar", bytes));
        }
        self.made.files.push(("parquet", images_table::encode(&self.kept)?));
        self.made.rows.given = given as u64;
        Ok(self.made)
    }
}
