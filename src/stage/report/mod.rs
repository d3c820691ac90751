//! report: the current mining as one page, `report/index.html`.
//!
//! Two passes: figures over all items, then thumbnails and predictions of the hard items that are shown. Does not lay
//! out anything: `render::report` does. Holds always: memory does not grow with the pool, because only figures are kept
//! of items that are not shown.

mod error;
mod groups;
mod people;
mod words;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::plan::passed_over;
use super::prepare::{all_described, made_by};
use crate::domain::{
    DropRow, EngineChoice, HardRow, ImageRow, ItemId, LabelSpace, PassedOver, PlanRow, Prediction, RunSpec,
};
use crate::pool::{JudgedShard, Pool, PoolError, ScorerWarning};
use crate::render::report as page;
use crate::source::source;
use crate::stats::{ItemResult, Summary, SurrogateVotes, wilson};
use crate::store::{StoreError, write_whole};
use crate::work::Context;
use groups::Groups;
use people::people;
use words::{category_name, interval, space_words, weights};

pub use error::ReportError;

/// Shards in memory at a time, for each thread.
const WAVE: usize = 4;
/// Rows of the table of shared confusions.
const CONFUSIONS: usize = 100;

/// The written page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportResult {
    /// The page.
    pub path: PathBuf,
    /// Hard items shown.
    pub shown: u64,
    /// Hard items left out because of the limit.
    pub left_out: u64,
    /// Of those shown, items whose images cannot be read any more.
    pub without_image: u64,
}

/// Writes the page to `path`, with at most `max_images` hard items, those with most failures first.
pub fn report(pool: &Pool, max_images: usize, path: &Path) -> Result<ReportResult, ReportError> {
    let shown = shown(pool, max_images)?;
    let left_out = (pool.hard()?.len() - shown.len()) as u64;
    let figures = figures(pool)?;
    let cards = cards(pool, &shown)?;
    let without_image = cards.iter().filter(|card| card.thumbnail_jpeg.is_empty()).count() as u64;
    let result =
        ReportResult { path: pool.ctx().run.address(path), shown: cards.len() as u64, left_out, without_image };
    let people = people(pool)?;
    write_whole(path, &page::render(&assemble(pool, figures, people, cards, left_out)))?;
    pool.ctx().run.send(path)?;
    Ok(result)
}

/// Tells the pool which items the page will show, so that whoever decodes their pictures before also makes the
/// thumbnails.
pub fn want_thumbnails(pool: &Pool, max_images: usize) -> Result<(), ReportError> {
    pool.want_thumbnails(shown(pool, max_images)?.iter().map(|row| row.item_id).collect());
    Ok(())
}

/// The hard items on the page: those with most failures.
fn shown<'a>(pool: &'a Pool, max_images: usize) -> Result<Vec<&'a HardRow>, ReportError> {
    let mut shown: Vec<&HardRow> = pool.hard()?.iter().collect();
    shown.sort_by_key(|row| (std::cmp::Reverse(row.n_failed), row.item_id));
    shown.truncate(max_images);
    Ok(shown)
}

/// The figures of the first pass.
struct Figures {
    summary: Summary,
    /// Items and hard items by category.
    categories: BTreeMap<String, (u64, u64)>,
    /// Items and bits of surrogates by (category, wrong class that several gave).
    confusions: BTreeMap<(String, i32), (u64, u64)>,
    /// What made the images, if a model did.
    engine: Option<EngineChoice>,
    /// Runtime of each surrogate.
    runtimes: Vec<String>,
    /// Runtime of each target.
    target_runtimes: Vec<String>,
    /// What is noticed of the scorers.
    warnings: Vec<String>,
    /// By nuisance, and of targets.
    groups: Groups,
    /// Images that this mining lacks, with reasons; not images on which only a target or an unselected surrogate
    /// failed.
    missing: usize,
    dropped: Vec<DropRow>,
    /// Files of the source that are no images by their names.
    passed_over: PassedOver,
}

