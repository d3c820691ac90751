//! What was left out, what looks alike and what has changed: lists about images that are mostly not in the release.
//!
//! Of an image that is not there nothing can be compared but what the lists, `release.json` and the recipe say of it:
//! how many there are, which items, of which category, for which reason.

use std::collections::{BTreeMap, HashSet};

use super::follow::compare;
use super::known::{Findings, Known};
use super::rows::Found;
use crate::domain::{BaseRecord, NearDuplicates};
use crate::render::release::{ChangeLines, ExcludedRow, NearRow, excluded_csv, near_csv, read_excluded, read_near};
use crate::stage::release::Reason;

const EXCLUDED: &str = "excluded.csv";
const NEAR: &str = "near-duplicates.csv";
const CHANGES: &str = "CHANGES.md";

/// Checks the lists. Gives how many images were left out for each reason, as documents list them.
pub fn check(known: &Known, found: &Found, findings: &mut Findings) -> Vec<(String, u64)> {
    let excluded = read(known, EXCLUDED, read_excluded, findings);
    let near = read(known, NEAR, read_near, findings);
    let mut reasons = BTreeMap::new();
    if let Some(rows) = &excluded {
        check_excluded(known, found, rows, findings);
        rows.iter().for_each(|row| *reasons.entry(row.reason.clone()).or_insert(0) += 1);
    }
    if let (Some(rows), Some(excluded)) = (&near, &excluded) {
        check_near(known, found, rows, findings);
        check_left_out(rows, excluded, findings);
    }
    if let Some(base) = &known.record.base {
        check_changes(known, found, base, findings);
    }
    let mut counts = Vec::new();
    for reason in Reason::ALL.map(|reason| reason.to_string()) {
        counts.extend(reasons.remove(&reason).map(|images| (reason, images)));
    }
    if known.is_ours() && !reasons.is_empty() {
        let unknown: Vec<&String> = reasons.keys().collect();
        findings.wrong(EXCLUDED, &format!("nothing is left out for the reason {:?}", unknown[0]));
    }
    counts.extend(reasons);
    counts
}

fn read<T>(
    known: &Known,
    name: &str,
    read: fn(&[u8]) -> Result<Vec<T>, String>,
    findings: &mut Findings,
) -> Option<Vec<T>> {
    let bytes = std::fs::read(known.folder.join(name)).map_err(|error| format!("it cannot be read: {error}"));
    match bytes.and_then(|bytes| read(&bytes)) {
        Ok(rows) => Some(rows),
        Err(problem) => {
            findings.wrong(name, &problem);
            None
        }
    }
}

fn check_excluded(known: &Known, found: &Found, rows: &[ExcludedRow], findings: &mut Findings) {
    compare(known, EXCLUDED, &excluded_csv(rows), findings);
    if rows.len() as u64 != known.record.excluded {
        findings.wrong(EXCLUDED, &format!("it has {} rows, not {}", rows.len(), known.record.excluded));
    }
    let categories: HashSet<&str> = known.recipe.categories.entries.iter().map(|entry| entry.id.as_str()).collect();
    let mut last = None;
    for row in rows {
        let item: Option<u32> = row.item_id.parse().ok().filter(|item| format!("{item:08}") == row.item_id);
        let problem = match item {
            None => "it is no number of an item",
            Some(item) if last.is_some_and(|last| last >= item) => "items do not ascend",
            Some(item) if found.items.contains(&item) => "the item is in the release",
            Some(_) if !categories.contains(row.category.as_str()) => "the recipe does not have its category",
            Some(_) => {
                last = item;
                continue;
            }
        };
        return findings.wrong(EXCLUDED, &format!("item {}: {problem}", row.item_id));
    }
}

