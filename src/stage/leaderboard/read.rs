//! Finds and reads files `results.json`, and checks each by itself and all against the first.
//!
//! Holds always: a file counts once; its numbers are those of its outcomes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::LeaderboardError;
use crate::domain::{Figure, LabelSpace, PoolRecord, TargetResults};
use crate::stage::evaluate::{SCHEMA, from_hexadecimal};
use crate::store::{EvaluationDir, StoreError};

/// The file that is looked for.
const NAME: &str = "results.json";
/// The largest file that is read.
const MOST_BYTES: u64 = 256 << 20;
/// How far an accuracy may lie from that of the outcomes: it is written with all its digits.
const EXACT: f64 = 1e-9;
/// The longest name of a target.
const LONGEST_NAME: usize = 100;
/// Images of other pools (clean, outside) that a figure may speak of.
const MOST_OTHERS: u64 = 1 << 24;

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
        let files = files(path)?;
        if files.is_empty() {
            return Err(LeaderboardError::NoResults { path: path.display().to_string() });
        }
        for file in files {
            let Some(evaluation) = evaluation(&file)? else { continue };
            let given = Given { file: file.display().to_string(), results: parse(&file)?, evaluation };
            check(&given)?;
            if let Some(first) = all.first() {
                check_pool(&given, first)?;
            }
            add(&mut all, given)?;
        }
    }
    all.sort_by(|a, b| a.results.target.name.cmp(&b.results.target.name));
    check_miners(&all)?;
    if all.is_empty() {
        let path = paths.first().map(|path| path.display().to_string()).unwrap_or_default();
        return Err(LeaderboardError::NoResults { path });
    }
    Ok(all)
}

/// The evaluation in which a file lies, if it does: `<evaluation>/results/<target>/results.json`. `None` if that has no
/// such target, so that a left-over is no result.
fn evaluation(file: &Path) -> Result<Option<Option<PathBuf>>, LeaderboardError> {
    let (folder, root) = (file.parent(), file.ancestors().nth(3));
    let (Some(folder), Some(root)) = (folder, root) else { return Ok(Some(None)) };
    let Some(found) = EvaluationDir::find(root) else { return Ok(Some(None)) };
    let record = found.record()?;
    let is_one = record.targets.iter().any(|target| found.target(&target.name) == folder);
    Ok(is_one.then(|| Some(root.to_owned())))
}

/// An error for a target that is a surrogate in any of the files.
fn check_miners(all: &[Given]) -> Result<(), LeaderboardError> {
    for given in all {
        let target = &given.results.target;
        let surrogates = all.iter().flat_map(|other| &other.results.surrogates);
        let mined = surrogates
            .into_iter()
            .find(|surrogate| surrogate.weights_sha256.is_some() && surrogate.weights_sha256 == target.weights_sha256);
        if let Some(surrogate) = mined {
            return Err(LeaderboardError::Mined {
                file: given.file.clone(),
                target: target.name.clone(),
                surrogate: surrogate.name.clone(),
            });
        }
    }
    Ok(())
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
    let spaces = LabelSpace::ALL.map(|space| space.to_string());
    if let Some(space) = spaces.into_iter().find(|space| !results.right.contains_key(space)) {
        return Err(LeaderboardError::NoSpace { file: file.clone(), space });
    }
    let checks = [check_images(results), check_outcomes(results), check_figures(results), check_name(results)];
    let problem = checks.into_iter().find_map(Result::err);
    problem.map_or(Ok(()), |problem| Err(LeaderboardError::Inconsistent { file: file.clone(), problem }))
}

/// Every image of the pool is scored or lost.
fn check_images(results: &TargetResults) -> Result<(), String> {
    let TargetResults { images, scored, .. } = *results;
    let (lost, pool) = (results.not_scored.len() as u64, results.pool.images);
    if images == pool && scored.checked_add(lost) == Some(images) {
        return Ok(());
    }
    Err(format!(
        "images are missing: it has {scored} scored and {lost} lost images of {images}, and the pool has {pool}"
    ))
}

/// Each accuracy is that of the outcomes.
fn check_outcomes(results: &TargetResults) -> Result<(), String> {
    for (space, digits) in &results.right {
        let images = results.images;
        let right = from_hexadecimal(digits, images as usize)
            .ok_or_else(|| format!("images are missing: its outcomes in {space} are not those of {images} images"))?;
        let share = right.iter().filter(|&&right| right).count() as f64 / (images as f64).max(1.0);
        let said = of_all(results, "accuracy").find(|figure| figure.space == *space);
        if said.and_then(|figure| figure.value).is_some_and(|said| (said - share).abs() > EXACT) {
            return Err(format!("its accuracy in {space} is not that of its outcomes, {share:.4}"));
        }
    }
    Ok(())
}

/// No figure says what cannot be.
fn check_figures(results: &TargetResults) -> Result<(), String> {
    if of_all(results, "scored").any(|figure| figure.value != Some(results.scored as f64)) {
        return Err("its figure `scored` is not the number of images that it says it scored".to_owned());
    }
    let is_finite = |number: &Option<f64>| number.is_none_or(f64::is_finite);
    let can_be = |figure: &Figure| {
        figure.n <= 2 * results.images.max(MOST_OTHERS) && [figure.value, figure.low, figure.high].iter().all(is_finite)
    };
    match results.metrics.iter().find(|figure| !can_be(figure)) {
        Some(figure) => Err(format!("its figure `{}` of {} images cannot be one", figure.metric, figure.n)),
        None => Ok(()),
    }
}

/// The name can be that of a folder.
fn check_name(results: &TargetResults) -> Result<(), String> {
    let name = &results.target.name;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if !name.is_empty() && name.len() <= LONGEST_NAME && !name.starts_with('.') && name.chars().all(plain) {
        return Ok(());
    }
    let short: String = name.chars().take(40).collect();
    Err(format!("its target is named {short:?}; a name has letters, digits, `-`, `_` and `.`, at most {LONGEST_NAME}"))
}

/// The figures `metric` about all images.
fn of_all<'a>(results: &'a TargetResults, metric: &'a str) -> impl Iterator<Item = &'a Figure> {
    results.metrics.iter().filter(move |figure| figure.metric == metric && figure.group_by == "all")
}

/// Holds a file against the first one.
fn check_pool(given: &Given, first: &Given) -> Result<(), LeaderboardError> {
    let (pool, wanted) = (&given.results.pool, &first.results.pool);
    let are_same = pool.images_sha256 == wanted.images_sha256 && pool.images == wanted.images;
    if !are_same || pool.prepared_px != wanted.prepared_px {
        let words = |pool: &PoolRecord| {
            let version = pool.version.as_ref().map_or_else(String::new, |version| format!(" {version}"));
            let px = pool.prepared_px.map_or_else(String::new, |px| format!(", not resized at {px} px"));
            format!("{}{version} ({} images, {}{px})", pool.name, pool.images, pool.images_sha256.short())
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
        Some(known)
            if known.results.right == given.results.right
                && known.results.target == *target
                && known.results.predictions_sha256 == given.results.predictions_sha256 => {}
        Some(known) => {
            let (a, b) = (known.file.clone(), given.file.clone());
            return Err(LeaderboardError::SameName { a, b, target: target.name.clone() });
        }
    }
    Ok(())
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