fn figures(pool: &Pool) -> Result<Figures, ReportError> {
    let (ctx, spec) = (pool.ctx(), pool.spec());
    let select = &spec.mine.select;
    let mut figures = Figures {
        summary: Summary::new(select.surrogates.len(), select.rule),
        categories: BTreeMap::new(),
        confusions: BTreeMap::new(),
        engine: made_by(ctx, pool.shards())?,
        runtimes: runtimes(ctx, &select.surrogates, pool.shards())?,
        target_runtimes: runtimes(ctx, &spec.mine.targets, pool.shards())?,
        warnings: ScorerWarning::of_run(&ctx.run, spec, pool.shards())?.iter().map(ToString::to_string).collect(),
        groups: Groups::new(spec),
        missing: 0,
        dropped: pool.dropped()?,
        passed_over: passed_over(Some(&pool.plan().record)),
    };
    let mut missing: HashSet<u32> = figures.dropped.iter().map(|row| row.item_id.0).collect();
    ctx.progress.start("report", pool.plan().record.rows.kept);
    let threads = ctx.thread_pool()?;
    let shards: Vec<usize> = (0..pool.shards()).collect();
    for wave in shards.chunks(WAVE * ctx.threads) {
        ctx.check_stop()?;
        let read = |&shard: &usize| Ok::<_, PoolError>((pool.judge(shard)?, pool.items(shard)?));
        let read: Vec<(JudgedShard, Vec<PlanRow>)> =
            threads.install(|| wave.par_iter().with_max_len(1).map(read).collect::<Result<_, _>>())?;
        for (&shard, (JudgedShard { votes, judged, .. }, rows)) in wave.iter().zip(read) {
            figures.summary.add(&votes, &judged);
            figures.groups.add_nuisances(&votes, &judged, &rows);
            figures.groups.add_targets(pool, shard, &judged)?;
            for item in &judged {
                missing.remove(&item.item_id);
            }
            ctx.progress.advance(rows.len() as u64);
            let categories = rows.into_iter().map(|row| (row.item_id.0, row.category)).collect();
            figures.count(&votes, &judged, &categories);
        }
    }
    figures.missing = missing.len();
    figures.dropped.retain(|row| missing.contains(&row.item_id.0));
    ctx.progress.finish();
    Ok(figures)
}

impl Figures {
    fn count(&mut self, votes: &[SurrogateVotes], judged: &[ItemResult], categories: &HashMap<u32, String>) {
        for (at, item) in judged.iter().enumerate() {
            let Some(category) = categories.get(&item.item_id) else { continue };
            let (items, hard) = self.categories.entry(category.clone()).or_default();
            *items += 1;
            *hard += u64::from(item.hard);
            if let Some((class, 2..)) = item.agreed_wrong {
                let gave = |bit: &usize| item.failed >> bit & 1 == 1 && votes[*bit].top1_id[at] == class;
                let bits = (0..votes.len()).filter(gave).fold(0_u64, |bits, bit| bits | 1 << bit);
                let (items, surrogates) = self.confusions.entry((category.clone(), class)).or_default();
                *items += 1;
                *surrogates |= bits;
            }
        }
    }
}

/// What made the predictions of each scorer.
fn runtimes(ctx: &Context, names: &[String], shards: usize) -> Result<Vec<String>, StoreError> {
    let mut runtimes = Vec::with_capacity(names.len());
    for name in names {
        let mut records = Vec::with_capacity(shards);
        for shard in 0..shards {
            records.extend(ctx.run.predictions(name, shard).record()?);
        }
        runtimes.push(all_described(&records));
    }
    Ok(runtimes)
}

fn assemble(
    pool: &Pool,
    figures: Figures,
    people: Option<page::People>,
    cards: Vec<page::Card>,
    cards_left_out: u64,
) -> page::Report {
    let spec = pool.spec();
    let names = spec.mine.select.surrogates.clone();
    let summary = &figures.summary;
    let needed = spec.mine.select.rule.needed(names.len());
    page::Report {
        title: spec.name.clone(),
        people,
        facts: facts(spec, figures.engine, &figures.passed_over),
        pool_items: summary.items(),
        warnings: figures.warnings.clone(),
        hard_items: summary.hard(),
        dropped_items: figures.missing as u64,
        near_ties: summary.near_ties(),
        surrogates: surrogate_rows(pool, &figures),
        targets: figures.groups.target_rows(pool, &figures.target_runtimes),
        nuisances: figures.groups.nuisance_rows(names.len()),
        failures_histogram: summary.histogram().to_vec(),
        hard_from_failures: Some(needed),
        agreement: page::Agreement {
            names: names.clone(),
            kappa: summary.kappa(),
            both_wrong_same_class: summary.same_wrong(),
        },
        leave_one_out: leave_one_out(&names, summary),
        confusions: confusions(pool, &figures, &names),
        categories: (figures.categories.iter())
            .map(|(id, &(items, hard))| page::CategoryRow { name: category_name(spec, id), items, hard })
            .collect(),
        dropped: (figures.dropped.into_iter())
            .map(|row| page::DroppedItem { what: row.source, stage: row.stage.to_string(), reason: row.reason })
            .collect(),
        cards,
        cards_left_out,
    }
}

