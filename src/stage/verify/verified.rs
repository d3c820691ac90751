//! What a verification has found so far, and the checks that all of its parts share.
//!
//! Does not know what a run has. Holds always: a file counts as right only if its record is right and it has the
//! record's size and hash; no table is parsed before.

use std::path::{Path, PathBuf};

use crate::domain::Sha256;
use crate::store::{Check, RunDir, ShardRecord, StoreError, Unit, hash_file};
use crate::table::TableError;

/// What was checked, and what is wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// Files that are what they should be.
    pub files: u64,
    /// Files that should be there, as far as is known: of a unit without a record nobody knows how many.
    pub expected: u64,
    /// One line each: file, problem, remedy.
    pub problems: Vec<String>,
    /// What cannot be checked here, and why.
    pub not_checked: Vec<String>,
    /// Records that are not there, of work that `hardset build` does.
    undone: Vec<PathBuf>,
}

impl Verified {
    /// With the file that says what there is, which was read.
    pub(super) fn begun() -> Self {
        Self { files: 1, expected: 1, ..Self::default() }
    }

    pub(super) fn wrong(&mut self, path: &Path, problem: &str) {
        let remedy = "run the same `hardset build` again";
        self.problems.push(format!("{}: {problem}; {remedy}", path.display()));
    }

    /// Notes an error that says file, problem and remedy itself.
    pub(super) fn damaged(&mut self, error: &StoreError) {
        self.problems.push(error.to_string());
    }

    /// Says in one line what is not done: a run of which half is made has thousands of records that are not there.
    pub(super) fn end(mut self) -> Self {
        let mut undone = std::mem::take(&mut self.undone).into_iter();
        let Some(first) = undone.next() else { return self };
        let others =
            if undone.len() == 0 { String::new() } else { format!(", and neither are {} others", undone.len()) };
        self.wrong(&first, &format!("it is not there{others}: not done yet, or removed"));
        self
    }

    /// Checks a unit's record and files; its record, if everything is right. `key`: that of its inputs, if they are
    /// known.
    pub(super) fn unit(&mut self, unit: &Unit, key: Option<Sha256>) -> Option<ShardRecord> {
        self.expected += 1;
        let record = match unit.record() {
            Ok(Some(record)) => record,
            Ok(None) if unit.is_made_by_build() => {
                self.undone.push(unit.record_path());
                return None;
            }
            Ok(None) => {
                self.damaged(&unit.damaged(&unit.record_path(), "it is missing".to_owned()));
                return None;
            }
            Err(error) => {
                self.damaged(&error);
                return None;
            }
        };
        self.files += 1;
        self.expected += record.files.len() as u64;
        let mut bad = 0;
        for (path, problem) in unit.problems(&record, Check::Hashes) {
            self.damaged(&unit.damaged(&path, problem));
            bad += 1;
        }
        self.files += record.files.len() as u64 - bad;
        if key.is_some_and(|key| key != record.key) {
            self.files -= 1;
            self.damaged(&unit.of_other_inputs());
            return None;
        }
        (bad == 0).then_some(record)
    }

    /// Checks the number of rows of a unit's table, of which the hash is right.
    pub(super) fn rows(
        &mut self,
        unit: &Unit,
        record: &ShardRecord,
        rows: impl FnOnce(&Path) -> Result<usize, TableError>,
    ) {
        let path = match unit.file(record, "parquet") {
            Ok(path) => path,
            Err(error) => return self.damaged(&error),
        };
        match rows(&path) {
            Ok(found) if found as u64 == record.rows.kept => {}
            Ok(found) => self.wrong(&path, &format!("it has {found} rows, but its record says {}", record.rows.kept)),
            Err(error) => self.wrong(&path, &error.to_string()),
        }
    }

    /// Checks a file that people read, which should be equal to a unit's table.
    pub(super) fn link(&mut self, run: &RunDir, link: &Path, unit: &Unit, record: &ShardRecord) {
        self.expected += 1;
        if let Err(error) = run.refresh(link) {
            return self.damaged(&error);
        }
        match (hash_file(link), record.files.first()) {
            (Ok((_, found)), Some(file)) if found == file.sha256 => self.files += 1,
            (Err(error), _) => self.wrong(link, &error.to_string()),
            (Ok(_), _) => {
                let record = unit.record_path();
                self.wrong(link, &format!("it is not the table of {}", record.display()));
            }
        }
    }
}
