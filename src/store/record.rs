//! Commit records: what was made for one unit, from which inputs, and the hashes of its files.
//!
//! Does not write files: [`super::Unit`] does. Holds always: a record that was read is whole and its rows add up; its
//! hash stands for the contents of all files of the unit.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::seal;
use crate::domain::{DropRow, ScoreSums, Sha256};

/// How many rows went in, and the outcomes of their items.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowCounts {
    /// Rows that went in.
    pub given: u64,
    /// Rows in the result.
    pub kept: u64,
    /// Rows whose item cannot be used.
    pub dropped: u64,
    /// Rows on which the work failed.
    pub failed: u64,
}

impl RowCounts {
    /// The counts of a unit that kept all of its rows.
    pub fn all_kept(rows: u64) -> Self {
        Self { given: rows, kept: rows, dropped: 0, failed: 0 }
    }

    /// Adds the counts of `other`.
    pub fn add(&mut self, other: RowCounts) {
        self.given += other.given;
        self.kept += other.kept;
        self.dropped += other.dropped;
        self.failed += other.failed;
    }

    fn add_up(self) -> bool {
        let outcomes = self.kept.checked_add(self.dropped).and_then(|sum| sum.checked_add(self.failed));
        outcomes == Some(self.given)
    }
}

/// One file of a unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// Its name in the record's folder, which has the first eight digits of its hash.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// Its hash.
    pub sha256: Sha256,
}

/// What a unit's maker says about it; the files come with [`super::Unit::commit`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRecord {
    /// Hash of everything that the unit was made from.
    pub key: Sha256,
    /// Row counts.
    pub rows: RowCounts,
    /// One row for every item that was not kept.
    pub lost: Vec<DropRow>,
    /// Further facts for people, such as runtime and device.
    pub facts: BTreeMap<String, String>,
    /// Of predictions: their sums.
    pub sums: Option<ScoreSums>,
}

/// The record of one finished unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardRecord {
    /// Hash of everything that the unit was made from.
    pub key: Sha256,
    /// Row counts.
    pub rows: RowCounts,
    /// Its files.
    pub files: Vec<FileRecord>,
    /// One row for every item that was not kept.
    pub lost: Vec<DropRow>,
    /// Further facts for people, such as runtime and device.
    pub facts: BTreeMap<String, String>,
    /// Of predictions: their sums; `None` in records of format 2.0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sums: Option<ScoreSums>,
    /// Hash of the record as it was written.
    #[serde(skip, default = "unwritten")]
    hash: Sha256,
}

fn unwritten() -> Sha256 {
    Sha256::of(b"")
}

impl ShardRecord {
    /// Hash of the record, which identifies the contents of all its files.
    pub fn hash(&self) -> Sha256 {
        self.hash
    }

    /// The record of these files, and its text.
    pub(super) fn new(record: NewRecord, files: Vec<FileRecord>) -> serde_json::Result<(Self, String)> {
        let NewRecord { key, rows, lost, facts, sums } = record;
        let mut record = Self { key, rows, files, lost, facts, sums, hash: unwritten() };
        let (text, hash) = seal::seal_json(&(serde_json::to_string_pretty(&record)? + "\n"));
        record.hash = hash;
        Ok((record, text))
    }

    /// The record in the text of its file; or what is wrong.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, String> {
        let (hash, text) = seal::open_json(bytes)?;
        let mut record: Self = serde_json::from_str(text).map_err(|e| e.to_string())?;
        record.hash = hash;
        if !record.rows.add_up() {
            return Err("its row counts do not add up".to_owned());
        }
        match record.files.iter().find(|file| file.name.contains(['/', '\\']) || file.name.starts_with('.')) {
            Some(file) => Err(format!("it names the file {:?}, which is not in its folder", file.name)),
            None => Ok(record),
        }
    }
}
