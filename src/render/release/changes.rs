//! `CHANGES.md`: what is different from an older release, image for image.

use super::text::{code, markdown};
use crate::render::report::text::counted;

/// What changed between two releases. The lists are ordered here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// What the release is called.
    pub title: String,
    /// Its version.
    pub version: String,
    /// Version of the older release.
    pub base_version: String,
    /// Ids or hashes of images that are new.
    pub added: Vec<String>,
    /// Those of images that are gone.
    pub removed: Vec<String>,
    /// Images whose category is another one.
    pub relabelled: Vec<Relabelled>,
}

/// An image that is in both releases under different categories.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Relabelled {
    /// Its id or hash.
    pub item: String,
    /// The category that it had.
    pub from: String,
    /// The category that it has.
    pub to: String,
}

/// The document: numbers first, then each image on a line of its own, in the order of the ids.
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
