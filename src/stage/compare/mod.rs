//! compare: where two targets of an evaluation differ, image by image, as figures and as a page with pictures.
//!
//! Reads the evaluation's tables; scores nothing. Holds always: the figures are those of the evaluation; an image that
//! cannot be shown any more is listed without a picture.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use crate::domain::{ComparisonRow, EvaluationRecord, LabelSpace, PoolRole};
use crate::pool::Pool;
use crate::render::evaluation::{ComparePage, Flip, KindRow, compare_page};
use crate::stage::evaluate::{EvaluateError, Inputs, Names, columns_of, load, pictures, place, tested};
use crate::store::{EvaluationDir, write_if_changed};
use crate::work::Context;

/// What is to be compared.
pub struct Ask {
    /// The evaluation.
    pub evaluation: PathBuf,
    /// The first target.
    pub a: String,
    /// The second.
    pub b: String,
    /// The label space; `None`: the one that orders the leaderboard.
    pub space: Option<LabelSpace>,
    /// The margin of equivalence; `None`: that of the evaluation.
    pub margin: Option<f64>,
    /// Where the page goes.
    pub out: Option<PathBuf>,
    /// Images on each side of the page, at most.
    pub max_images: usize,
}

/// Two targets compared.
pub struct Compared {
    /// The page.
    pub path: PathBuf,
    /// Both in one row.
    pub row: ComparisonRow,
    /// By kind of nuisance.
    pub kinds: Vec<KindRow>,
    /// The margin.
    pub margin: f64,
    /// Images that only the first has right.
    pub only_a: Vec<String>,
    /// Images that only the second has right.
    pub only_b: Vec<String>,
}

/// Compares two targets.
pub fn compare(ctx: &Context, ask: &Ask) -> Result<Compared, EvaluateError> {
    let dir = EvaluationDir::at(&ask.evaluation);
    let record = dir.record()?;
    let (a, b) = (place(&record, "compare", &ask.a)?, place(&record, "compare", &ask.b)?);
    if a == b {
        return Err(EvaluateError::SameTarget { name: ask.a.clone() });
    }
    let space = ask.space.or(record.label_spaces.first().copied()).unwrap_or(LabelSpace::AnyOfIds);
    let inputs = load(&dir, &record)?;
    let (of_a, of_b) = (columns_of(&inputs.pool.targets[a], space), columns_of(&inputs.pool.targets[b], space));
    let pair =
        EvaluationRecord { targets: vec![record.targets[a].clone(), record.targets[b].clone()], ..record.clone() };
    let right = [of_a.correct.clone(), of_b.correct.clone()];
    let mut rows = tested(&pair, &right, space, Some(&inputs.pool.images)).rows;
    let Some(row) = rows.pop() else {
        return Err(EvaluateError::SameTarget { name: ask.a.clone() });
    };
    let kinds = kinds(&inputs, &right);
    let only = |first: &[bool], second: &[bool]| -> Vec<usize> {
        (0..first.len()).filter(|&at| first[at] && !second[at]).collect()
    };
    let (only_a, only_b) = (only(&right[0], &right[1]), only(&right[1], &right[0]));
    let margin = ask.margin.unwrap_or(record.margin);
    let shown: Vec<usize> =
        only_a.iter().take(ask.max_images).chain(only_b.iter().take(ask.max_images)).copied().collect();
    let pictures = shown_pictures(ctx, &dir, &inputs, &shown)?;
    let names = Names::of(&dir)?;
    let flip = |&at: &usize| Flip {
        path: inputs.pool.images.path[at].clone(),
        category: names.category(&inputs.pool.images.category[at]),
        kind: inputs.pool.images.kind[at].clone(),
        nuisance: inputs.pool.images.nuisance[at].clone(),
        said_by_a: names.class(&record.targets[a], of_a.top1_id[at]),
        prob_a: of_a.top1_prob[at],
        said_by_b: names.class(&record.targets[b], of_b.top1_id[at]),
        prob_b: of_b.top1_prob[at],
        thumbnail_jpeg: pictures.get(&at).cloned().unwrap_or_default(),
    };
    let flips = |places: &[usize]| places.iter().take(ask.max_images).map(flip).collect::<Vec<Flip>>();
    let page = ComparePage {
        record: &record,
        row: &row,
        kinds: &kinds,
        margin,
        only_a: flips(&only_a),
        only_b: flips(&only_b),
    };
    let default = format!("compare/{}--{}.{space}.html", ask.a, ask.b);
    let path = ask.out.clone().unwrap_or_else(|| dir.document(&default));
    write_if_changed(&path, &compare_page(&page))?;
    let paths = |places: &[usize]| places.iter().map(|&at| inputs.pool.images.path[at].clone()).collect::<Vec<_>>();
    Ok(Compared { path, kinds, margin, only_a: paths(&only_a), only_b: paths(&only_b), row })
}

/// Counts by kind of nuisance; none if no image has one.
fn kinds(inputs: &Inputs, right: &[Vec<bool>; 2]) -> Vec<KindRow> {
    let mut rows: BTreeMap<&str, KindRow> = BTreeMap::new();
    for (at, kind) in inputs.pool.images.kind.iter().enumerate() {
        let Some(kind) = kind else { continue };
        let row = rows.entry(kind).or_insert_with(|| KindRow { kind: kind.clone(), ..KindRow::default() });
        let (a, b) = (right[0][at], right[1][at]);
        row.images += 1;
        row.right_a += u64::from(a);
        row.right_b += u64::from(b);
        row.only_a += u64::from(a && !b);
        row.only_b += u64::from(b && !a);
    }
    rows.into_values().collect()
}

/// Thumbnails of the images at these places.
fn shown_pictures(
    ctx: &Context,
    dir: &EvaluationDir,
    inputs: &Inputs,
    places: &[usize],
) -> Result<HashMap<usize, Vec<u8>>, EvaluateError> {
    let ctx = Context { run: dir.run(PoolRole::Pool), ..ctx.again() };
    let Some(spec) = ctx.run.spec_if_any()? else { return Ok(HashMap::new()) };
    let pool = Pool::open(&ctx, &spec)?;
    pictures(&pool, inputs, places)
}
