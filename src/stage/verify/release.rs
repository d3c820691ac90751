//! verify of a release: hashes, counts, schema, no image twice, and a card with all that it must say.
//!
//! Holds always: changes nothing; needs nothing but the release, because whoever downloads it has no run.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

use rayon::prelude::*;

use super::{Verified, VerifyError};
use crate::domain::{ColumnFacts, DataFileRecord, ReleaseForm, ReleaseRecord, RunSpec, Sha256, Verdict};
use crate::render::release::{card_lacks, read_sums};
use crate::stage::release::{release_columns, surrogate_records};
use crate::store::{ReleaseDir, hash_file};
use crate::table::{ReleaseFile, ReleaseRowCheck};
use crate::work::Context;

/// The file that names all others.
const SUMS: &str = "SHA256SUMS";
/// Documents that every release has.
const DOCUMENTS: [&str; 7] = [
    "README.md",
    "CITATION.cff",
    "croissant.json",
    "excluded.csv",
    "near-duplicates.csv",
    "recipe.toml",
    "release.json",
];

/// Checks the whole release.
pub fn verify_release(ctx: &Context, release: &ReleaseDir) -> Result<Verified, VerifyError> {
    let mut verified = Verified::default();
    let record = release.record()?;
    let names = listed(release, &mut verified)?;
    sums(ctx, release, &names, &mut verified)?;
    if !verified.problems.is_empty() {
        return Ok(verified);
    }
    let recipe = release.recipe()?;
    let mut found = DataContents { columns: release_columns(&recipe, record.verified), ..DataContents::default() };
    ctx.progress.start("verify", record.images);
    for file in &record.files {
        ctx.check_stop()?;
        data_file(release, &record, file, &mut found, &mut verified);
        ctx.progress.advance(file.images);
    }
    ctx.progress.finish();
    totals(release, &record, &found, &mut verified);
    documents(release, &record, &recipe, &names, &mut verified);
    forms(release, &record, &names, &mut verified);
    Ok(verified)
}

/// Files with their hashes, as `SHA256SUMS` has them; files that it does not have are problems.
fn listed(release: &ReleaseDir, verified: &mut Verified) -> Result<BTreeMap<String, String>, VerifyError> {
    let path = release.path().join(SUMS);
    let Ok(text) = std::fs::read_to_string(&path) else {
        wrong(verified, &path, "it is missing or is not text");
        return Ok(BTreeMap::new());
    };
    let (names, unread) = read_sums(&text);
    if unread > 0 {
        wrong(verified, &path, &format!("{unread} of its lines cannot be read"));
    }
    // Files whose names begin with a dot belong to git and the hub's tools, not to the release.
    let strangers = release.files()?.into_iter().filter(|name| !name.starts_with('.') && name != SUMS);
    for name in strangers.filter(|name| !names.contains_key(name)) {
        wrong(verified, &release.path().join(name), &format!("{SUMS} does not have it"));
    }
    let data = release.record()?.files.into_iter().map(|file| file.path);
    for name in DOCUMENTS.map(str::to_owned).into_iter().chain(data).filter(|name| !names.contains_key(name)) {
        wrong(verified, &release.path().join(name), &format!("{SUMS} does not have it"));
    }
    Ok(names)
}

/// What is wrong with the file at `path`.
fn wrong(verified: &mut Verified, path: &Path, problem: &str) {
    let remedy = "get the release again from where it came, or make it again with `hardset release`";
    verified.problems.push(format!("{}: {problem}; {remedy}", path.display()));
}

fn sums(
    ctx: &Context,
    release: &ReleaseDir,
    names: &BTreeMap<String, String>,
    verified: &mut Verified,
) -> Result<(), VerifyError> {
    ctx.progress.start("hash", names.len() as u64);
    let problem = |name: &String, expected: &String| {
        let path = release.path().join(name);
        ctx.progress.advance(1);
        match hash_file(&path) {
            Ok((_, found)) if found.to_string() == *expected => None,
            Ok(_) => Some((path, "its SHA-256 differs".to_owned())),
            Err(error) => Some((path, error.to_string())),
        }
    };
    let problems: Vec<_> = ctx
        .thread_pool()?
        .install(|| names.par_iter().filter_map(|(name, expected)| problem(name, expected)).collect());
    ctx.progress.finish();
    verified.files += names.len() as u64;
    problems.iter().for_each(|(path, problem)| wrong(verified, path, problem));
    Ok(())
}

/// The columns that the data files should have, and what was found in them.
#[derive(Default)]
struct DataContents {
    columns: Vec<ColumnFacts>,
    last_item: Option<u32>,
    hashes: HashSet<String>,
    labels: BTreeMap<i64, u64>,
}

