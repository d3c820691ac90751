//! evaluate: targets score a pool of images (a release, a run, a benchmark's folder), and every figure that follows.
//!
//! pools -> runs/<role>: plan, pin, score -> results/<target>/*.parquet -> figures -> documents and page. Nothing is
//! written into the pool. Holds always: everything after the tables of results is made from `evaluation.toml` and these
//! tables alone, so that `verify` can make it again; targets of earlier calls stay, and a further one costs itself.

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
mod status;
mod temperature;

use std::path::{Path, PathBuf};

use crate::config::SurrogateDef;
use crate::domain::{BenchmarkSource, Device, EvaluationRecord, GenerateSpec, LabelSpace, PoolRole, RunSpec, Sha256};
use crate::pool::Pool;
use crate::source::{OpenedPool, PoolOptions};
use crate::store::{EvaluationDir, is_inside, write_if_changed};
use crate::table::{PoolColumns, results_table};
use crate::work::{Context, ShardRecords};

pub use beside::{check_ahead, evaluate_beside};
pub use documents::{Documents, SCHEMA, documents, from_hexadecimal};
pub use error::EvaluateError;
pub use figures::{Figures, Inputs, Tested, columns_of, figures, tested};
pub use load::load;
pub use names::Names;
pub use page::pictures;
pub use status::{EvaluationStatus, evaluation_status};

/// The margin of equivalence unless another is asked for: two points.
pub const MARGIN: f64 = 0.02;

/// Images in each part of the page's gallery, unless another number is asked for.
pub const GALLERY: usize = 60;

/// What is to be evaluated, and how.
pub struct Ask {
    /// The pool.
    pub pool: PathBuf,
    /// Its clean twin.
    pub clean: Option<PathBuf>,
    /// Images of none of its categories.
    pub ood: Option<PathBuf>,
    /// How to read the pool.
    pub options: PoolOptions,
    /// Further targets.
    pub targets: Vec<SurrogateDef>,
    /// Names of chat models, and files of their answers.
    pub answers: Vec<(String, PathBuf)>,
    /// The label spaces, the one that orders first; empty: as the pool is commonly evaluated.
    pub label_spaces: Vec<LabelSpace>,
    /// See [`EvaluationRecord`].
    pub margin: Option<f64>,
    /// See [`EvaluationRecord`].
    pub baseline: Option<String>,
    /// A table of standard models.
    pub fit: Option<PathBuf>,
    /// Its columns of clean accuracy and of accuracy on images like the pool's.
    pub fit_columns: Option<[String; 2]>,
    /// The published shift that the pool is, for the built-in line.
    pub shift: Option<String>,
    /// Whether the probabilities of all classes are kept.
    pub keep_logits: bool,
    /// Seed of everything random.
    pub seed: u64,
    /// Images in the page's gallery, at most.
    pub max_images: usize,
}

impl Ask {
    /// What is asked without any option.
    pub fn of(pool: &Path) -> Self {
        Self {
            pool: pool.to_owned(),
            clean: None,
            ood: None,
            options: PoolOptions::default(),
            targets: Vec::new(),
            answers: Vec::new(),
            label_spaces: Vec::new(),
            margin: None,
            baseline: None,
            fit: None,
            fit_columns: None,
            shift: None,
            keep_logits: false,
            seed: 0,
            max_images: GALLERY,
        }
    }
}

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

/// A pool in the evaluation: its context, its spec and its pinned images.
struct Side<'a> {
    role: PoolRole,
    source: BenchmarkSource,
    ctx: Context<'a>,
    spec: RunSpec,
    images: ShardRecords,
}

