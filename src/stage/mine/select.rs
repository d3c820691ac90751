//! select: predictions -> `mined/<mining>.<hash>.parquet` and `manifest.parquet`.
//!
//! Does not run a model, because people try many rules on one set of predictions. The ranks of a job each make their
//! part of the table, which is then joined. Holds always: a table appears whole or not at all, and is the same whoever
//! made its parts; memory does not grow with the pool.

use std::collections::BTreeMap;
use std::io::Write;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, sync_channel};

use rayon::prelude::*;

use super::{Followed, MineError};
use crate::domain::{MinedCounts, SelectSpec};
use crate::pool::{JudgedShard, Pool, mining_key};
use crate::stats::ItemResult;
use crate::store::{NewRecord, RowCounts, UnitFile};
use crate::table::{EncodedChunk, ImagePaths, MinedChunk, MinedColumns, MinedTable, MinedWriter, PlanSlice};

/// Encoded shards in memory at a time, for each thread.
const WAVE: usize = 4;

/// Some rows of the table, encoded, and their figures.
struct Encoded {
    counts: MinedCounts,
    chunk: EncodedChunk,
}

/// Some chunks that were encoded at the same time, in order.
type Wave = Result<Vec<Encoded>, MineError>;

/// The figures of a mining.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selected {
    /// Its id, which names its table.
    pub id: String,
    /// Its figures.
    pub counts: MinedCounts,
}

/// Name of a fact in the record of a mining: its hard items.
pub const HARD: &str = "hard";

/// Applies the mining's rule and makes its table the manifest; `followed`: all records that it follows from.
pub fn select(pool: &Pool, followed: &Followed) -> Result<Selected, MineError> {
    let shards = 0..pool.shards();
    make_manifest(pool, followed, |target| write_shards(pool, shards, target))
}

/// The same from the parts that ranks have made, in order: the files, each with its figures.
pub fn join(pool: &Pool, followed: &Followed, parts: &[MinedPart]) -> Result<Selected, MineError> {
    make_manifest(pool, followed, |target| join_parts(pool, parts, target))
}

/// The part of the table that a rank has made.
#[derive(Debug, Clone)]
pub struct MinedPart {
    /// The file, already checked.
    pub path: PathBuf,
    /// Its figures.
    pub counts: MinedCounts,
}

/// The part of the table that comes from some shards, as Parquet.
pub fn of_shards(pool: &Pool, shards: Range<usize>) -> Result<(Vec<u8>, MinedCounts), MineError> {
    let mut bytes = Vec::new();
    let counts = write_shards(pool, shards, &mut bytes)?;
    Ok((bytes, counts))
}

fn make_manifest(
    pool: &Pool,
    followed: &Followed,
    write: impl FnOnce(&mut UnitFile) -> Result<MinedCounts, MineError>,
) -> Result<Selected, MineError> {
    let run = &pool.ctx().run;
    let unit = run.mined(&pool.spec().mining_id());
    let mut target = unit.start("parquet")?;
    let counts = match write(&mut target) {
        Ok(counts) => counts,
        // The error of the table names neither the file nor a full disk.
        Err(error) => return Err(target.failure().map_or(error, MineError::from)),
    };
    let facts = BTreeMap::from([(HARD.to_owned(), counts.hard.to_string())]);
    let key = mining_key(pool.spec(), &pool.plan().record, &followed.images, &followed.votes());
    let record = NewRecord { key, rows: RowCounts::all_kept(counts.items), lost: Vec::new(), facts, sums: None };
    let selected = Selected { id: pool.spec().mining_id(), counts };
    run.set_manifest(&selected.id, &unit.commit_started(target, record)?)?;
    unit.tidy()?;
    pool.ctx().progress.finish();
    Ok(selected)
}

