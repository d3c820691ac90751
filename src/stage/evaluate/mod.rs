//! evaluate: targets score a pool of images (a release, a run, a benchmark's folder), and every figure that follows.
//!
//! pools -> `runs/<role>`: plan, pin, score -> `results/<target>/*.parquet` -> figures -> documents and page. Nothing
//! is written into the pool. Holds always: everything after the tables of results is made from `evaluation.toml` and
//! these tables alone, so that `verify` can make it again; targets of earlier calls stay, and a further one costs
//! itself.

mod ask;
mod beside;
mod choices;
mod documents;
mod error;
mod figures;
mod line;
mod load;
mod names;
mod page;
mod pools;
mod record;
mod results;
mod score;
mod sides;
mod status;
mod temperature;

use std::path::{Path, PathBuf};

use crate::domain::{Device, EvaluationRecord, PoolRole, Sha256};
use crate::pool::Pool;
use crate::render::evaluation::left_out_csv;
use crate::source::OpenedPool;
use crate::store::{EvaluationDir, StoreError, is_inside, write_if_changed};
use crate::table::{PoolColumns, results_table};
use crate::work::Context;
use sides::{Side, sources};

pub use ask::{Ask, GALLERY, MARGIN};
pub use beside::{check_ahead, evaluate_beside};
pub use documents::{Documents, SCHEMA, documents, from_hexadecimal};
pub use error::EvaluateError;
pub use figures::{Figures, Inputs, Tested, accuracies, columns_of, figures, tested};
pub use load::load;
pub use names::Names;
pub use page::pictures;
pub use record::place;
pub use status::{EvaluationStatus, evaluation_status};

/// The result of an evaluation.
pub struct Evaluated {
    /// Its folder.
    pub dir: EvaluationDir,
    /// The record.
    pub record: EvaluationRecord,
    /// Its figures.
    pub figures: Figures,
    /// For each target of the record: images scored in this call.
    pub fresh: Vec<u64>,
    /// Images that some target could not score, and images of the pool that have no row.
    pub lost: u64,
}

/// Evaluates; `out`: the folder, else `evaluations/<pool>-<version>`.
pub fn evaluate(ctx: &Context, devices: &[Device], ask: &Ask, out: Option<&Path>) -> Result<Evaluated, EvaluateError> {
    let opened = pools::open(ctx, &ask.pool, &ask.options)?;
    let dir = EvaluationDir::at(&out.map_or_else(|| pools::default_out(&opened), Path::to_path_buf));
    for pool in [Some(&ask.pool), ask.clean.as_ref(), ask.ood.as_ref()].into_iter().flatten() {
        if is_inside(pool, dir.path()) {
            let (out, pool) = (dir.path().display().to_string(), pool.display().to_string());
            return Err(EvaluateError::Inside { out, pool });
        }
    }
    let _lock = dir.create()?;
    let stored = dir.record_if_any()?;
    let before = stored.as_ref().map(|stored| stored.tables.clone());
    let asked = sides::Asked { ask, opened: &opened, stored: stored.as_ref() };
    let sides = asked.sides(ctx, devices, &dir)?;
    let mut record = record::start(ask, &opened, stored.as_ref())?;
    line::keep(&dir, ask, &opened, &mut record)?;
    let mut fresh = Vec::new();
    for side in &sides {
        let pool = Pool::open(&side.ctx, &side.spec)?;
        let scored = score::scored(&pool, devices, &side.images)?;
        let mut keep = |path: PathBuf, bytes: Vec<u8>| {
            record.tables.insert(dir.name_of(&path), Sha256::of(&bytes));
            Ok(write_if_changed(&path, &bytes)?)
        };
        let (columns, sha256) = results::tables(&pool, &dir, side.role, &mut keep)?;
        let mut described = record::pool(side.role, &opened, &side.source, (&columns, sha256));
        described.left_out = left_out(&dir, side, &mut record)?;
        match side.role {
            PoolRole::Pool => {
                record.targets = record::targets(&pool, &scored)?;
                fresh = scored.iter().map(|scored| scored.records.fresh_rows).collect();
                write_miners(ctx, &opened, &columns, (&dir, &mut record))?;
                record.pool = described;
            }
            PoolRole::Clean => record.clean = Some(described),
            PoolRole::Ood => record.ood = Some(described),
        }
    }
    record::check(&record)?;
    answers(ctx, ask, &opened, &dir, &mut record)?;
    dir.write_record(&record)?;
    let inputs = load(&dir, &record)?;
    let made = figures(&inputs);
    let lost = inputs.lost_images();
    for (name, bytes) in documents(&dir, &inputs, &made)? {
        write_if_changed(&dir.document(&name), &bytes)?;
    }
    dir.remove_comparisons(before.as_ref() != Some(&record.tables))?;
    if let Some(side) = sides.first() {
        let pool = Pool::open(&side.ctx, &side.spec)?;
        write_if_changed(&dir.document("index.html"), &page_of(&pool, &dir, &inputs, &made)?)?;
    }
    Ok(Evaluated { record: record.clone(), figures: made, dir, fresh, lost })
}