/// Evaluates; `out`: the folder, else `evaluations/<pool>-<version>`.
pub fn evaluate(ctx: &Context, devices: &[Device], ask: &Ask, out: Option<&Path>) -> Result<Evaluated, EvaluateError> {
    let opened = pools::open(ctx, &ask.pool, &ask.options)?;
    let dir = EvaluationDir::at(&out.map_or_else(|| pools::default_out(&opened), Path::to_path_buf));
    if is_inside(&ask.pool, dir.path()) {
        let (out, pool) = (dir.path().display().to_string(), ask.pool.display().to_string());
        return Err(EvaluateError::Inside { out, pool });
    }
    let _lock = dir.create()?;
    let stored = dir.record_if_any()?;
    let sides = sides(ctx, devices, ask, &opened, &dir)?;
    let mut record = record::start(ask, &opened, stored.as_ref(), line::keep(&dir, ask, &opened)?)?;
    let (mut fresh, mut lost) = (Vec::new(), 0);
    for side in &sides {
        let pool = Pool::open(&side.ctx, &side.spec)?;
        let scored = score::scored(&pool, devices, &side.images)?;
        let mut keep = |path: PathBuf, bytes: Vec<u8>| {
            record.tables.insert(dir.name_of(&path), Sha256::of(&bytes));
            Ok(write_if_changed(&path, &bytes)?)
        };
        let (columns, sha256) = results::tables(&pool, &dir, side.role, &mut keep)?;
        let described = record::pool(side.role, &opened, &side.source, (&columns, sha256));
        match side.role {
            PoolRole::Pool => {
                record.targets = record::targets(&pool, &scored)?;
                fresh = scored.iter().map(|scored| scored.records.fresh_rows).collect();
                lost += columns.sha256.iter().filter(|hash| hash.is_empty()).count() as u64;
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
    lost += inputs.pool.targets.iter().map(|target| target.lost.len() as u64).max().unwrap_or(0);
    for (name, bytes) in documents(&dir, &inputs, &made)? {
        write_if_changed(&dir.document(&name), &bytes)?;
    }
    if let Some(side) = sides.first() {
        let pool = Pool::open(&side.ctx, &side.spec)?;
        write_if_changed(&dir.document("index.html"), &page_of(&pool, &dir, &inputs, &made)?)?;
    }
    Ok(Evaluated { record: record.clone(), figures: made, dir, fresh, lost })
}

/// Writes the pool's questions, and scores the answers that are given.
fn answers(
    ctx: &Context,
    ask: &Ask,
    opened: &OpenedPool,
    dir: &EvaluationDir,
    record: &mut EvaluationRecord,
) -> Result<(), EvaluateError> {
    let questions = choices::questions(opened, ask.seed)?;
    choices::write_questions(dir, &questions)?;
    for (name, file) in &ask.answers {
        let strangers = choices::keep(dir, name, file, &opened.categories, &questions)?;
        if strangers > 0 {
            let file = file.display();
            ctx.progress.note(&format!("{file}: {strangers} answer(s) are of images that no question is about"));
        }
        record.answers.retain(|known| known != name);
        record.answers.push(name.clone());
    }
    record.answers.sort();
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

/// The pools that are asked for, and those of earlier calls.
fn sources(
    ask: &Ask,
    opened: &OpenedPool,
    dir: &EvaluationDir,
) -> Result<Vec<(PoolRole, BenchmarkSource)>, EvaluateError> {
    let mut sources = vec![(PoolRole::Pool, opened.source.clone())];
    let clean = ask.clean.as_ref().map(|clean| pools::twin(clean, opened)).transpose()?;
    let ood = ask.ood.as_ref().map(|ood| pools::unlabelled(ood, &ask.options)).transpose()?;
    for (role, given) in [(PoolRole::Clean, clean), (PoolRole::Ood, ood)] {
        // What an earlier call has scored stays, and further targets score it too.
        let source = match given {
            Some(source) => Some(source),
            None => stored_source(dir, role)?,
        };
        sources.extend(source.map(|source| (role, source)));
    }
    Ok(sources)
}

/// Plans and pins all pools, and finds the targets.
fn sides<'a>(
    ctx: &Context<'a>,
    devices: &[Device],
    ask: &Ask,
    opened: &OpenedPool,
    dir: &EvaluationDir,
) -> Result<Vec<Side<'a>>, EvaluateError> {
    let sources = sources(ask, opened, dir)?;
    let mut sides = Vec::with_capacity(sources.len());
    for (role, source) in sources {
        let ctx = Context { run: dir.run(role), ..ctx.again() };
        check_same_pool(&ctx, &source, dir)?;
        let _lock = ctx.run.create()?;
        ctx.run.sweep()?;
        let of_role = score::Images { source: &source, categories: &opened.categories, seed: ask.seed };
        let mut spec = score::prepared(&ctx, devices, of_role, &ask.targets)?;
        // Once kept, they are kept: a further target must have them too.
        spec.mine.keep_scores = role != PoolRole::Ood && (ask.keep_logits || keeps(&ctx)?);
        if role == PoolRole::Pool {
            pools::check_targets(opened, &spec)?;
        }
        let images = score::pinned(&ctx, devices, &spec)?;
        sides.push(Side { role, source, ctx, spec, images });
    }
    Ok(sides)
}

/// The pool of an earlier call.
fn stored_source(dir: &EvaluationDir, role: PoolRole) -> Result<Option<BenchmarkSource>, EvaluateError> {
    let stored = dir.run(role).spec_if_any()?;
    Ok(stored.and_then(|spec| if let GenerateSpec::Benchmark(source) = spec.generate { Some(source) } else { None }))
}

/// Whether the run of an earlier call keeps the probabilities of all classes.
fn keeps(ctx: &Context) -> Result<bool, EvaluateError> {
    Ok(ctx.run.spec_if_any()?.is_some_and(|spec| spec.mine.keep_scores))
}

/// An error if the folder has an evaluation of other images.
fn check_same_pool(ctx: &Context, source: &BenchmarkSource, dir: &EvaluationDir) -> Result<(), EvaluateError> {
    let Some(stored) = ctx.run.spec_if_any()? else { return Ok(()) };
    let wanted = GenerateSpec::Benchmark(source.clone());
    if stored.generate.identity() == wanted.identity() {
        return Ok(());
    }
    let found = match &stored.generate {
        GenerateSpec::Benchmark(found) => found.name(),
        _ => "a run".to_owned(),
    };
    Err(EvaluateError::OtherPool { path: dir.path().display().to_string(), found, wanted: source.name() })
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
