//! `CHANGES.md`: the differences from an older release, image by image.

use super::text::{code, markdown};
use crate::render::numbers::counted;

/// What changed between two releases. The lists are ordered here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// The title of the release.
    pub title: String,
    /// Its version.
    pub version: String,
    /// Version of the older release.
    pub base_version: String,
    /// Ids or hashes of images that are new.
    pub added: Vec<String>,
    /// Ids or hashes of images that are gone.
    pub removed: Vec<String>,
    /// Images whose category has changed.
    pub relabelled: Vec<Relabelled>,
}

/// An image that is in both releases under different categories.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Relabelled {
    /// Its id or hash.
    pub item: String,
    /// The category in the older release.
    pub from: String,
    /// The category in this release.
    pub to: String,
}

/// The document: numbers first, then one line for each image, sorted by id.
pub fn changes_md(changes: &Changes) -> String {
    let relabelled = |row: &Relabelled| format!("{}: {} to {}", code(&row.item), code(&row.from), code(&row.to));
    let mut rows: Vec<&Relabelled> = changes.relabelled.iter().collect();
    rows.sort();
    let rows: Vec<String> = rows.into_iter().map(relabelled).collect();
    format!(
        "# Changes of {}: {} to {}\n\n{} added, {} removed, {} relabelled.\n{}{}{}",
        markdown(&changes.title),
        code(&changes.base_version),
        code(&changes.version),
        counted(changes.added.len() as u64, "image"),
        changes.removed.len(),
        changes.relabelled.len(),
        list("Added", &sorted(&changes.added)),
        list("Removed", &sorted(&changes.removed)),
        list("Relabelled", &rows),
    )
}

fn sorted(items: &[String]) -> Vec<String> {
    let mut items: Vec<&String> = items.iter().collect();
    items.sort();
    items.into_iter().map(|item| code(item)).collect()
}

fn list(heading: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let lines: String = lines.iter().map(|line| format!("- {line}\n")).collect();
    format!("\n## {heading}\n\n{lines}")
}