/// Writes `left-out.csv`, the files of the pool that have no label; returns how many there are.
fn left_out(dir: &EvaluationDir, side: &Side, record: &mut EvaluationRecord) -> Result<u64, EvaluateError> {
    let lost = side.ctx.run.plan().existing()?.lost;
    if side.role == PoolRole::Pool && !lost.is_empty() {
        let bytes = left_out_csv(lost.iter().map(|row| (row.source.as_str(), row.reason.as_str())));
        let path = dir.document("left-out.csv");
        record.tables.insert(dir.name_of(&path), Sha256::of(&bytes));
        write_if_changed(&path, &bytes)?;
    }
    Ok(lost.len() as u64)
}

/// Writes the pool's questions, and scores the answers that are given.
fn answers(
    ctx: &Context,
    ask: &Ask,
    opened: &OpenedPool,
    dir: &EvaluationDir,
    record: &mut EvaluationRecord,
) -> Result<(), EvaluateError> {
    let questions = choices::questions(opened, record.seed)?;
    choices::write_questions(dir, &questions, record)?;
    for (name, file) in &ask.answers {
        if record.targets.iter().any(|target| target.name == *name) {
            return Err(EvaluateError::TwoOfOneName { name: name.clone() });
        }
        let strangers = choices::keep(dir, name, file, &opened.categories, &questions)?;
        if strangers > 0 {
            let file = file.display();
            ctx.progress.note(&format!("{file}: {strangers} answer(s) are of images that no question is about"));
        }
        record.answers.retain(|known| known != name);
        record.answers.push(name.clone());
    }
    record.answers.sort();
    for name in record.answers.clone() {
        let path = dir.answers(&name);
        let bytes = std::fs::read(&path).map_err(StoreError::io("read", &path))?;
        record.tables.insert(dir.name_of(&path), Sha256::of(&bytes));
    }
    Ok(())
}

/// The page, with pictures from the pool.
fn page_of(pool: &Pool, dir: &EvaluationDir, inputs: &Inputs, made: &Figures) -> Result<Vec<u8>, EvaluateError> {
    let most = inputs.record.gallery as usize;
    let pictures = pictures(pool, inputs, &page::shown(inputs, most))?;
    Ok(page::page(inputs, made, &Names::of(dir)?, &pictures, most))
}

/// The page again, for `verify`; `None` if its images are not there. `ctx`: that of the run of the pool.
pub fn remade_page(
    ctx: &Context,
    dir: &EvaluationDir,
    inputs: &Inputs,
    made: &Figures,
) -> Result<Option<Vec<u8>>, EvaluateError> {
    let Some(spec) = ctx.run.spec_if_any()? else { return Ok(None) };
    let pool = Pool::open(ctx, &spec)?;
    if pool.check_source().is_err() {
        return Ok(None);
    }
    page_of(&pool, dir, inputs, made).map(Some)
}

/// Makes the tables that follow from a run again, for `verify`; `each` gets their paths and bytes.
pub fn tables_of_run(
    pool: &Pool,
    dir: &EvaluationDir,
    role: PoolRole,
    each: &mut dyn FnMut(&Path, &[u8]),
) -> Result<(), EvaluateError> {
    let mut keep = |path: PathBuf, bytes: Vec<u8>| {
        each(&path, &bytes);
        Ok(())
    };
    results::tables(pool, dir, role, &mut keep).map(|_| ())
}

/// Writes what the surrogates of the pool gave.
fn write_miners(
    ctx: &Context,
    opened: &OpenedPool,
    columns: &PoolColumns,
    to: (&EvaluationDir, &mut EvaluationRecord),
) -> Result<(), EvaluateError> {
    let rows = pools::given(ctx, opened, columns)?;
    if !rows.is_empty() {
        let (dir, record) = to;
        let bytes = results_table::encode_miners(&rows)?;
        record.tables.insert(dir.name_of(&dir.miners()), Sha256::of(&bytes));
        write_if_changed(&dir.miners(), &bytes)?;
    }
    Ok(())
}