fn facts(spec: &RunSpec, engine: Option<EngineChoice>, passed_over: &PassedOver) -> Vec<(String, String)> {
    let select = &spec.mine.select;
    let other_files = (!passed_over.is_empty()).then(|| ("Passed over", passed_over.count_words()));
    let facts = [
        ("Categories", format!("{} ({})", spec.categories.name, spec.categories.entries.len())),
        ("Rule", format!("{} of {} fail", select.rule, select.surrogates.len())),
        ("Label space", select.label_space.to_string()),
        ("Bound on true probability", bound(select.max_true_prob, 1.0)),
        ("Bound on margin", bound(select.max_margin, 0.0)),
        ("Near tie", format!("|margin| < {}", select.near_tie)),
        ("Mining", spec.mining_id()),
        ("Seed", spec.seed.to_string()),
        ("Made by", spec.tool.clone()),
    ];
    let source = ("Source", source(&spec.generate).words(engine));
    let facts = [source].into_iter().chain(other_files).chain(facts);
    facts.map(|(name, value)| (name.to_owned(), value)).collect()
}

fn bound(value: f64, none: f64) -> String {
    if value == none { "none".to_owned() } else { format!("at most {value}") }
}

fn surrogate_rows(pool: &Pool, figures: &Figures) -> Vec<page::SurrogateRow> {
    let (items, hard) = (figures.summary.items(), figures.summary.hard());
    let mut rows = Vec::new();
    for (bit, surrogate) in pool.spec().voters().into_iter().enumerate() {
        let (correct, correct_on_hard) = figures.summary.correct(bit);
        rows.push(page::SurrogateRow {
            name: surrogate.name.clone(),
            weights_sha256: weights(surrogate),
            space: space_words(pool, &surrogate.name),
            accuracy: interval(wilson(correct, items)),
            items,
            correct,
            correct_on_hard,
            hard_items: hard,
            runtime: figures.runtimes[bit].clone(),
        });
    }
    rows
}

fn leave_one_out(names: &[String], summary: &Summary) -> Vec<page::LeaveOneOut> {
    if names.len() < 2 {
        return Vec::new();
    }
    let mut rows = Vec::with_capacity(names.len());
    for (bit, name) in names.iter().enumerate() {
        let left = summary.left_out(bit);
        rows.push(page::LeaveOneOut {
            left_out: name.clone(),
            mined_by_others: left.mined_by_others,
            accuracy_on_them: left.on_mined.map(|found| interval(Some(found))),
            accuracy_on_pool: interval(wilson(summary.correct(bit).0, summary.items())),
        });
    }
    rows
}

fn confusions(pool: &Pool, figures: &Figures, names: &[String]) -> Vec<page::Confusion> {
    let spec = pool.spec();
    let mut rows = Vec::with_capacity(figures.confusions.len());
    for ((category, class), &(items, bits)) in &figures.confusions {
        let gave_it = names.iter().enumerate().filter(|(bit, _)| bits >> bit & 1 == 1);
        rows.push(page::Confusion {
            label: category_name(spec, category),
            predicted: pool.classes().agreed_name(spec, *class),
            items,
            surrogates: gave_it.map(|(_, name)| name.clone()).collect(),
        });
    }
    rows.sort_by_key(|row| (std::cmp::Reverse(row.items), std::cmp::Reverse(row.surrogates.len())));
    rows.truncate(CONFUSIONS);
    rows
}

