//! verify: checks every file of a run against its record, and every table against those that it is made from.
//!
//! Holds always: changes nothing, because damage must be seen before it is repaired; every problem names the file and
//! what to do.

mod release;

use std::collections::BTreeSet;
use std::path::Path;

use crate::domain::RunSpec;
use crate::pool::planned_shards;
use crate::store::{Check, ShardRecord, StoreError, Unit, hash_file};
use crate::table::{PlanTable, TableError, dropped_table, images_table, predictions_table, read_hard};
use crate::work::{Context, WorkError};

pub use release::verify_release;

/// Why nothing can be verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// A file cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A table cannot be read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The work was stopped.
    #[error(transparent)]
    Work(#[from] WorkError),
}

/// What was checked, and what is wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// Files whose hashes were compared.
    pub files: u64,
    /// One line each: file, problem, remedy.
    pub problems: Vec<String>,
}

impl Verified {
    fn wrong(&mut self, path: &Path, problem: &str) {
        let remedy = "delete it and run the same `hardset build` again";
        self.problems.push(format!("{}: {problem}; {remedy}", path.display()));
    }

    /// Checks a unit's record and files; `rows` counts the rows of its table.
    fn unit(&mut self, unit: &Unit, rows: impl FnOnce(&Path) -> Result<u64, TableError>) -> Option<ShardRecord> {
        let Some(record) = unit.record() else {
            self.wrong(&unit.file("json"), "the record is missing or cannot be read, so this shard is not done");
            return None;
        };
        self.files += record.files.len() as u64;
        if let Some((path, problem)) = unit.problem(&record, Check::Hashes) {
            self.wrong(&path, &problem);
            return None;
        }
        let table = unit.file("parquet");
        match rows(&table) {
            Ok(found) if found == record.rows.kept => {}
            Ok(found) => self.wrong(&table, &format!("it has {found} rows, but its record says {}", record.rows.kept)),
            Err(error) => self.wrong(&table, &error.to_string()),
        }
        Some(record)
    }
}

/// Checks the whole run.
pub fn verify(ctx: &Context) -> Result<Verified, VerifyError> {
    let spec = ctx.run.spec()?;
    let mut verified = Verified::default();
    let plan = ctx.run.plan();
    let mut lost = Vec::new();
    let Some(record) = verified.unit(&plan, |path| Ok(PlanTable::open(path)?.len() as u64)) else {
        return Ok(verified);
    };
    let shards = planned_shards(&ctx.run, &spec);
    lost.extend(record.lost);
    ctx.progress.start("verify", shards as u64);
    for shard in 0..shards {
        ctx.check_stop()?;
        let records = verify_shard(ctx, &spec, shard, &mut verified);
        lost.extend(records.into_iter().flat_map(|record| record.lost));
        ctx.progress.advance(1);
    }
    ctx.progress.finish();
    lost.sort();
    lost.dedup();
    match dropped_table::decode(&ctx.run.dropped()) {
        Ok(rows) if rows == lost => {}
        Ok(_) => verified.wrong(&ctx.run.dropped(), "it differs from the records of the shards"),
        Err(error) => verified.wrong(&ctx.run.dropped(), &error.to_string()),
    }
    verify_manifest(ctx, &spec, &mut verified);
    verify_people(ctx, &mut verified);
    Ok(verified)
}

fn verify_shard(ctx: &Context, spec: &RunSpec, shard: usize, verified: &mut Verified) -> Vec<ShardRecord> {
    let images = ctx.run.images(shard);
    let mut ids = BTreeSet::new();
    let mut records = Vec::new();
    records.extend(verified.unit(&images, |path| {
        ids = images_table::decode(path)?.into_iter().map(|row| row.item_id).collect();
        Ok(ids.len() as u64)
    }));
    for name in spec.scored().into_iter().map(|surrogate| &surrogate.name) {
        let unit = ctx.run.predictions(name, shard);
        let mut strangers = 0;
        records.extend(verified.unit(&unit, |path| {
            let rows = predictions_table::decode(path)?;
            strangers = rows.iter().filter(|row| !ids.contains(&row.item_id)).count();
            Ok(rows.len() as u64)
        }));
        if strangers > 0 {
            verified.wrong(&unit.file("parquet"), &format!("{strangers} of its items have no image"));
        }
    }
    records
}

/// Checks task sheets, answers and verdicts, if the run has any.
fn verify_people(ctx: &Context, verified: &mut Verified) {
    let rounds = (0..ctx.run.rounds()).map(|index| ctx.run.round(index));
    let answers = ctx.run.answered().into_iter().map(|name| ctx.run.answers(&name));
    for unit in rounds.chain(answers).chain([ctx.run.verdicts()]) {
        let Some(record) = unit.record() else { continue };
        verified.files += record.files.len() as u64;
        if let Some((path, problem)) = unit.problem(&record, Check::Hashes) {
            let remedy = "restore it from a copy; verdicts are made again by `hardset annotate collect`";
            verified.problems.push(format!("{}: {problem}; {remedy}", path.display()));
        }
    }
}

/// Checks that the manifest is the table of the current mining, byte for byte, and can be read.
fn verify_manifest(ctx: &Context, spec: &RunSpec, verified: &mut Verified) {
    let (manifest, mined) = (ctx.run.manifest(), ctx.run.mined(&spec.mining_id()));
    verified.files += 1;
    match (hash_file(&manifest), hash_file(&mined)) {
        (Ok(a), Ok(b)) if a == b => {}
        (Err(error), _) => verified.wrong(&manifest, &error.to_string()),
        (_, Err(error)) => verified.wrong(&mined, &error.to_string()),
        _ => verified.wrong(&manifest, &format!("it is not the current mining, {}", mined.display())),
    }
    if let Err(error) = read_hard(&manifest) {
        verified.wrong(&manifest, &error.to_string());
    }
}
