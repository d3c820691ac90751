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
    let mut rows: Vec<&Relabelled> = changes.relabelled.iter().collect();
    rows.sort();
    let rows = rows.into_iter().map(|row| format!("{}: {} to {}", code(&row.item), code(&row.from), code(&row.to)));
    let lines =
        ChangeLines { added: sorted(&changes.added), removed: sorted(&changes.removed), relabelled: rows.collect() };
    document(&changes.title, [&changes.base_version, &changes.version], &lines)
}

/// The lines of the document as they stand in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChangeLines {
    /// Hashes of images that are new, as code.
    pub added: Vec<String>,
    /// Hashes of images that are gone, as code.
    pub removed: Vec<String>,
    /// Hashes of images whose category has changed, as code, each with both categories.
    pub relabelled: Vec<String>,
}

impl ChangeLines {
    /// The lines of the document `text`; `None` unless it is one about the release `title` from version `from` to `to`.
    pub fn read(text: &str, title: &str, [from, to]: [&String; 2]) -> Option<Self> {
        let mut lines = Self::default();
        for section in text.split("\n## ").skip(1) {
            let (heading, rest) = section.split_once('\n')?;
            let list = match heading {
                "Added" => &mut lines.added,
                "Removed" => &mut lines.removed,
                "Relabelled" => &mut lines.relabelled,
                _ => return None,
            };
            list.extend(rest.lines().filter_map(|line| line.strip_prefix("- ")).map(str::to_owned));
        }
        (document(title, [from, to], &lines) == text).then_some(lines)
    }

    /// The hash of the image in a line.
    pub fn hash(line: &str) -> Option<&str> {
        Some(line.strip_prefix('`')?.split_once('`')?.0)
    }

    /// Whether a line about another category ends with `category`.
    pub fn leads_to(line: &str, category: &str) -> bool {
        line.ends_with(&format!(" to {}", code(category)))
    }
}

fn document(title: &str, [from, to]: [&String; 2], lines: &ChangeLines) -> String {
    format!(
        "# Changes of {}: {} to {}\n\n{} added, {} removed, {} relabelled.\n{}{}{}",
        markdown(title),
        code(from),
        code(to),
        counted(lines.added.len() as u64, "image"),
        lines.removed.len(),
        lines.relabelled.len(),
        list("Added", &lines.added),
        list("Removed", &lines.removed),
        list("Relabelled", &lines.relabelled),
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
