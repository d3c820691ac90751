//! Commit records: what was made for one unit, from which inputs, and the hashes of its files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{StoreError, atomic::write_whole, hash_file};
use crate::domain::{DropRow, Sha256};

/// The files of one piece of work: `<dir>/<stem>.parquet`, …, committed by `<dir>/<stem>.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// The folder.
    pub dir: PathBuf,
    /// The stem: a shard's number with five digits, or a name.
    pub stem: String,
}

/// How thoroughly a finished unit is checked before its work is skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Checks the record's key and the sizes of its files.
    Sizes,
    /// Also checks the hash of every file.
    Hashes,
}

/// How many rows went in, and the outcomes of their items.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
    /// Adds the counts of `other`.
    pub fn add(&mut self, other: RowCounts) {
        self.given += other.given;
        self.kept += other.kept;
        self.dropped += other.dropped;
        self.failed += other.failed;
    }
}

/// One file of a shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileRecord {
    /// Its name in the record's folder.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// Its hash.
    pub sha256: Sha256,
}

/// The record of one finished shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
}

impl Unit {
    /// The unit of shard `index` in `dir`.
    pub fn shard(dir: PathBuf, index: usize) -> Self {
        Self { dir, stem: format!("{index:05}") }
    }

    /// Path of its file with this extension.
    pub fn file(&self, extension: &str) -> PathBuf {
        self.dir.join(format!("{}.{extension}", self.stem))
    }

    fn record_path(&self) -> PathBuf {
        self.file("json")
    }

    /// Its record. A record that cannot be read counts as missing, so that the work is done again.
    pub fn record(&self) -> Option<ShardRecord> {
        serde_json::from_slice(&fs::read(self.record_path()).ok()?).ok()
    }

    /// Its record, if the unit is done with this key and its files pass the check.
    pub fn done(&self, key: Sha256, check: Check) -> Option<ShardRecord> {
        let record = self.record().filter(|record| record.key == key)?;
        self.problem(&record, check).is_none().then_some(record)
    }

    /// What is wrong with the files of `record`: the file's path and the problem.
    pub fn problem(&self, record: &ShardRecord, check: Check) -> Option<(PathBuf, String)> {
        record.files.iter().find_map(|file| {
            let path = self.dir.join(&file.name);
            file_problem(&path, file, check).map(|problem| (path, problem))
        })
    }

    /// Writes the files (extension, bytes) and then the record that vouches for them.
    pub fn commit(&self, files: &[(&str, Vec<u8>)], record: ShardRecord) -> Result<ShardRecord, StoreError> {
        let mut record = record;
        for (extension, bytes) in files {
            let path = self.file(extension);
            write_whole(&path, bytes)?;
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            record.files.push(FileRecord { name, bytes: bytes.len() as u64, sha256: Sha256::of(bytes) });
        }
        let mut json =
            serde_json::to_vec_pretty(&record).map_err(|e| StoreError::io("write", &self.record_path())(e.into()))?;
        json.push(b'\n');
        write_whole(&self.record_path(), &json)?;
        Ok(record)
    }
}

impl ShardRecord {
    /// Hash of the record, which identifies the contents of all its files.
    pub fn hash(&self) -> Sha256 {
        Sha256::of(&serde_json::to_vec(self).unwrap_or_default())
    }
}

fn file_problem(path: &Path, expected: &FileRecord, check: Check) -> Option<String> {
    let size = match fs::metadata(path) {
        Ok(metadata) => metadata.len(),
        Err(error) => return Some(error.to_string()),
    };
    if size != expected.bytes {
        return Some(format!("it has {size} bytes instead of {}", expected.bytes));
    }
    if check == Check::Sizes {
        return None;
    }
    match hash_file(path) {
        Ok((_, hash)) if hash == expected.sha256 => None,
        Ok((_, hash)) => Some(format!("its SHA-256 is {} instead of {}", hash.short(), expected.sha256.short())),
        Err(error) => Some(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: &[u8]) -> ShardRecord {
        ShardRecord {
            key: Sha256::of(key),
            rows: RowCounts::default(),
            files: vec![],
            lost: vec![],
            facts: BTreeMap::new(),
        }
    }

    #[test]
    fn a_shard_is_done_only_with_its_key_and_its_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let unit = Unit::shard(dir.path().join("images"), 3);
        assert!(unit.record().is_none());
        let written = unit.commit(&[("parquet", b"rows".to_vec())], record(b"k")).unwrap();
        assert_eq!(unit.done(Sha256::of(b"k"), Check::Hashes), Some(written));
        assert_eq!(unit.done(Sha256::of(b"other"), Check::Sizes), None);

        fs::write(unit.file("parquet"), b"r0ws").unwrap();
        assert!(unit.done(Sha256::of(b"k"), Check::Sizes).is_some());
        assert!(unit.done(Sha256::of(b"k"), Check::Hashes).is_none());
        fs::write(unit.file("parquet"), b"row").unwrap();
        assert!(unit.done(Sha256::of(b"k"), Check::Sizes).is_none());
        fs::write(unit.file("json"), b"{").unwrap();
        assert!(unit.record().is_none());
    }
}
