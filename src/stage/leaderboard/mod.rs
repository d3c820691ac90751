//! leaderboard: joins the results of several people on one pool into one leaderboard.
//!
//! `results.json` files -> checked by themselves and against each other -> accuracies, intervals and paired tests made
//! again from their outcomes -> tiers, table and page. Holds always: only results on the same images with the same
//! categories and preparation stand side by side; what a file says of tiers or accuracies is not used; figures against
//! another clean twin, baseline or line than that of the others are left out.

mod error;
mod join;
mod read;

use std::path::{Path, PathBuf};

use crate::domain::{ComparisonRow, EvaluationRecord, Figure, PoolRole};
use crate::render::evaluation::{leaderboard_csv, leaderboard_page};
use crate::stage::evaluate::{Tested, accuracies, tested};
use crate::store::{EvaluationDir, write_if_changed};
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
    let record = join::record(&given);
    let mut figures: Vec<Figure> = join::kept(&given, |note| ctx.progress.note(note));
    let images = images(&given)?;
    if images.is_none() {
        ctx.progress.note(
            "no folder of an evaluation is among the results, so the clusters of the images are not known: tiers are \
             of exact McNemar tests, which speak of these images",
        );
    }
    let mut comparisons: Vec<ComparisonRow> = Vec::new();
    for &space in &record.label_spaces {
        ctx.check_stop()?;
        let right = read::outcomes(&given, space)?;
        figures.extend(accuracies(&record, &right, space, images.as_ref()));
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
    let Some(evaluation) = given.iter().find_map(|given| given.evaluation.as_ref()) else { return Ok(None) };
    let dir = EvaluationDir::at(evaluation);
    let mut columns = PoolColumns::default();
    columns.add(&dir.checked(&dir.images(PoolRole::Pool), &dir.record()?)?)?;
    let is_whole = columns.len() as u64 == given.first().map_or(0, |given| given.results.images);
    Ok(is_whole.then_some(columns))
}

/// An error if the folder has files that are not those of a leaderboard.
fn check_out(out: &Path) -> Result<(), LeaderboardError> {
    const OURS: [&str; 4] = ["results.parquet", "comparisons.parquet", "leaderboard.csv", "index.html"];
    let entries = std::fs::read_dir(out).into_iter().flatten().flatten();
    let mut names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let is_ours = |name: &str| OURS.iter().any(|own| name == *own || name.starts_with(&format!("{own}.")));
    match names.find(|name| !is_ours(name)) {
        Some(found) => Err(LeaderboardError::OutTaken { out: out.display().to_string(), found }),
        None => Ok(()),
    }
}