fn check_near(known: &Known, found: &Found, rows: &[NearRow], findings: &mut Findings) {
    compare(known, NEAR, &near_csv(rows), findings);
    if rows.len() as u64 != known.record.near_duplicates {
        findings.wrong(NEAR, &format!("it has {} rows, not {}", rows.len(), known.record.near_duplicates));
    }
    let release = &known.recipe.release;
    let mut last = None;
    for row in rows {
        let ascends = last.replace(row.item_id).is_none_or(|last| last < row.item_id);
        let problem = match () {
            () if !ascends => "items do not ascend",
            () if row.distance > release.max_distance => "it is farther away than the recipe allows",
            () if row.excluded == found.items.contains(&row.item_id) => "it says wrongly whether the item is left out",
            () if !row.excluded && release.near_duplicates == NearDuplicates::Exclude => {
                "the recipe leaves near duplicates out"
            }
            () if other_item(known, row).is_some_and(|item| !found.items.contains(&item)) => {
                "it is like an item that is not in the release"
            }
            () => continue,
        };
        return findings.wrong(NEAR, &format!("item {:08}: {problem}", row.item_id));
    }
}

/// The item that a row is like, if it is not an image of a folder that was compared with.
fn other_item(known: &Known, row: &NearRow) -> Option<u32> {
    let digits = row.like.strip_prefix("item ")?.split(',').next()?;
    // A folder may be called like an item.
    let is_clear = known.record.compared.iter().all(|folder| !folder.name.starts_with("item "));
    digits.parse().ok().filter(|_| is_clear)
}

/// Checks that both lists agree on what was left out as a near duplicate, and on what it looks like.
fn check_left_out(near: &[NearRow], excluded: &[ExcludedRow], findings: &mut Findings) {
    let alike = [Reason::NearDuplicate, Reason::NearOther].map(|reason| reason.to_string());
    let ours = near.iter().filter(|row| row.excluded);
    let ours = ours.map(|row| (format!("{:08}", row.item_id), Reason::detail(row.distance, &row.like)));
    let theirs = excluded.iter().filter(|row| alike.contains(&row.reason));
    if !ours.eq(theirs.map(|row| (row.item_id.clone(), row.detail.clone()))) {
        findings.wrong(NEAR, "it leaves other images out than excluded.csv, or for other reasons");
    }
}

fn check_changes(known: &Known, found: &Found, base: &BaseRecord, findings: &mut Findings) {
    let (recipe, record) = (known.recipe, known.record);
    let title = if recipe.release.title.trim().is_empty() { &recipe.name } else { &recipe.release.title };
    let text = match std::fs::read_to_string(known.folder.join(CHANGES)) {
        Ok(text) => text,
        Err(error) => return findings.wrong(CHANGES, &format!("it cannot be read: {error}")),
    };
    let Some(lines) = ChangeLines::read(&text, title, [&base.called(), &record.version]) else {
        return findings.wrong(CHANGES, "it is not the list of changes between the two releases in release.json");
    };
    let counts = [&lines.added, &lines.removed, &lines.relabelled].map(|lines| lines.len() as u64);
    if counts != [base.added, base.removed, base.relabelled] {
        findings.wrong(CHANGES, "it has other numbers of images than release.json");
    }
    let label = |line: &str| ChangeLines::hash(line).and_then(|hash| found.labels.get(hash));
    let category = |label: &i64| usize::try_from(*label).ok().and_then(|at| record.categories.get(at));
    let has_category = |line: &String| {
        label(line).and_then(category).is_some_and(|category| ChangeLines::leads_to(line, &category.id))
    };
    if let Some(line) = lines.added.iter().find(|line| label(line).is_none()) {
        findings.wrong(CHANGES, &format!("{line} is not in the release, though it was added"));
    }
    if let Some(line) = lines.removed.iter().find(|line| label(line).is_some()) {
        findings.wrong(CHANGES, &format!("{line} is in the release, though it was removed"));
    }
    if let Some(line) = lines.relabelled.iter().find(|line| !has_category(line)) {
        findings.wrong(CHANGES, &format!("{line} is not its category in the release"));
    }
    let repeats =
        [&lines.added, &lines.removed, &lines.relabelled].iter().any(|lines| !lines.is_sorted_by(|a, b| a < b));
    if repeats {
        findings.wrong(CHANGES, "its images do not ascend");
    }
}