fn write_shards(pool: &Pool, shards: Range<usize>, target: impl Write + Send) -> Result<MinedCounts, MineError> {
    let select = &pool.spec().mine.select;
    let writer = &writer(pool, target)?;
    let threads = pool.ctx().thread_pool()?;
    let encode = |shard: usize, plan: PlanSlice| -> Result<Encoded, MineError> {
        let JudgedShard { images, judged, .. } = pool.judge(shard)?;
        let mut columns = columns_of(select, &judged);
        for class in &mut columns.agreed_wrong {
            *class = class.and_then(|class| pool.classes().in_table(class));
        }
        let chunk = writer.encode(MinedChunk::new(&plan, &images, columns)?)?;
        Ok(Encoded { counts: counts_of(select, &judged), chunk })
    };
    let encode_wave = |wave: &[usize]| -> Wave {
        let slices = pool.plan().slices(wave)?;
        wave.par_iter().zip(slices).map(|(&shard, slice)| encode(shard, slice)).collect()
    };
    let shards: Vec<usize> = shards.collect();
    write_waves(pool, writer, |sender| {
        let mut waves = shards.chunks(WAVE * pool.ctx().threads);
        waves.all(|wave| sender.send(threads.install(|| encode_wave(wave))).is_ok());
    })
}

fn join_parts(pool: &Pool, parts: &[MinedPart], target: impl Write + Send) -> Result<MinedCounts, MineError> {
    let writer = &writer(pool, target)?;
    let threads = pool.ctx().thread_pool()?;
    let encode_wave = |table: &MinedTable, wave: &[Range<usize>]| -> Wave {
        let encode = |rows: &Range<usize>| {
            let counts = MinedCounts { items: rows.len() as u64, ..MinedCounts::default() };
            Ok(Encoded { counts, chunk: writer.encode(table.chunk(rows.clone())?)? })
        };
        wave.par_iter().map(encode).collect()
    };
    write_waves(pool, writer, |sender| {
        for part in parts {
            let table = match MinedTable::open(&part.path) {
                Ok(table) => table,
                Err(error) => {
                    let _ = sender.send(Err(error.into()));
                    return;
                }
            };
            let mut waves = table.chunks().chunks(WAVE * pool.ctx().threads);
            if !waves.all(|wave| sender.send(threads.install(|| encode_wave(&table, wave))).is_ok()) {
                return;
            }
        }
    })?;
    let mut counts = MinedCounts::none(pool.spec().mine.select.surrogates.len());
    parts.iter().for_each(|part| counts.add(&part.counts));
    Ok(counts)
}

fn writer<W: Write>(pool: &Pool, target: W) -> Result<MinedWriter<W>, MineError> {
    let columns = columns_of(&pool.spec().mine.select, &[]);
    let empty = MinedChunk::new(&pool.plan().nothing()?, &ImagePaths::empty()?, columns)?;
    Ok(MinedWriter::new(target, &empty)?)
}

/// Writes the chunks that `make` sends, and the end of the table: the next wave is encoded while this one is written.
fn write_waves<W: Write + Send>(
    pool: &Pool,
    writer: &MinedWriter<W>,
    make: impl FnOnce(&SyncSender<Wave>) + Send,
) -> Result<MinedCounts, MineError> {
    let ctx = pool.ctx();
    let mut counts = MinedCounts::none(pool.spec().mine.select.surrogates.len());
    ctx.progress.start("select", pool.plan().record.rows.kept);
    let (sender, waves) = sync_channel::<Wave>(1);
    std::thread::scope(|scope| {
        scope.spawn(move || make(&sender));
        for wave in waves {
            ctx.check_stop()?;
            for encoded in wave? {
                counts.add(&encoded.counts);
                ctx.progress.advance(encoded.counts.items);
                writer.append(encoded.chunk)?;
            }
        }
        Ok::<(), MineError>(())
    })?;
    writer.finish()?;
    Ok(counts)
}

fn counts_of(select: &SelectSpec, judged: &[ItemResult]) -> MinedCounts {
    let mut counts = MinedCounts::none(select.surrogates.len());
    counts.items = judged.len() as u64;
    counts.hard = judged.iter().filter(|j| j.hard).count() as u64;
    counts.near_ties = judged.iter().filter(|j| j.near_tie).count() as u64;
    judged.iter().for_each(|j| counts.histogram[j.n_failed() as usize] += 1);
    counts
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
