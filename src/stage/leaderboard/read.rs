//! Finds and reads files `results.json`, and checks each by itself and all against the first.
//!
//! Holds always: a file counts once; its numbers are those of its outcomes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::LeaderboardError;
use crate::domain::{LabelSpace, TargetResults};
use crate::stage::evaluate::{SCHEMA, from_hexadecimal};
use crate::store::{EvaluationDir, StoreError};

/// The file that is looked for.
const NAME: &str = "results.json";
/// The largest file that is read.
const MOST_BYTES: u64 = 256 << 20;
/// How far an accuracy may lie from that of the outcomes: it is written with all its digits.
const EXACT: f64 = 1e-9;

/// One file.
pub struct Given {
    /// Where it is, for messages.
    pub file: String,
    /// Its content.
    pub results: TargetResults,
    /// The evaluation that it belongs to, if that was given.
    pub evaluation: Option<PathBuf>,
}

/// Reads all results at `paths`, in the order of their targets' names.
pub fn read(paths: &[PathBuf]) -> Result<Vec<Given>, LeaderboardError> {
    let mut all: Vec<Given> = Vec::new();
    for path in paths {
        let evaluation = EvaluationDir::find(path).map(|_| path.clone());
        let files = files(path)?;
        if files.is_empty() {
            return Err(LeaderboardError::NoResults { path: path.display().to_string() });
        }
        for file in files {
            let results = parse(&file)?;
            let given = Given { file: file.display().to_string(), results, evaluation: evaluation.clone() };
            check(&given)?;
            if let Some(first) = all.first() {
                check_pool(&given, first)?;
            }
            add(&mut all, given)?;
        }
    }
    all.sort_by(|a, b| a.results.target.name.cmp(&b.results.target.name));
    Ok(all)
}

/// The files at `path`: itself, or those below it.
fn files(path: &Path) -> Result<Vec<PathBuf>, LeaderboardError> {
    let about = std::fs::metadata(path).map_err(StoreError::io("read", path))?;
    if about.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = BTreeSet::new();
    for entry in walkdir::WalkDir::new(path).max_depth(4).into_iter().flatten() {
        if entry.file_type().is_file() && entry.file_name() == NAME {
            found.insert(entry.into_path());
        }
    }
    Ok(found.into_iter().collect())
}

fn parse(file: &Path) -> Result<TargetResults, LeaderboardError> {
    let unreadable =
        |problem: String| LeaderboardError::Unreadable { file: file.display().to_string(), schema: SCHEMA, problem };
    let about = std::fs::metadata(file).map_err(StoreError::io("read", file))?;
    if about.len() > MOST_BYTES {
        return Err(unreadable(format!("it has {} bytes", about.len())));
    }
    let bytes = std::fs::read(file).map_err(StoreError::io("read", file))?;
    let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(|e| unreadable(e.to_string()))?;
    match value.get("schema").and_then(serde_json::Value::as_u64) {
        Some(schema) if schema == u64::from(SCHEMA) => {}
        Some(schema) => return Err(unreadable(format!("it has schema {schema}"))),
        None => return Err(unreadable("it has no schema".to_owned())),
    }
    serde_json::from_value(value).map_err(|e| unreadable(e.to_string()))
}

