//! What the checks of a release share: what is known of it, and what they have found.
//!
//! Holds always: every problem names the file and what to do.

use std::collections::BTreeMap;
use std::path::Path;

use crate::domain::{ReleaseRecord, RunSpec};
use crate::stage::prepare::TOOL;
use crate::stage::verify::Verified;

/// What is known of a release whose files have the hashes of `SHA256SUMS`.
pub struct Known<'a> {
    /// Its folder.
    pub folder: &'a Path,
    /// `release.json`.
    pub record: &'a ReleaseRecord,
    /// The published recipe.
    pub recipe: &'a RunSpec,
    /// Files with their hashes, as `SHA256SUMS` has them.
    pub names: &'a BTreeMap<String, String>,
}

impl Known<'_> {
    /// Whether this program made it: another version may word a document in another way, or add a file.
    pub fn is_ours(&self) -> bool {
        self.record.tool == TOOL
    }
}

/// What has been found so far.
pub struct Findings<'a> {
    /// The release's folder.
    pub folder: &'a Path,
    /// Files and problems.
    pub verified: Verified,
}

impl Findings<'_> {
    /// What is wrong with the file `name`.
    pub fn wrong(&mut self, name: &str, problem: &str) {
        let remedy = "get the release again from where it came, or make it again with `hardset release`";
        self.verified.problems.push(format!("{}: {problem}; {remedy}", self.folder.join(name).display()));
    }

    /// Whether nothing is wrong so far.
    pub fn is_good(&self) -> bool {
        self.verified.problems.is_empty()
    }
}
