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
use crate::pool::{JudgedShard, Pool, mining_key, shards_per_group};
use crate::stats::ItemResult;
use crate::store::{NewRecord, RowCounts, UnitFile};
use crate::table::{EncodedChunk, ImagePaths, MinedChunk, MinedColumns, MinedTable, MinedWriter, PlanSlice};

/// Encoded shards in memory at a time, for each thread.
const WAVE: usize = 4;

/// A row group of the table, encoded.
struct Encoded {
    /// Its figures.
    counts: MinedCounts,
    /// Rows of each of its shards.
    rows: Vec<usize>,
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
    /// What is in it.
    pub made: Made,
}

/// What is in a table, or in a part of one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Made {
    /// Its figures.
    pub counts: MinedCounts,
    /// Rows of each of its shards.
    pub rows: Vec<usize>,
}

/// The part of the table that comes from some shards, as Parquet.
pub fn of_shards(pool: &Pool, shards: Range<usize>) -> Result<(Vec<u8>, Made), MineError> {
    let mut bytes = Vec::new();
    let made = write_shards(pool, shards, &mut bytes)?;
    Ok((bytes, made))
}

fn make_manifest(
    pool: &Pool,
    followed: &Followed,
    write: impl FnOnce(&mut UnitFile) -> Result<Made, MineError>,
) -> Result<Selected, MineError> {
    let run = &pool.ctx().run;
    let unit = run.mined(&pool.spec().mining_id());
    let mut target = unit.start("parquet")?;
    let counts = match write(&mut target) {
        Ok(made) => made.counts,
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

fn write_shards(pool: &Pool, shards: Range<usize>, target: impl Write + Send) -> Result<Made, MineError> {
    let select = &pool.spec().mine.select;
    let empty = &nothing(pool)?;
    let writer = &MinedWriter::new(target, empty)?;
    let threads = pool.ctx().thread_pool()?;
    let encode = |group: &[(usize, PlanSlice)]| -> Result<Encoded, MineError> {
        let (mut counts, mut rows) = (MinedCounts::none(select.surrogates.len()), Vec::with_capacity(group.len()));
        let mut chunk: Option<MinedChunk> = None;
        for (shard, plan) in group {
            let JudgedShard { images, judged, .. } = pool.judge(*shard)?;
            let mut columns = columns_of(select, &judged);
            for class in &mut columns.agreed_wrong {
                *class = class.and_then(|class| pool.classes().in_table(class));
            }
            add(&mut chunk, MinedChunk::new(plan, &images, columns)?)?;
            counts.add(&counts_of(select, &judged));
            rows.push(judged.len());
        }
        Ok(Encoded { counts, rows, chunk: writer.encode(chunk.unwrap_or_else(|| empty.clone()))? })
    };
    let encode_wave = |wave: &[usize]| -> Wave {
        let slices: Vec<(usize, PlanSlice)> = wave.iter().copied().zip(pool.plan().slices(wave)?).collect();
        slices.par_chunks(shards_per_group(pool.shards())).with_max_len(1).map(encode).collect()
    };
    let items = pool.plan().ranges[shards.clone()].iter().map(|range| range.len() as u64).sum();
    let shards: Vec<usize> = shards.collect();
    write_waves(pool, writer, items, |sender| {
        let mut waves = shards.chunks(WAVE * pool.ctx().threads * shards_per_group(pool.shards()));
        waves.all(|wave| sender.send(threads.install(|| encode_wave(wave))).is_ok());
    })
}

/// Some rows of a part.
#[derive(Debug, PartialEq, Eq)]
struct Piece {
    part: usize,
    rows: Range<usize>,
}

fn join_parts(pool: &Pool, parts: &[MinedPart], target: impl Write + Send) -> Result<Made, MineError> {
    let empty = &nothing(pool)?;
    let writer = &MinedWriter::new(target, empty)?;
    let threads = pool.ctx().thread_pool()?;
    let groups = groups(shards_per_group(pool.shards()), parts);
    let encode = |tables: &BTreeMap<usize, MinedTable>, group: &[Piece]| -> Result<Encoded, MineError> {
        let mut chunk: Option<MinedChunk> = None;
        for Piece { part, rows } in group {
            if let Some(table) = tables.get(part) {
                add(&mut chunk, table.rows(rows.clone())?)?;
            }
        }
        let chunk = chunk.unwrap_or_else(|| empty.clone());
        let counts = MinedCounts { items: chunk.len() as u64, ..MinedCounts::default() };
        Ok(Encoded { counts, rows: Vec::new(), chunk: writer.encode(chunk)? })
    };
    let encode_wave = |wave: &[Vec<Piece>]| -> Wave {
        let mut tables = BTreeMap::new();
        for Piece { part, .. } in wave.iter().flatten() {
            if !tables.contains_key(part) {
                tables.insert(*part, MinedTable::open(&parts[*part].path)?);
            }
        }
        wave.par_iter().with_max_len(1).map(|group| encode(&tables, group)).collect()
    };
    write_waves(pool, writer, pool.plan().record.rows.kept, |sender| {
        let mut waves = groups.chunks(WAVE * pool.ctx().threads);
        waves.all(|wave| sender.send(threads.install(|| encode_wave(wave))).is_ok());
    })?;
    let mut made = Made { counts: MinedCounts::none(pool.spec().mine.select.surrogates.len()), rows: Vec::new() };
    parts.iter().for_each(|part| made.counts.add(&part.made.counts));
    Ok(made)
}

/// Where the rows of each row group of the joined table are: groups of `each` shards, as those of one process, whatever
/// the parts.
fn groups(each: usize, parts: &[MinedPart]) -> Vec<Vec<Piece>> {
    let mut groups: Vec<Vec<Piece>> = Vec::new();
    let mut shard = 0;
    for (part, MinedPart { made, .. }) in parts.iter().enumerate() {
        let mut start = 0;
        for &rows in &made.rows {
            if shard % each == 0 {
                groups.push(Vec::new());
            }
            let end = start + rows;
            match groups.last_mut().and_then(|group| group.last_mut()) {
                Some(piece) if piece.part == part => piece.rows.end = end,
                _ if rows == 0 => {}
                _ => groups.last_mut().into_iter().for_each(|group| group.push(Piece { part, rows: start..end })),
            }
            start = end;
            shard += 1;
        }
    }
    groups
}

fn add(chunk: &mut Option<MinedChunk>, more: MinedChunk) -> Result<(), MineError> {
    match chunk {
        Some(chunk) => Ok(chunk.append(&more)?),
        None => {
            *chunk = Some(more);
            Ok(())
        }
    }
}

/// No rows of the table.
fn nothing(pool: &Pool) -> Result<MinedChunk, MineError> {
    let columns = columns_of(&pool.spec().mine.select, &[]);
    Ok(MinedChunk::new(&pool.plan().nothing()?, &ImagePaths::empty()?, columns)?)
}

/// Writes the row groups that `make` sends, and the end of the table: the next ones are encoded while these are
/// written. `items`: of all of them, for the progress.
fn write_waves<W: Write + Send>(
    pool: &Pool,
    writer: &MinedWriter<W>,
    items: u64,
    make: impl FnOnce(&SyncSender<Wave>) + Send,
) -> Result<Made, MineError> {
    let ctx = pool.ctx();
    let mut made = Made { counts: MinedCounts::none(pool.spec().mine.select.surrogates.len()), rows: Vec::new() };
    ctx.progress.start("select", items);
    let (sender, waves) = sync_channel::<Wave>(1);
    std::thread::scope(|scope| {
        scope.spawn(move || make(&sender));
        for wave in waves {
            ctx.check_stop()?;
            for encoded in wave? {
                made.counts.add(&encoded.counts);
                made.rows.extend(encoded.rows);
                ctx.progress.advance(encoded.counts.items);
                writer.append(encoded.chunk)?;
            }
        }
        Ok::<(), MineError>(())
    })?;
    writer.finish()?;
    Ok(made)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The groups of parts whose shards have these rows, as (part, rows).
    fn grouped(each: usize, parts: &[&[usize]]) -> Vec<Vec<(usize, Range<usize>)>> {
        let part = |rows: &&[usize]| MinedPart {
            path: PathBuf::new(),
            made: Made { counts: MinedCounts::default(), rows: rows.to_vec() },
        };
        let parts: Vec<MinedPart> = parts.iter().map(part).collect();
        let plain = |group: Vec<Piece>| group.into_iter().map(|piece| (piece.part, piece.rows)).collect();
        groups(each, &parts).into_iter().map(plain).collect()
    }

    #[test]
    fn row_groups_are_cut_after_so_many_shards_whatever_the_parts() {
        assert_eq!(grouped(1, &[&[3, 2], &[4]]), [vec![(0, 0..3)], vec![(0, 3..5)], vec![(1, 0..4)]]);
        let across = grouped(3, &[&[3, 2], &[], &[4, 1, 5], &[6]]);
        assert_eq!(across, [vec![(0, 0..5), (2, 0..4)], vec![(2, 4..10), (3, 0..6)]]);
        assert_eq!(grouped(4, &[&[1], &[2], &[3]]), [vec![(0, 0..1), (1, 0..2), (2, 0..3)]]);
    }

    #[test]
    fn shards_without_rows_have_their_place_and_no_piece() {
        assert_eq!(grouped(2, &[&[0, 0], &[0, 7], &[0]]), [vec![], vec![(1, 0..7)], vec![]]);
        assert_eq!(grouped(2, &[&[5, 0, 0, 2]]), [vec![(0, 0..5)], vec![(0, 5..7)]]);
    }
}
