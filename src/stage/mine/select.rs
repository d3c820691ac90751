//! select: predictions -> `mined/<rule-id>.parquet` and `manifest.parquet`.
//!
//! Does not run a model, because people try many rules on one set of predictions. Holds always: a table appears whole
//! or not at all; memory does not grow with the pool.

use std::sync::mpsc::sync_channel;

use rayon::prelude::*;

use super::MineError;
use crate::domain::SelectSpec;
use crate::pool::{JudgedShard, Pool};
use crate::stats::ItemResult;
use crate::store::PendingFile;
use crate::table::{EncodedChunk, ImagePaths, MinedChunk, MinedColumns, MinedWriter, PlanSlice};

/// Encoded shards in memory at a time, for each thread.
const WAVE: usize = 4;

/// One shard, judged and encoded.
struct Encoded {
    judged: Vec<ItemResult>,
    chunk: EncodedChunk,
}

/// The figures of a mining.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selected {
    /// Its id, which names its table.
    pub id: String,
    /// Items that all surrogates scored.
    pub items: u64,
    /// Hard items.
    pub hard: u64,
    /// Items with a near tie.
    pub near_ties: u64,
    /// Items by how many surrogates fail on them, from 0 to all.
    pub histogram: Vec<u64>,
}

impl Selected {
    fn add(&mut self, judged: &[ItemResult]) {
        self.items += judged.len() as u64;
        self.hard += judged.iter().filter(|j| j.hard).count() as u64;
        self.near_ties += judged.iter().filter(|j| j.near_tie).count() as u64;
        judged.iter().for_each(|j| self.histogram[j.n_failed() as usize] += 1);
    }
}

/// Applies the mining's rule and makes its table the manifest.
pub fn select(pool: &Pool) -> Result<Selected, MineError> {
    let run = &pool.ctx().run;
    let mut target = PendingFile::create(&run.mined(&pool.spec().mining_id()))?;
    let selected = match write_table(pool, &mut target) {
        Ok(selected) => selected,
        // The error of the table names neither the file nor a full disk.
        Err(error) => return Err(target.failure().map_or(error, MineError::from)),
    };
    target.commit()?;
    run.set_manifest(&selected.id)?;
    pool.ctx().progress.finish();
    Ok(selected)
}

fn write_table(pool: &Pool, target: &mut PendingFile) -> Result<Selected, MineError> {
    let (ctx, select, plan) = (pool.ctx(), &pool.spec().mine.select, pool.plan());
    let shards: Vec<usize> = (0..pool.shards()).collect();
    let histogram = vec![0; select.surrogates.len() + 1];
    let mut selected = Selected { id: pool.spec().mining_id(), histogram, ..Selected::default() };
    let empty = MinedChunk::new(&plan.nothing()?, &ImagePaths::empty()?, columns_of(select, &[]))?;
    let writer = MinedWriter::new(target, &empty)?;
    let threads = ctx.thread_pool()?;
    ctx.progress.start("select", plan.record.rows.kept);
    let encode = |shard: usize, plan: PlanSlice| -> Result<Encoded, MineError> {
        let JudgedShard { images, judged, .. } = pool.judge(shard)?;
        let chunk = writer.encode(MinedChunk::new(&plan, &images, columns_of(select, &judged))?)?;
        Ok(Encoded { judged, chunk })
    };
    let encode_wave = |wave: &[usize]| -> Result<Vec<Encoded>, MineError> {
        let slices = plan.slices(wave)?;
        wave.par_iter().zip(slices).map(|(&shard, slice)| encode(shard, slice)).collect()
    };
    // The next wave is judged while this one is compressed and written.
    let (sender, waves) = sync_channel::<Result<Vec<Encoded>, MineError>>(1);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for wave in shards.chunks(WAVE * ctx.threads) {
                if sender.send(threads.install(|| encode_wave(wave))).is_err() {
                    return;
                }
            }
        });
        for wave in waves {
            ctx.check_stop()?;
            for Encoded { judged, chunk } in wave? {
                selected.add(&judged);
                ctx.progress.advance(judged.len() as u64);
                writer.append(chunk)?;
            }
        }
        Ok::<(), MineError>(())
    })?;
    writer.finish()?;
    Ok(selected)
}

fn columns_of<'a>(select: &'a SelectSpec, judged: &[ItemResult]) -> MinedColumns<'a> {
    MinedColumns {
        surrogates: &select.surrogates,
        item_id: judged.iter().map(|j| j.item_id).collect(),
        failed: judged.iter().map(|j| j.failed).collect(),
        agreed_wrong: judged.iter().map(|j| j.agreed_wrong.map(|(class, _)| class)).collect(),
        n_agreed_wrong: judged.iter().map(|j| j.agreed_wrong.map_or(0, |(_, count)| count)).collect(),
        near_tie: judged.iter().map(|j| j.near_tie).collect(),
        hard: judged.iter().map(|j| j.hard).collect(),
    }
}