/// Holds a file against itself.
fn check(given: &Given) -> Result<(), LeaderboardError> {
    let Given { file, results, .. } = given;
    let wrong = |problem: String| LeaderboardError::Inconsistent { file: file.clone(), problem };
    let (images, lost) = (results.images, results.not_scored.len() as u64);
    if images != results.pool.images || results.scored.checked_add(lost) != Some(images) {
        let scored = results.scored;
        let pool = results.pool.images;
        return Err(wrong(format!(
            "images are missing: it has {scored} scored and {lost} lost images of {images}, and the pool has {pool}"
        )));
    }
    for (space, digits) in &results.right {
        let Some(right) = from_hexadecimal(digits, images as usize) else {
            return Err(wrong(format!("images are missing: its outcomes in {space} are not those of {images} images")));
        };
        let share = right.iter().filter(|&&right| right).count() as f64 / (images as f64).max(1.0);
        let said = results
            .metrics
            .iter()
            .find(|metric| metric.metric == "accuracy" && metric.group_by == "all" && metric.space == *space);
        let said = said.and_then(|metric| metric.value);
        if said.is_some_and(|said| (said - share).abs() > EXACT) {
            return Err(wrong(format!("its accuracy in {space} is not that of its outcomes, {share:.4}")));
        }
    }
    let target = &results.target;
    let mined = results
        .surrogates
        .iter()
        .find(|surrogate| surrogate.weights_sha256.is_some() && surrogate.weights_sha256 == target.weights_sha256);
    match mined {
        Some(surrogate) => Err(LeaderboardError::Mined {
            file: file.clone(),
            target: target.name.clone(),
            surrogate: surrogate.name.clone(),
        }),
        None => Ok(()),
    }
}

/// Holds a file against the first one.
fn check_pool(given: &Given, first: &Given) -> Result<(), LeaderboardError> {
    let (pool, wanted) = (&given.results.pool, &first.results.pool);
    if pool.images_sha256 != wanted.images_sha256 || pool.images != wanted.images {
        let words = |pool: &crate::domain::PoolRecord| {
            let version = pool.version.as_ref().map_or_else(String::new, |version| format!(" {version}"));
            format!("{}{version} ({} images, {})", pool.name, pool.images, pool.images_sha256.short())
        };
        return Err(LeaderboardError::OtherPool {
            file: given.file.clone(),
            found: words(pool),
            first: first.file.clone(),
            wanted: words(wanted),
        });
    }
    if pool.categories_sha256 != wanted.categories_sha256 {
        return Err(LeaderboardError::OtherCategories {
            file: given.file.clone(),
            found: pool.categories.clone(),
            first: first.file.clone(),
            wanted: wanted.categories.clone(),
        });
    }
    Ok(())
}

/// Adds a file, unless the same result is there already.
fn add(all: &mut Vec<Given>, given: Given) -> Result<(), LeaderboardError> {
    let target = &given.results.target;
    match all.iter().find(|known| known.results.target.name == target.name) {
        None => all.push(given),
        Some(known) if known.results.right == given.results.right && known.results.target == *target => {}
        Some(known) => {
            let (a, b) = (known.file.clone(), given.file.clone());
            return Err(LeaderboardError::SameName { a, b, target: target.name.clone() });
        }
    }
    Ok(())
}

/// The label spaces of all files, in the order of the first one's figures.
pub fn spaces(given: &[Given]) -> Result<Vec<LabelSpace>, LeaderboardError> {
    let mut spaces = Vec::new();
    let Some(first) = given.first() else { return Ok(spaces) };
    for metric in first.results.metrics.iter().filter(|metric| metric.metric == "accuracy") {
        for space in [LabelSpace::AnyOfIds, LabelSpace::Masked] {
            if metric.space == space.to_string() && !spaces.contains(&space) {
                spaces.push(space);
            }
        }
    }
    for given in given {
        for space in &spaces {
            if !given.results.right.contains_key(&space.to_string()) {
                return Err(LeaderboardError::NoSpace { file: given.file.clone(), space: space.to_string() });
            }
        }
    }
    Ok(spaces)
}

/// Right or wrong on each image, of each file.
pub fn outcomes(given: &[Given], space: LabelSpace) -> Result<Vec<Vec<bool>>, LeaderboardError> {
    let of = |given: &Given| {
        let digits = given.results.right.get(&space.to_string())?;
        from_hexadecimal(digits, given.results.images as usize)
    };
    let missing = |given: &Given| LeaderboardError::NoSpace { file: given.file.clone(), space: space.to_string() };
    given.iter().map(|given| of(given).ok_or_else(|| missing(given))).collect()
}
