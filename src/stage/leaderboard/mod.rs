//! leaderboard: joins the results of several people on one pool into one leaderboard.
//!
//! `results.json` files -> checked against each other -> paired tests on their outcomes -> tiers, table and page. Holds
//! always: only results on the same images with the same categories stand side by side; a file whose accuracy is not
//! that of its outcomes is refused.

mod error;
mod read;

use std::path::{Path, PathBuf};

use crate::domain::{ComparisonRow, EvaluationRecord, Figure, LabelSpace, PoolRole, TargetResults};
use crate::render::evaluation::{leaderboard_csv, leaderboard_page};
use crate::stage::evaluate::{Tested, tested};
use crate::stage::prepare::TOOL;
use crate::store::{EVALUATION_FORMAT, EvaluationDir, write_if_changed};
use crate::table::{PoolColumns, encode_comparisons, encode_figures};
use crate::work::Context;

pub use error::LeaderboardError;
use read::Given;

/// A joined leaderboard.
pub struct Joined {
    /// Where it is.
    pub out: PathBuf,
    /// Pool and targets.
    pub record: EvaluationRecord,
    /// All figures, tiers among them.
    pub figures: Vec<Figure>,
}

/// Joins the results at `paths` and writes the leaderboard to `out`.
pub fn leaderboard(ctx: &Context, paths: &[PathBuf], out: &Path) -> Result<Joined, LeaderboardError> {
    let given = read::read(paths)?;
    check_out(out)?;
    let results: Vec<&TargetResults> = given.iter().map(|given| &given.results).collect();
    let spaces = read::spaces(&given)?;
    let record = record(&results, &spaces);
    let mut figures: Vec<Figure> = Vec::new();
    for results in &results {
        figures.extend(results.metrics.iter().map(|metric| metric.of_target(&results.target.name)));
    }
    let images = images(&given)?;
    if images.is_none() {
        ctx.progress.note(
            "no folder of an evaluation is among the results, so the clusters of the images are not known: tiers are \
             of exact McNemar tests, which speak of these images",
        );
    }
    let mut comparisons: Vec<ComparisonRow> = Vec::new();
    for &space in &spaces {
        let right = read::outcomes(&given, space)?;
        let Tested { figures: tiers, rows } = tested(&record, &right, space, images.as_ref());
        figures.extend(tiers);
        comparisons.extend(rows);
    }
    let write = |name: &str, bytes: &[u8]| write_if_changed(&out.join(name), bytes);
    write("results.parquet", &encode_figures(&figures)?)?;
    write("comparisons.parquet", &encode_comparisons(&comparisons)?)?;
    write("leaderboard.csv", &leaderboard_csv(&figures, &record))?;
    write("index.html", &leaderboard_page(&record, &figures, &comparisons))?;
    Ok(Joined { out: out.to_owned(), record, figures })
}

/// What the images show, from an evaluation among the results.
fn images(given: &[Given]) -> Result<Option<PoolColumns>, LeaderboardError> {
    for dir in given.iter().filter_map(|given| given.evaluation.as_ref()) {
        let mut columns = PoolColumns::default();
        columns.add(&EvaluationDir::at(dir).images(PoolRole::Pool))?;
        if columns.len() as u64 == given.first().map_or(0, |given| given.results.images) {
            return Ok(Some(columns));
        }
    }
    Ok(None)
}

/// An error if the folder has files that are not those of a leaderboard.
fn check_out(out: &Path) -> Result<(), LeaderboardError> {
    const OURS: [&str; 4] = ["results.parquet", "comparisons.parquet", "leaderboard.csv", "index.html"];
    let entries = std::fs::read_dir(out).into_iter().flatten().flatten();
    let mut names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    match names.find(|name| !OURS.contains(&name.as_str()) && !name.contains(".unfinished")) {
        Some(found) => Err(LeaderboardError::OutTaken { out: out.display().to_string(), found }),
        None => Ok(()),
    }
}

fn record(results: &[&TargetResults], spaces: &[LabelSpace]) -> EvaluationRecord {
    let first = results[0];
    EvaluationRecord {
        format: EVALUATION_FORMAT,
        tool: TOOL.to_owned(),
        label_spaces: spaces.to_vec(),
        margin: crate::stage::evaluate::MARGIN,
        baseline: None,
        line: None,
        keep_logits: false,
        gallery: 0,
        pool: first.pool.clone(),
        clean: None,
        ood: None,
        answers: Vec::new(),
        tables: std::collections::BTreeMap::new(),
        targets: results.iter().map(|results| results.target.clone()).collect(),
        surrogates: first.surrogates.clone(),
    }
}
