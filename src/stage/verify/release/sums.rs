//! `SHA256SUMS`: which files it names, and whether they have its hashes.
//!
//! Does not parse any file. Holds always: a data file has the size and the hash in `release.json` as well, because
//! whoever opens it alone knows no other.

use std::collections::BTreeMap;
use std::path::PathBuf;

use rayon::prelude::*;

use super::known::Findings;
use crate::domain::{DataFileRecord, ReleaseRecord};
use crate::render::release::read_sums;
use crate::stage::verify::VerifyError;
use crate::store::{ReleaseDir, StoreError, hash_file};
use crate::work::Context;

/// The file that names all others.
pub const SUMS: &str = "SHA256SUMS";
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

/// The documents and data files of a release with this record.
pub fn always_there(record: &ReleaseRecord) -> impl Iterator<Item = String> {
    let changes = record.base.is_some().then(|| "CHANGES.md".to_owned());
    let data = record.files.iter().map(|file| file.path.clone());
    DOCUMENTS.into_iter().map(str::to_owned).chain(changes).chain(data)
}

/// Files with their hashes, as `SHA256SUMS` has them; files that it does not have are problems.
pub fn listed(release: &ReleaseDir, record: &ReleaseRecord, findings: &mut Findings) -> BTreeMap<String, String> {
    findings.verified.expected += 1;
    let text = match std::fs::read_to_string(release.path().join(SUMS)) {
        Ok(text) => text,
        Err(error) => {
            findings.wrong(SUMS, &format!("it is missing or is not text: {error}"));
            return BTreeMap::new();
        }
    };
    let (names, unread) = read_sums(&text);
    findings.verified.expected += names.len() as u64;
    findings.verified.files += 1;
    if unread > 0 {
        findings.wrong(SUMS, &format!("{unread} of its lines cannot be read"));
    }
    // Files whose names begin with a dot belong to git and the hub's tools, not to the release.
    let is_ours = |name: &String| !name.starts_with('.') && name != SUMS;
    let there: Vec<String> = match release.files() {
        Ok(there) => there.into_iter().filter(is_ours).collect(),
        Err(error) => {
            findings.verified.problems.push(error.to_string());
            return names;
        }
    };
    for name in there.into_iter().chain(always_there(record)).filter(|name| !names.contains_key(name)) {
        findings.wrong(&name, &format!("{SUMS} does not have it"));
    }
    names
}

/// Compares all files with their hashes. Gives the paths of the data files that are good.
pub fn compare(
    ctx: &Context,
    release: &ReleaseDir,
    record: &ReleaseRecord,
    names: &BTreeMap<String, String>,
    findings: &mut Findings,
) -> Result<BTreeMap<String, PathBuf>, VerifyError> {
    let data: BTreeMap<&str, &DataFileRecord> = record.files.iter().map(|file| (file.path.as_str(), file)).collect();
    ctx.progress.start("hash", names.len() as u64);
    let hash = |name: &String, expected: &String| {
        ctx.progress.advance(1);
        match data.get(name.as_str()) {
            Some(file) => data_file(release, file, expected).map(Some),
            None => other_file(release, name, expected).map(|()| None),
        }
    };
    let threads = ctx.thread_pool()?;
    let hashed: Vec<_> =
        threads.install(|| names.par_iter().map(|(name, expected)| (name, hash(name, expected))).collect());
    ctx.progress.finish();
    let mut paths = BTreeMap::new();
    for (name, result) in hashed {
        findings.verified.files += u64::from(result.is_ok());
        match result {
            Ok(Some(path)) => drop(paths.insert(name.clone(), path)),
            Ok(None) => {}
            Err(problem) => findings.wrong(name, &problem),
        }
    }
    Ok(paths)
}

fn data_file(release: &ReleaseDir, file: &DataFileRecord, expected: &str) -> Result<PathBuf, String> {
    match release.data(file) {
        Ok(path) if file.sha256.to_string() == expected => Ok(path),
        Ok(_) => Err(format!("its SHA-256 in {SUMS} is not the one in release.json")),
        Err(StoreError::Damaged { problem, .. }) => Err(problem),
        Err(error) => Err(error.to_string()),
    }
}

fn other_file(release: &ReleaseDir, name: &str, expected: &str) -> Result<(), String> {
    match hash_file(&release.path().join(name)) {
        Ok((_, found)) if found.to_string() == expected => Ok(()),
        Ok(_) => Err("its SHA-256 differs".to_owned()),
        Err(error) => Err(format!("it cannot be read: {error}")),
    }
}
