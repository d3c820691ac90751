//! select: predictions -> `mined/<mining>.<hash>.parquet` and `manifest.parquet`.
//!
//! Does not run a model, because people try many rules on one set of predictions. Holds always: a table appears whole
//! or not at all; memory does not grow with the pool.

use std::collections::BTreeMap;
use std::sync::mpsc::sync_channel;

use rayon::prelude::*;

use super::{MineError, Scored};
use crate::domain::{SelectSpec, Sha256};
use crate::pool::{JudgedShard, Pool, mining_key};
use crate::stats::ItemResult;
use crate::store::{NewRecord, RowCounts, ShardRecord, UnitFile};
use crate::table::{EncodedChunk, ImagePaths, MinedChunk, MinedColumns, MinedWriter, PlanSlice};
use crate::work::ShardRecords;

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

/// Name of a fact in the record of a mining: its hard items.
pub const HARD: &str = "hard";

/// Applies the mining's rule and makes its table the manifest; `images`, `scored`: all records that it follows from.
pub fn select(pool: &Pool, images: &ShardRecords, scored: &[Scored]) -> Result<Selected, MineError> {
    let run = &pool.ctx().run;
    let unit = run.mined(&pool.spec().mining_id());
    let mut target = unit.start("parquet")?;
    let selected = match write_table(pool, &mut target) {
        Ok(selected) => selected,
        // The error of the table names neither the file nor a full disk.
        Err(error) => return Err(target.failure().map_or(error, MineError::from)),
    };
    let facts = BTreeMap::from([(HARD.to_owned(), selected.hard.to_string())]);
    let rows = RowCounts::all_kept(selected.items);
    let record = NewRecord { key: key(pool, images, scored), rows, lost: Vec::new(), facts, sums: None };
    let record = unit.commit_started(target, record)?;
    run.set_manifest(&selected.id, &record)?;
    unit.tidy()?;
    pool.ctx().progress.finish();
    Ok(selected)
}

fn key(pool: &Pool, images: &ShardRecords, scored: &[Scored]) -> Sha256 {
    let voters = scored.iter().filter(|scored| !scored.is_target);
    let images: Vec<Sha256> = images.records.iter().map(ShardRecord::hash).collect();
    let predictions: Vec<Sha256> = voters.flat_map(|scored| &scored.records.records).map(ShardRecord::hash).collect();
    mining_key(pool.spec(), &pool.plan().record, &images, &predictions)
}

fn write_table(pool: &Pool, target: &mut UnitFile) -> Result<Selected, MineError> {
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
        let mut columns = columns_of(select, &judged);
        for class in &mut columns.agreed_wrong {
            *class = class.and_then(|class| pool.classes().in_table(class));
        }
        let chunk = writer.encode(MinedChunk::new(&plan, &images, columns)?)?;
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