fn data_file(
    release: &ReleaseDir,
    record: &ReleaseRecord,
    file: &DataFileRecord,
    found: &mut DataContents,
    verified: &mut Verified,
) {
    let (path, images) = (release.path().join(&file.path), file.images);
    let file = match release.data(file).map_err(VerifyError::from).and_then(|path| Ok(ReleaseFile::open(&path)?)) {
        Ok(file) => file,
        Err(error) => return wrong(verified, &path, &error.to_string()),
    };
    let classes: Vec<String> = record.categories.iter().map(|category| category.class.clone()).collect();
    if let Some(difference) = file.differs(&found.columns, &classes) {
        wrong(verified, &path, &difference);
    }
    let mut rows = 0;
    let mut problems = BTreeMap::new();
    let read = file.rows(true, |row| {
        rows += 1;
        if let Some(problem) = found.problem(record, &row) {
            problems.entry(problem).or_insert((row.item_id, 0)).1 += 1;
        }
    });
    if let Err(error) = read {
        return wrong(verified, &path, &error.to_string());
    }
    for (problem, (item, number)) in problems {
        wrong(verified, &path, &format!("{number} row(s), the first of item {item:08}: {problem}"));
    }
    if rows != images {
        wrong(verified, &path, &format!("it has {rows} rows, but release.json says {images}"));
    }
}

impl DataContents {
    /// What is wrong with a row.
    fn problem(&mut self, record: &ReleaseRecord, row: &ReleaseRowCheck) -> Option<&'static str> {
        *self.labels.entry(row.label).or_default() += 1;
        let is_new = self.hashes.insert(row.sha256.clone());
        let ascends = self.last_item.replace(row.item_id).is_none_or(|last| last < row.item_id);
        let category = usize::try_from(row.label).ok().and_then(|label| record.categories.get(label));
        match () {
            () if Sha256::of(&row.image).to_string() != row.sha256 => Some("the image is not the one of its SHA-256"),
            () if !is_new => Some("the same image is there twice"),
            () if !ascends => Some("items do not ascend"),
            () if category.is_none_or(|category| category.id != row.category) => {
                Some("the label is not that of its category")
            }
            () if record.verified && row.verdict.as_deref() != Some(Verdict::Accept.name()) => {
                Some("people have not accepted it")
            }
            () => None,
        }
    }
}

fn totals(release: &ReleaseDir, record: &ReleaseRecord, found: &DataContents, verified: &mut Verified) {
    let path = release.path().join("release.json");
    let rows: u64 = found.labels.values().sum();
    if rows != record.images {
        wrong(verified, &path, &format!("it says {} images, but there are {rows}", record.images));
    }
    for (label, category) in record.categories.iter().enumerate() {
        let images = found.labels.get(&(label as i64)).copied().unwrap_or(0);
        if images != category.images {
            wrong(verified, &path, &format!("it says {} images of {}, not {images}", category.images, category.id));
        }
    }
}

/// Checks that card and recipe name the surrogates with their weights and say what people did, and that Croissant has
/// the hashes.
fn documents(
    release: &ReleaseDir,
    record: &ReleaseRecord,
    recipe: &RunSpec,
    names: &BTreeMap<String, String>,
    verified: &mut Verified,
) {
    let read = |name: &str| std::fs::read_to_string(release.path().join(name)).unwrap_or_default();
    let path = release.path().join("README.md");
    card_lacks(&read("README.md"), record).iter().for_each(|lack| wrong(verified, &path, lack));
    let croissant = read("croissant.json");
    let hashes = record.files.iter().filter_map(|file| names.get(&file.path));
    if hashes.into_iter().any(|hash| !croissant.contains(hash.as_str())) {
        wrong(verified, &release.path().join("croissant.json"), "it does not have the hashes of the data files");
    }
    let path = release.path().join("recipe.toml");
    if !surrogate_records(recipe).iter().eq(&record.surrogates) {
        wrong(verified, &path, "its surrogates or their weights are not those of release.json");
    }
    if recipe.mining_id() != record.mining || recipe.release.version != record.version {
        wrong(verified, &path, "its mining or version is not that of release.json");
    }
}

/// Checks that each other form has as many images.
fn forms(release: &ReleaseDir, record: &ReleaseRecord, names: &BTreeMap<String, String>, verified: &mut Verified) {
    for form in &record.also {
        let inside: BTreeSet<&str> =
            names.keys().filter_map(|name| name.strip_prefix(form.folder())?.strip_prefix('/')).collect();
        let (found, expected) = match form {
            ReleaseForm::ImageFolder => (inside.len() as u64, record.images + 1),
            ReleaseForm::FiftyOne => (inside.len() as u64, record.images + 1),
            ReleaseForm::WebDataset => (inside.len() as u64, record.files.len() as u64),
        };
        if found != expected {
            let problem = format!("it has {found} files, not {expected}");
            wrong(verified, &release.path().join(form.folder()), &problem);
        }
    }
}
