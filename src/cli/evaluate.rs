//! `hardset evaluate`: targets on a pool of images.
//!
//! Does not score or compute: `stage::evaluate` does. Holds always: the printed order is that of tiers, and every
//! number has its denominator and interval.

use std::path::Path;

use serde_json::json;

use super::error::Error;
use super::evaluation_args::EvaluateArgs;
use super::output::Output;
use super::session::Session;
use crate::config::{ConfigError, SurrogateDef, category_set};
use crate::domain::Figure;
use crate::render::evaluation::{BoardRow, board};
use crate::render::numbers::{bounds, counted, percent};
use crate::source::PoolOptions;
use crate::stage::evaluate::{Ask, Evaluated, evaluate};
use crate::stats::Interval;

pub fn run(session: &Session, args: &EvaluateArgs) -> Result<Output, Error> {
    let ctx = session.context_in_folder(&args.pool, "what is evaluated")?;
    let ask = ask(args)?;
    let evaluated = evaluate(&ctx, session.devices(), &ask, args.out.as_deref())?;
    Ok(output(&evaluated))
}

fn ask(args: &EvaluateArgs) -> Result<Ask, ConfigError> {
    let mut targets = Vec::new();
    for name in &args.targets {
        targets.push(SurrogateDef::load(name, Path::new("."))?);
    }
    for named in &args.predictions {
        if let Some(kind) = args.scores {
            targets.push(SurrogateDef::imported(&named.name, &named.file, kind.into()));
        }
    }
    let here = Path::new(".");
    let categories = match &args.categories {
        Some(name) => Some(category_set(name, here, "the working directory")?),
        None => None,
    };
    Ok(Ask {
        pool: args.pool.clone(),
        clean: args.clean.clone(),
        ood: args.ood.clone(),
        options: PoolOptions {
            layout: args.layout,
            categories,
            image_column: args.image_column.clone(),
            label_column: args.label_column.clone(),
            split: args.split.clone(),
            prepared_px: args.prepared_px,
            ..PoolOptions::default()
        },
        targets,
        answers: args.answers.iter().map(|named| (named.name.clone(), named.file.clone())).collect(),
        label_spaces: args.label_space.clone(),
        margin: args.margin,
        baseline: args.baseline.clone(),
        fit: args.fit.clone(),
        fit_columns: args.fit_columns.as_deref().and_then(|columns| columns.to_vec().try_into().ok()),
        shift: args.shift.clone(),
        keep_logits: args.keep_logits,
        seed: args.seed.map(u64::from),
        max_images: args.max_images,
    })
}

/// The result as text and as JSON.
pub fn output(evaluated: &Evaluated) -> Output {
    let Evaluated { dir, record, figures, fresh, lost } = evaluated;
    let space = record.label_spaces.first().map(ToString::to_string).unwrap_or_default();
    let rows = board(&figures.figures, record, &space);
    let version = record.pool.version.as_ref().map_or_else(String::new, |version| format!(" {version}"));
    let (name, images) = (&record.pool.name, counted(record.pool.images, "image"));
    let categories = record.pool.category_count;
    let mut lines = vec![format!("{name}{version}: {images} of {categories} categories, label space {space}")];
    for (target, fresh) in record.targets.iter().zip(fresh) {
        lines.push(format!("{}: {fresh} scored in this call", target.name));
    }
    let left_out = record.pool.left_out;
    if left_out > 0 {
        let files = counted(left_out, "file");
        lines.push(format!("{files} without a label are no part of it: {}", dir.document("left-out.csv").display()));
    }
    if *lost > 0 {
        lines.push(format!("{lost} image(s) without a prediction count as wrong: see results.json of each target"));
    }
    let (page, csv) = (dir.document("index.html"), dir.document("leaderboard.csv"));
    lines.push(format!("evaluation: {}", page.display()));
    lines.push(format!("leaderboard: {}", csv.display()));
    lines.extend(smallest(&figures.figures, &space));
    lines.extend(rows.iter().map(line));
    let mut fresh_json = Vec::with_capacity(fresh.len());
    for (target, fresh) in record.targets.iter().zip(fresh) {
        fresh_json.push(json!({ "target": target.name, "fresh": fresh }));
    }
    let json = json!({
        "evaluation": dir.path().display().to_string(), "page": page.display().to_string(),
        "leaderboard_csv": csv.display().to_string(), "pool": record.pool, "space": space,
        "smallest_difference": smallest_value(&figures.figures, &space),
        "leaderboard": rows.iter().map(as_json).collect::<Vec<_>>(),
        "fresh": fresh_json,
        "lost": lost, "left_out": left_out,
    });
    Output::new(lines.join("\n").replace('\u{a0}', " "), json).lost(*lost + left_out)
}

fn smallest_value(figures: &[Figure], space: &str) -> Option<f64> {
    figures.iter().find(|figure| figure.metric == "smallest_difference" && figure.space == space)?.value
}

pub fn smallest(figures: &[Figure], space: &str) -> Option<String> {
    let value = smallest_value(figures, space)?;
    Some(format!(
        "these images can show a difference of {:.1} points for half of the pairs of targets; targets of one tier are \
         not parted",
        value * 100.0
    ))
}

pub fn line(row: &BoardRow) -> String {
    let place = row.tier.map_or_else(|| "surrogate".to_owned(), |tier| format!("tier {tier}"));
    let accuracy = row.accuracy.value.map_or_else(|| "no value".to_owned(), percent);
    let these = interval(&row.accuracy).map_or_else(String::new, |these| format!(" ({these} these images"));
    let objects = row.objects.as_ref().and_then(interval);
    let objects = objects.map_or_else(String::new, |objects| format!("; {objects} objects like these"));
    let end = if these.is_empty() { "" } else { ")" };
    let lost = if row.scored < row.n { format!(", {} scored", row.scored) } else { String::new() };
    format!("{place:<9} {}: {accuracy}{these}{objects}{end}, n = {}{lost}", row.target, row.n)
}

fn interval(figure: &Figure) -> Option<String> {
    let (value, low, high) = (figure.value?, figure.low?, figure.high?);
    Some(bounds(&Interval { value, low, high }))
}

pub fn as_json(row: &BoardRow) -> serde_json::Value {
    let objects = row.objects.as_ref();
    json!({
        "tier": row.tier, "target": row.target, "kind": row.kind, "class_space": row.class_space, "space": row.space,
        "n": row.n, "scored": row.scored, "accuracy": row.accuracy.value, "low": row.accuracy.low,
        "high": row.accuracy.high, "method": row.accuracy.method,
        "objects_low": objects.and_then(|found| found.low), "objects_high": objects.and_then(|found| found.high),
        "objects_method": objects.map(|found| found.method.clone()),
    })
}
