//! `hardset mine`: scores and selects again, by another rule or other surrogates.
//!
//! Does not score or select: `stage::mine` does. Holds always: what an option leaves out is taken from the last mining,
//! because people change one thing at a time.

use std::path::Path;

use serde_json::json;

use super::args::MineArgs;
use super::error::Error;
use super::output::Output;
use super::session::Session;
use crate::config::SurrogateDef;
use crate::domain::{Device, MineSpec, MinedCounts, RunSpec, SelectSpec};
use crate::pool::{Pool, ScorerWarning};
use crate::render::numbers::share;
use crate::stage::generate::generate;
use crate::stage::job::refuse_while_at_work;
use crate::stage::mine::{Mining, Scored, Selected, mine, score, score_on};
use crate::stage::prepare::{self, PrepareError, Scorers};
use crate::store::Check;
use crate::work::{Context, Part, processes};

pub fn run(session: &Session, args: &MineArgs) -> Result<Output, Error> {
    let ctx = session.context(&args.run)?;
    if let Some(part) = args.part {
        return score_part(&ctx, part);
    }
    let _lock = Session::for_writing(&ctx)?;
    refuse_while_at_work(&ctx.run)?;
    let stored = ctx.run.spec()?;
    let spec = changed(&ctx, &stored, args)?;
    let can_vote = spec.mine.surrogates.iter().filter(|scorer| !spec.mine.targets.contains(&scorer.name)).count();
    let kept = Kept { args, select: &spec.mine.select, can_vote };
    if let Some(text) = kept.text() {
        ctx.progress.note(&text);
    }
    prepare(session, &ctx, &spec)?;
    // Sizes and keys only, because mining ten million predictions again must not read all of them; `verify` does.
    let images = generate(&ctx, &spec, Check::Sizes, Part::WHOLE)?;
    let pool = Pool::open(&ctx, &spec)?;
    score_on(&pool, session.devices(), &images.records)?;
    let mining = mine(&pool, &images, Check::Sizes)?;
    let mut output = output(&args.run, &mining);
    output.json["kept"] = kept.json();
    output.text += &format!("\nthe page shows it after `hardset report {}`", args.run.display());
    Ok(output)
}

/// What this mining has from the last one, because no option says otherwise.
struct Kept<'a> {
    args: &'a MineArgs,
    select: &'a SelectSpec,
    /// Surrogates of the run; targets never vote.
    can_vote: usize,
}

impl Kept<'_> {
    fn text(&self) -> Option<String> {
        let Self { args, select, can_vote } = *self;
        let mut kept = Vec::new();
        if args.surrogates.is_none() {
            let names = select.surrogates.join(",");
            kept.push(format!("--surrogates {names} ({} of the {can_vote} of this run)", select.surrogates.len()));
        }
        if args.rule.is_none() {
            kept.push(format!("--rule {}", select.rule));
        }
        if args.label_space.is_none() {
            kept.push(format!("--label-space {}", select.label_space));
        }
        // A bound that bounds nothing needs no mention.
        if args.max_true_prob.is_none() && select.max_true_prob < 1.0 {
            kept.push(format!("--max-true-prob {}", select.max_true_prob));
        }
        if args.max_margin.is_none() && select.max_margin < 0.0 {
            kept.push(format!("--max-margin {}", select.max_margin));
        }
        (!kept.is_empty()).then(|| format!("as in the last mining: {}", kept.join(", ")))
    }

    fn json(&self) -> serde_json::Value {
        let Self { args, select, .. } = *self;
        let mut kept = serde_json::Map::new();
        let mut note = |name: &str, given: bool, value: serde_json::Value| {
            if !given {
                kept.insert(name.to_owned(), value);
            }
        };
        note("surrogates", args.surrogates.is_some(), json!(select.surrogates));
        note("rule", args.rule.is_some(), json!(select.rule.to_string()));
        note("label_space", args.label_space.is_some(), json!(select.label_space.to_string()));
        note("max_true_prob", args.max_true_prob.is_some(), json!(select.max_true_prob));
        note("max_margin", args.max_margin.is_some(), json!(select.max_margin));
        note("near_tie", args.near_tie.is_some(), json!(select.near_tie));
        kept.into()
    }
}

/// Checks that each of the session's devices can be used.
pub fn prepare(session: &Session, ctx: &Context, spec: &RunSpec) -> Result<(), PrepareError> {
    let mut devices = session.devices().to_vec();
    // A GPU first, because it decides which library this process loads; a CPU can use any.
    devices.sort_by_key(|device| *device == Device::Cpu);
    devices.dedup();
    for device in devices {
        prepare::prepare(&Context { device, ..ctx.again() }, spec)?;
    }
    Ok(())
}

