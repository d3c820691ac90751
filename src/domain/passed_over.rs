//! Files of a folder that a run passes over, counted by the extensions of their names.
//!
//! Does not look at files. Holds always: the counts of a record are read back as they were written.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Kinds of files that are named; further ones are counted together.
const NAMED: usize = 8;
/// Longer endings of names are no extensions.
const LONGEST: usize = 12;
/// The kind of files without an extension.
const NONE: &str = "none";
/// The kind of files that a system leaves in folders.
const SYSTEM: &str = "of the system";
const OF_SYSTEM: [&str; 3] = ["thumbs.db", "ehthumbs.db", "desktop.ini"];

/// How many files of each kind: `.tif`, `none`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PassedOver(pub BTreeMap<String, u64>);

impl PassedOver {
    /// The name of this fact in the record of a plan.
    pub const FACT: &'static str = "passed_over";

    /// Counts a file by its name.
    pub fn add(&mut self, name: &str) {
        let name = name.to_lowercase();
        let kind = match name.rsplit_once('.') {
            _ if OF_SYSTEM.contains(&name.as_str()) => SYSTEM.to_owned(),
            Some((_, extension)) if is_extension(extension) => format!(".{extension}"),
            _ => NONE.to_owned(),
        };
        *self.0.entry(kind).or_default() += 1;
    }

    /// Files in all.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What people are told: `6 files were passed over: .tif 3, .heic 2, none 1`.
    pub fn words(&self) -> String {
        let total = self.total();
        format!("{total} {}: {self}", if total == 1 { "file was passed over" } else { "files were passed over" })
    }

    /// The same below a heading that says so: `6 files: .tif 3, .heic 2, none 1`.
    pub fn count_words(&self) -> String {
        let total = self.total();
        format!("{total} file{}: {self}", if total == 1 { "" } else { "s" })
    }
}

fn is_extension(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len()) && text.chars().all(char::is_alphanumeric)
}

impl fmt::Display for PassedOver {
    /// The most frequent first: `.tif 3, .heic 2, none 1`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut kinds: Vec<(&str, u64)> = self.0.iter().map(|(kind, &files)| (kind.as_str(), files)).collect();
        kinds.sort_by_key(|&(kind, files)| (kind == SYSTEM, kind == NONE, std::cmp::Reverse(files)));
        let others: u64 = kinds.iter().skip(NAMED).map(|(_, files)| files).sum();
        for (at, (kind, files)) in kinds.iter().take(NAMED).enumerate() {
            write!(out, "{}{kind} {files}", if at == 0 { "" } else { ", " })?;
        }
        if others > 0 { write!(out, ", others {others}") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[&str]) -> PassedOver {
        let mut passed_over = PassedOver::default();
        names.iter().for_each(|name| passed_over.add(name));
        passed_over
    }

    #[test]
    fn files_are_counted_by_extension_the_most_frequent_first() {
        let names = ["1.tif", "2.TIF", "3.Tif", "a.heic", "b.heic", "README", "Dr. No, and others", "x.", "Thumbs.db"];
        let found = of(&names);
        assert_eq!(found.words(), "9 files were passed over: .tif 3, .heic 2, none 3, of the system 1");
        assert_eq!(of(&["a.tif"]).words(), "1 file was passed over: .tif 1");
        assert_eq!(of(&["a.tif"]).count_words(), "1 file: .tif 1");
    }

    #[test]
    fn many_kinds_are_counted_together() {
        let names: Vec<String> = (0..20).map(|at| format!("a.x{at}")).collect();
        let found = of(&names.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(found.words().ends_with(", others 12"), "{}", found.words());
        assert_eq!(serde_json::from_str::<PassedOver>(&serde_json::to_string(&found).unwrap()).unwrap(), found);
    }
}
