//! select: predictions -> `mined/<rule-id>.parquet` and `manifest.parquet`. Runs no inference.

use std::sync::mpsc::sync_channel;

use rayon::prelude::*;

use super::judge::{JudgedShard, judge_shard};
use super::planned::Planned;
use super::{Context, StageError};
use crate::domain::{RunSpec, SelectSpec};
use crate::stats::Judged;
use crate::store::PendingFile;
use crate::table::{EncodedChunk, ImagePaths, MinedChunk, MinedWriter, PlanSlice, Verdicts};

/// Encoded shards in memory at a time, for each thread.
const WAVE: usize = 4;

/// Verdicts and rows of one shard.
type Encoded = (Vec<Judged>, EncodedChunk);

/// What a mining came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selected {
    /// Its id, which names its table.
    pub id: String,
    /// Items that all surrogates scored.
    pub items: u64,
    /// Hard ones.
    pub hard: u64,
    /// Items with a near tie.
    pub near_ties: u64,
    /// Items by how many surrogates fail on them, from 0 to all.
    pub histogram: Vec<u64>,
}

impl Selected {
    fn add(&mut self, judged: &[Judged]) {
        self.items += judged.len() as u64;
        self.hard += judged.iter().filter(|j| j.hard).count() as u64;
        self.near_ties += judged.iter().filter(|j| j.near_tie).count() as u64;
        judged.iter().for_each(|j| self.histogram[j.n_failed() as usize] += 1);
    }
}

/// Applies the current mining's rule and makes it the manifest.
pub fn select(ctx: &Context, spec: &RunSpec) -> Result<Selected, StageError> {
    let mut target = PendingFile::create(&ctx.run.mined(&spec.mining_id()))?;
    let selected = match write_table(ctx, spec, &mut target) {
        Ok(selected) => selected,
        // The table's own error does not say which file, nor that the disk is full.
        Err(error) => return Err(target.failure().map_or(error, StageError::from)),
    };
    target.commit()?;
    ctx.run.set_manifest(&selected.id)?;
    ctx.progress.finish();
    Ok(selected)
}

fn write_table(ctx: &Context, spec: &RunSpec, target: &mut PendingFile) -> Result<Selected, StageError> {
    let select = &spec.mine.select;
    let plan = Planned::open(ctx, spec)?;
    let shards: Vec<usize> = (0..plan.ranges.len()).collect();
    let histogram = vec![0; select.surrogates.len() + 1];
    let mut selected = Selected { id: spec.mining_id(), histogram, ..Selected::default() };
    let empty = MinedChunk::new(&plan.nothing()?, &ImagePaths::empty()?, verdicts(select, &[]))?;
    let writer = MinedWriter::new(target, &empty)?;
    let pool = ctx.pool()?;
    ctx.progress.start("select", plan.record.rows.kept);
    let encode = |(&shard, plan): (&usize, PlanSlice)| -> Result<Encoded, StageError> {
        let JudgedShard { images, judged, .. } = judge_shard(ctx, select, shard)?;
        let chunk = MinedChunk::new(&plan, &images, verdicts(select, &judged))?;
        Ok((judged, writer.encode(chunk)?))
    };
    // The next wave is judged while this one is compressed and written.
    let (sender, waves) = sync_channel::<Result<Vec<Encoded>, StageError>>(1);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for wave in shards.chunks(WAVE * ctx.threads) {
                let plan = pool.install(|| plan.slices(wave));
                let done = plan.and_then(|plan| pool.install(|| wave.par_iter().zip(plan).map(encode).collect()));
                if sender.send(done).is_err() {
                    return;
                }
            }
        });
        for wave in waves {
            ctx.check_stop()?;
            for (judged, chunk) in wave? {
                selected.add(&judged);
                ctx.progress.advance(judged.len() as u64);
                writer.append(chunk)?;
            }
        }
        Ok::<(), StageError>(())
    })?;
    writer.finish()?;
    Ok(selected)
}

fn verdicts<'a>(select: &'a SelectSpec, judged: &[Judged]) -> Verdicts<'a> {
    Verdicts {
        surrogates: &select.surrogates,
        item_id: judged.iter().map(|j| j.item_id).collect(),
        failed: judged.iter().map(|j| j.failed).collect(),
        agreed_wrong: judged.iter().map(|j| j.agreed_wrong.map(|(class, _)| class)).collect(),
        n_agreed_wrong: judged.iter().map(|j| j.agreed_wrong.map_or(0, |(_, count)| count)).collect(),
        near_tie: judged.iter().map(|j| j.near_tie).collect(),
        hard: judged.iter().map(|j| j.hard).collect(),
    }
}