/// Makes one process's share of the predictions; the process that started this one holds the lock and selects.
fn score_part(ctx: &Context, part: Part) -> Result<Output, Error> {
    processes::end_with_the_parent();
    let spec = processes::given_spec()?;
    let scored = score(&Pool::open(ctx, &spec)?, &[], Check::Sizes, part)?;
    let fresh: u64 = scored.iter().map(|scored| scored.records.fresh_rows).sum();
    Ok(Output::new(format!("{fresh} processed in this call"), json!({ "fresh": fresh })))
}

/// The stored spec with the mining that the arguments ask for.
fn changed(ctx: &Context, stored: &RunSpec, args: &MineArgs) -> Result<RunSpec, Error> {
    let mut spec = stored.clone();
    let MineSpec { surrogates, spaces, .. } = &mut spec.mine;
    let mut scorers = Scorers { surrogates: std::mem::take(surrogates), spaces: std::mem::take(spaces) };
    for name in args.surrogates.iter().flatten() {
        if !scorers.surrogates.iter().any(|known| known.name == *name) {
            scorers.add(ctx, &SurrogateDef::load(name, Path::new("."))?, &stored.categories)?;
        }
    }
    (spec.mine.surrogates, spec.mine.spaces) = (scorers.surrogates, scorers.spaces);
    let old = &stored.mine.select;
    let stem =
        |name: &String| Path::new(name).file_stem().map_or(name.clone(), |stem| stem.to_string_lossy().into_owned());
    let known = |name: &String| spec.mine.surrogates.iter().any(|known| known.name == *name);
    let names: Vec<String> = match &args.surrogates {
        Some(names) => names.iter().map(|n| if known(n) { n.clone() } else { stem(n) }).collect(),
        None => old.surrogates.clone(),
    };
    spec.mine.select = SelectSpec {
        surrogates: names,
        rule: args.rule.unwrap_or(old.rule),
        label_space: args.label_space.unwrap_or(old.label_space),
        max_true_prob: args.max_true_prob.unwrap_or(old.max_true_prob),
        max_margin: args.max_margin.unwrap_or(old.max_margin),
        near_tie: args.near_tie.unwrap_or(old.near_tie),
    };
    spec.mine.select.check()?;
    Ok(spec)
}

/// Warnings as people read them.
pub fn texts(warnings: &[ScorerWarning]) -> Vec<String> {
    warnings.iter().map(ToString::to_string).collect()
}

/// What a surrogate or target has scored.
pub struct Line<'a> {
    /// Its name.
    pub name: &'a str,
    /// Whether it is a target.
    pub is_target: bool,
    /// Images that it has scored.
    pub scored: u64,
    /// How many of them in this call; `None` if this call scores nothing.
    pub fresh: Option<u64>,
}

/// The result as text and as JSON.
pub fn output(run: &Path, mining: &Mining) -> Output {
    let lines = mining.scored.iter().map(|Scored { surrogate, is_target, records }| {
        let scored = records.records.iter().map(|record| record.rows.kept).sum();
        // What was tried in this call and lost is not scored.
        Line { name: surrogate, is_target: *is_target, scored, fresh: Some(records.fresh_rows.min(scored)) }
    });
    selection(run, lines, &mining.selected, mining.dropped, &mining.warnings)
}

/// A selection as text and as JSON; `dropped`: rows of `dropped.parquet`.
pub fn selection<'a>(
    run: &Path,
    lines: impl Iterator<Item = Line<'a>>,
    selected: &Selected,
    dropped: u64,
    warnings: &[ScorerWarning],
) -> Output {
    let (mut text, mut scored_json) = (String::new(), Vec::new());
    for Line { name, is_target, scored, fresh } in lines {
        let mark = if is_target { " (a target: it does not vote)" } else { "" };
        let fresh_words = fresh.map_or_else(String::new, |fresh| format!(", {fresh} of them in this call"));
        text += &format!("{name}{mark}: {scored} images scored{fresh_words}\n");
        scored_json.push(json!({ "surrogate": name, "target": is_target, "fresh": fresh.unwrap_or(0) }));
    }
    let MinedCounts { items, hard, near_ties, histogram } = &selected.counts;
    text += &format!(
        "{}: {hard} of {items} items are hard ({}); {near_ties} with a near tie; failures per item {histogram:?}\n",
        selected.id,
        share(*hard, *items).replace('\u{a0}', " "),
    );
    if dropped > 0 {
        text += &format!("{dropped} item(s) lost: see {}\n", run.join("dropped.parquet").display());
    }
    text += &format!("manifest: {}", run.join("manifest.parquet").display());
    let json = json!({
        "run": run.display().to_string(), "id": selected.id, "items": items, "hard": hard, "near_ties": near_ties,
        "histogram": histogram, "dropped": dropped, "scored": scored_json, "warnings": texts(warnings),
    });
    Output::new(text, json).lost(dropped)
}
