//! report: the current mining as one page, `report/index.html`.
//!
//! Two passes: figures over all items, then thumbnails and predictions of the hard items that are shown.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;

use rayon::prelude::*;

use super::judge::{JudgedShard, judge_shard, predictions_of, read_mining};
use super::library::all_described;
use super::means::made_by;
use super::planned::Planned;
use super::report_groups::Groups;
use super::report_people::people;
use super::{Context, StageError, images};
use crate::config::class_names;
use crate::domain::{
    DropRow, EngineChoice, GenerateSpec, ImageRow, ItemId, Outcome, PlanRow, Prediction, RunSpec, SurrogateSpec,
};
use crate::imaging;
use crate::render::report as page;
use crate::stats::{Interval, Judged, Summary, VoteColumns, wilson};
use crate::store::write_whole;
use crate::table::{HardRow, dropped_table, images_table, predictions_table};

/// Longest side of a thumbnail: twice what is shown on an ordinary screen, for sharp ones.
const THUMBNAIL_PX: u32 = 256;
const THUMBNAIL_QUALITY: u8 = 72;
/// Rows of the table of shared confusions.
const CONFUSIONS: usize = 100;

/// Where the page is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportResult {
    /// The page.
    pub path: PathBuf,
    /// Hard items shown.
    pub shown: u64,
    /// Hard items left out because of the limit.
    pub left_out: u64,
}

/// Writes the page with at most `max_images` hard items, those with most failures first.
pub fn report(ctx: &Context, spec: &RunSpec, max_images: usize) -> Result<ReportResult, StageError> {
    let mut hard = read_mining(ctx, spec)?;
    let plan = Planned::open(ctx, spec)?;
    let figures = figures(ctx, spec, &plan)?;
    hard.sort_by_key(|row| (std::cmp::Reverse(row.n_failed), row.item_id));
    let left_out = hard.len().saturating_sub(max_images);
    hard.truncate(max_images);
    let cards = cards(ctx, spec, &hard, &plan)?;
    let shown = cards.len() as u64;
    let path = ctx.run.report();
    let people = people(ctx, spec, &plan)?;
    write_whole(&path, &page::render(&assemble(spec, figures, people, (cards, left_out as u64))))?;
    Ok(ReportResult { path, shown, left_out: left_out as u64 })
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
    /// By nuisance, and of targets.
    groups: Groups,
    /// Images that this mining lacks, and why: not those that only a target, or a surrogate without a vote, failed on.
    missing: usize,
    dropped: Vec<DropRow>,
}

fn figures(ctx: &Context, spec: &RunSpec, plan: &Planned) -> Result<Figures, StageError> {
    let select = &spec.mine.select;
    let mut figures = Figures {
        summary: Summary::new(select.surrogates.len(), select.rule),
        categories: BTreeMap::new(),
        confusions: BTreeMap::new(),
        engine: made_by(ctx, plan.ranges.len()),
        runtimes: select.surrogates.iter().map(|name| runtime(ctx, name, plan.ranges.len())).collect(),
        target_runtimes: spec.mine.targets.iter().map(|name| runtime(ctx, name, plan.ranges.len())).collect(),
        groups: Groups::new(spec),
        missing: 0,
        dropped: dropped_table::decode(&ctx.run.dropped())?,
    };
    let mut missing: HashSet<u32> = figures.dropped.iter().map(|row| row.item_id.0).collect();
    ctx.progress.start("report", plan.record.rows.kept);
    for (shard, range) in plan.ranges.iter().enumerate() {
        ctx.check_stop()?;
        let JudgedShard { votes, judged, .. } = judge_shard(ctx, select, shard)?;
        figures.summary.add(&votes, &judged);
        let rows = plan.rows(shard)?;
        figures.groups.add_nuisances(&votes, &judged, &rows);
        figures.groups.add_targets(ctx, spec, shard, &judged)?;
        for verdict in &judged {
            missing.remove(&verdict.item_id);
        }
        let categories = rows.into_iter().map(|row| (row.item_id.0, row.category)).collect();
        figures.count(&votes, &judged, &categories);
        ctx.progress.advance(range.len() as u64);
    }
    figures.missing = missing.len();
    figures.dropped.retain(|row| missing.contains(&row.item_id.0));
    ctx.progress.finish();
    Ok(figures)
}