fn cards(pool: &Pool, hard: &[&HardRow]) -> Result<Vec<page::Card>, ReportError> {
    let hard: BTreeMap<ItemId, &HardRow> = hard.iter().map(|row| (row.item_id, *row)).collect();
    let ctx = pool.ctx();
    let threads = ctx.thread_pool()?;
    let mut cards = Vec::with_capacity(hard.len());
    ctx.progress.start("thumbnails", hard.len() as u64);
    for shard in 0..pool.shards() {
        if cards.len() == hard.len() {
            break;
        }
        ctx.check_stop()?;
        let images = pool.image_rows(shard)?;
        let images: Vec<&ImageRow> = images.iter().filter(|image| hard.contains_key(&image.item_id)).collect();
        if images.is_empty() {
            continue;
        }
        let predictions = predictions(pool, shard, &hard)?;
        let rows: HashMap<ItemId, PlanRow> = pool.items(shard)?.into_iter().map(|row| (row.item_id, row)).collect();
        let card = |image: &&ImageRow| card(pool, image, hard[&image.item_id], rows.get(&image.item_id), &predictions);
        let made: Vec<page::Card> = threads.install(|| images.par_iter().map(card).collect());
        ctx.progress.advance(made.len() as u64);
        cards.extend(made);
    }
    ctx.progress.finish();
    Ok(cards)
}

/// What each scorer predicted, by item.
type Predictions = HashMap<ItemId, Vec<(String, Prediction)>>;

fn predictions(pool: &Pool, shard: usize, here: &BTreeMap<ItemId, &HardRow>) -> Result<Predictions, ReportError> {
    let mut predictions = Predictions::new();
    for scorer in pool.spec().scored() {
        for row in pool.predictions(&scorer.name, shard)? {
            if here.contains_key(&row.item_id) {
                predictions.entry(row.item_id).or_default().push((scorer.name.clone(), row));
            }
        }
    }
    Ok(predictions)
}

fn card(
    pool: &Pool,
    image: &ImageRow,
    hard: &HardRow,
    planned: Option<&PlanRow>,
    predictions: &Predictions,
) -> page::Card {
    let spec = pool.spec();
    let (mut targets, mut surrogates) = (Vec::new(), Vec::new());
    for (name, prediction) in predictions.get(&image.item_id).into_iter().flatten() {
        let of_kind = if spec.mine.targets.contains(name) { &mut targets } else { &mut surrogates };
        of_kind.push(model_prediction(pool, name, prediction));
    }
    page::Card {
        item_id: image.item_id.to_string(),
        file: image.path.clone(),
        label: category_name(spec, &hard.category),
        category: category_name(spec, &hard.category),
        thumbnail_jpeg: pool.thumbnail(image),
        width_px: image.width_px,
        height_px: image.height_px,
        made_from: planned.and_then(made_from),
        predictions: surrogates,
        targets,
        n_failed: hard.n_failed,
        agreed_wrong: (hard.agreed_wrong).map(|(class, count)| (pool.classes().agreed_name(spec, class), count)),
        near_tie: hard.near_tie,
        suspect_label: hard.agreed_wrong.is_some_and(|(_, count)| suspect(count, hard.n_failed)),
    }
}

/// The nuisance and the prompt of a made image.
fn made_from(row: &PlanRow) -> Option<page::MadeFrom> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    (row.nuisance.is_some() || row.prompt.is_some()).then(|| page::MadeFrom {
        kind: text(&row.nuisance_kind),
        value: text(&row.nuisance),
        prompt: text(&row.prompt),
    })
}

/// Whether the label itself is in doubt: two failing surrogates or more, three quarters of them at least, give one
/// wrong class. On the real photographs this finds the cougar filed under "jaguar" (4 of 5) and leaves hard images
/// alone.
fn suspect(agreeing: u32, failing: u32) -> bool {
    agreeing >= 2 && 4 * agreeing >= 3 * failing
}

fn model_prediction(pool: &Pool, name: &str, prediction: &Prediction) -> page::ModelPrediction {
    let masked = pool.spec().mine.select.label_space == LabelSpace::Masked;
    let said = if masked { prediction.masked } else { prediction.any };
    page::ModelPrediction {
        surrogate: name.to_owned(),
        predicted: pool.space(name).map_or("none", |space| space.class_name(said.top1_id)).to_owned(),
        prob: said.top1_prob,
        true_prob: said.true_prob,
        true_rank: prediction.true_rank,
        correct: said.correct,
    }
}