impl Figures {
    fn count(&mut self, votes: &[VoteColumns], judged: &[Judged], categories: &HashMap<u32, String>) {
        for (at, verdict) in judged.iter().enumerate() {
            let Some(category) = categories.get(&verdict.item_id) else { continue };
            let (items, hard) = self.categories.entry(category.clone()).or_default();
            *items += 1;
            *hard += u64::from(verdict.hard);
            if let Some((class, 2..)) = verdict.agreed_wrong {
                let gave = |bit: &usize| verdict.failed >> bit & 1 == 1 && votes[*bit].top1_id[at] == class;
                let bits = (0..votes.len()).filter(gave).fold(0_u64, |bits, bit| bits | 1 << bit);
                let (items, surrogates) = self.confusions.entry((category.clone(), class)).or_default();
                *items += 1;
                *surrogates |= bits;
            }
        }
    }
}

fn runtime(ctx: &Context, name: &str, shards: usize) -> String {
    let records: Vec<_> = (0..shards).filter_map(|shard| ctx.run.predictions(name, shard).record()).collect();
    all_described(&records)
}

fn assemble(
    spec: &RunSpec,
    figures: Figures,
    people: Option<page::People>,
    (cards, cards_left_out): (Vec<page::Card>, u64),
) -> page::Report {
    let names = spec.mine.select.surrogates.clone();
    let summary = &figures.summary;
    let needed = spec.mine.select.rule.needed(names.len());
    page::Report {
        title: spec.name.clone(),
        people,
        facts: facts(spec, figures.engine),
        pool_items: summary.items(),
        hard_items: summary.hard(),
        dropped_items: figures.missing as u64,
        near_ties: summary.near_ties(),
        surrogates: surrogate_rows(spec, &figures),
        targets: figures.groups.target_rows(spec, &figures.target_runtimes),
        nuisances: figures.groups.nuisance_rows(names.len()),
        failures_histogram: summary.histogram().to_vec(),
        hard_from_failures: Some(needed),
        agreement: page::Agreement {
            names: names.clone(),
            kappa: summary.kappa(),
            both_wrong_same_class: summary.same_wrong(),
        },
        leave_one_out: leave_one_out(&names, summary),
        confusions: confusions(spec, &figures, &names),
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

fn facts(spec: &RunSpec, engine: Option<EngineChoice>) -> Vec<(String, String)> {
    let select = &spec.mine.select;
    let source = match &spec.generate {
        // The folder's name alone: the page may be shown to people whom the rest of the path does not concern.
        GenerateSpec::Folder(folder) => format!("folder {}", folder.root.file_name().unwrap_or_default().display()),
        GenerateSpec::Diffusion(source) => {
            let grid = source.prompts.nuisances.iter().map(|set| set.kind.as_str()).collect::<Vec<_>>().join(", ");
            let engine = engine.map_or_else(String::new, |engine| format!(", on {}", engine.name()));
            format!("diffusion model {}, {} steps{engine}, over {grid}", source.model.short_name(), source.steps)
        }
        GenerateSpec::Fake(_) => "noise (fake)".to_owned(),
    };
    let facts = [
        ("Source", source),
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
    facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn bound(value: f64, none: f64) -> String {
    if value == none { "none".to_owned() } else { format!("at most {value}") }
}

fn surrogate_rows(spec: &RunSpec, figures: &Figures) -> Vec<page::SurrogateRow> {
    let (items, hard) = (figures.summary.items(), figures.summary.hard());
    let row = |(bit, surrogate): (usize, &SurrogateSpec)| {
        let (correct, correct_on_hard) = figures.summary.correct(bit);
        page::SurrogateRow {
            name: surrogate.name.clone(),
            weights_sha256: weights(surrogate),
            accuracy: interval(wilson(correct, items)),
            items,
            correct,
            correct_on_hard,
            hard_items: hard,
            runtime: figures.runtimes[bit].clone(),
        }
    };
    spec.voters().into_iter().enumerate().map(row).collect()
}

/// The hash of a surrogate's weights, as text.
pub(super) fn weights(surrogate: &SurrogateSpec) -> String {
    surrogate.weights_sha256().map_or_else(|| "none (fake)".to_owned(), |hash| hash.to_string())
}

/// Without any item there is no proportion; the page shows a dash for NaN.
pub(super) fn interval(interval: Option<Interval>) -> Interval {
    interval.unwrap_or(Interval { value: f64::NAN, low: f64::NAN, high: f64::NAN })
}

fn leave_one_out(names: &[String], summary: &Summary) -> Vec<page::LeaveOneOut> {
    if names.len() < 2 {
        return Vec::new();
    }
    let row = |(bit, name): (usize, &String)| {
        let left = summary.left_out(bit);
        page::LeaveOneOut {
            left_out: name.clone(),
            mined_by_others: left.mined_by_others,
            accuracy_on_them: left.on_mined.map(|i| interval(Some(i))),
            accuracy_on_pool: interval(wilson(summary.correct(bit).0, summary.items())),
        }
    };
    names.iter().enumerate().map(row).collect()
}

fn confusions(spec: &RunSpec, figures: &Figures, names: &[String]) -> Vec<page::Confusion> {
    let mut rows: Vec<page::Confusion> = (figures.confusions.iter())
        .map(|((category, class), &(items, bits))| page::Confusion {
            label: category_name(spec, category),
            predicted: class_name(*class),
            items,
            surrogates: names
                .iter()
                .enumerate()
                .filter(|(bit, _)| bits >> bit & 1 == 1)
                .map(|(_, name)| name.clone())
                .collect(),
        })
        .collect();
    rows.sort_by_key(|row| (std::cmp::Reverse(row.items), std::cmp::Reverse(row.surrogates.len())));
    rows.truncate(CONFUSIONS);
    rows
}

pub(super) fn category_name(spec: &RunSpec, id: &str) -> String {
    spec.categories.by_id(id).map_or_else(|| id.to_owned(), |category| category.name.clone())
}

fn class_name(class: i32) -> String {
    usize::try_from(class).ok().and_then(|class| class_names().get(class).copied()).unwrap_or("none").to_owned()
}

fn cards(ctx: &Context, spec: &RunSpec, hard: &[HardRow], plan: &Planned) -> Result<Vec<page::Card>, StageError> {
    let hard: BTreeMap<ItemId, &HardRow> = hard.iter().map(|row| (row.item_id, row)).collect();
    let pool = ctx.pool()?;
    let mut cards = Vec::with_capacity(hard.len());
    ctx.progress.start("thumbnails", hard.len() as u64);
    for shard in 0..plan.ranges.len() {
        if cards.len() == hard.len() {
            break;
        }
        ctx.check_stop()?;
        let mut images = images_table::decode(&ctx.run.images(shard).file("parquet"))?;
        images.retain(|image| hard.contains_key(&image.item_id));
        if images.is_empty() {
            continue;
        }
        let predictions = predictions(ctx, spec, shard, &hard)?;
        let rows: HashMap<ItemId, PlanRow> = plan.rows(shard)?.into_iter().map(|row| (row.item_id, row)).collect();
        let card = |image: &ImageRow| {
            let made_from = rows.get(&image.item_id).and_then(made_from);
            card(ctx, spec, (image, made_from), hard[&image.item_id], &predictions)
        };
        let made: Vec<page::Card> = pool.install(|| images.par_iter().map(card).collect());
        ctx.progress.advance(made.len() as u64);
        cards.extend(made);
    }
    ctx.progress.finish();
    Ok(cards)
}

type Predictions = HashMap<ItemId, Vec<(String, Prediction)>>;

fn predictions(
    ctx: &Context,
    spec: &RunSpec,
    shard: usize,
    here: &BTreeMap<ItemId, &HardRow>,
) -> Result<Predictions, StageError> {
    let mut predictions = Predictions::new();
    for name in spec.scored().into_iter().map(|surrogate| &surrogate.name) {
        let rows = predictions_table::decode(&predictions_of(ctx, name, shard)?)?;
        for row in rows.into_iter().filter(|row| here.contains_key(&row.item_id)) {
            predictions.entry(row.item_id).or_default().push((name.clone(), row));
        }
    }
    Ok(predictions)
}

/// What a made image was asked to be.
fn made_from(row: &PlanRow) -> Option<page::MadeFrom> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    (row.nuisance.is_some() || row.prompt.is_some()).then(|| page::MadeFrom {
        kind: text(&row.nuisance_kind),
        value: text(&row.nuisance),
        prompt: text(&row.prompt),
    })
}

fn card(
    ctx: &Context,
    spec: &RunSpec,
    (image, made_from): (&ImageRow, Option<page::MadeFrom>),
    hard: &HardRow,
    predictions: &Predictions,
) -> page::Card {
    let agreed_wrong = hard.agreed_wrong.map(|(class, count)| (class_name(class), count));
    let said = predictions.get(&image.item_id).into_iter().flatten();
    let (targets, surrogates): (Vec<_>, Vec<_>) = said.partition(|(name, _)| spec.mine.targets.contains(name));
    let verdicts = |said: Vec<&(String, Prediction)>| {
        said.into_iter().map(|(name, prediction)| verdict(spec, name, prediction)).collect()
    };
    page::Card {
        item_id: image.item_id.to_string(),
        file: image.path.clone(),
        label: category_name(spec, &hard.category),
        category: category_name(spec, &hard.category),
        thumbnail_jpeg: thumbnail_of(ctx, spec, image),
        width_px: image.width_px,
        height_px: image.height_px,
        made_from,
        verdicts: verdicts(surrogates),
        targets: verdicts(targets),
        n_failed: hard.n_failed,
        agreed_wrong,
        near_tie: hard.near_tie,
        suspect_label: hard.agreed_wrong.is_some_and(|(_, count)| suspect(count, hard.n_failed)),
    }
}

/// Whether the label itself is in doubt: two failing surrogates or more, three quarters of them at least, give one
/// wrong
/// class. On the real photographs this finds the cougar filed under "jaguar" (4 of 5) and leaves hard images alone.
fn suspect(agreeing: u32, failing: u32) -> bool {
    agreeing >= 2 && 4 * agreeing >= 3 * failing
}

/// An image that has changed or gone since it was mined has no thumbnail; the page shows a placeholder.
pub(super) fn thumbnail_of(ctx: &Context, spec: &RunSpec, image: &ImageRow) -> Vec<u8> {
    match images::read(&ctx.run, spec, image) {
        Outcome::Kept(picture) => {
            imaging::encode_jpeg(&imaging::thumbnail(&picture, THUMBNAIL_PX), THUMBNAIL_QUALITY).unwrap_or_default()
        }
        Outcome::Dropped(_) | Outcome::Failed(_) => Vec::new(),
    }
}

fn verdict(spec: &RunSpec, name: &str, prediction: &Prediction) -> page::Verdict {
    let masked = spec.mine.select.label_space == crate::domain::LabelSpace::Masked;
    let said = if masked { prediction.masked } else { prediction.any };
    page::Verdict {
        surrogate: name.to_owned(),
        predicted: class_name(said.top1_id),
        prob: said.top1_prob,
        true_prob: said.true_prob,
        true_rank: prediction.true_rank,
        correct: said.correct,
    }
}
