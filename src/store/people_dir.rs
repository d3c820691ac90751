//! The part of a run directory that people's work is in: rounds of sheets, answers, verdicts.
//!
//! Does not read tables. Holds always: what people have done cannot be made again, so a file that lacks its record, or
//! a record that lacks its file, is an error and never an empty folder; no file of a round is ever replaced.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::people_stems::{is_input, is_round};
use super::unit::Stems;
use super::{Ballots, RunDir, StoreError, Unit, hash_file, read_ballots, sealed_map, write_whole};

/// What people can do about damage to what cannot be made again.
const RESTORE: &str = "restore it from a copy of the run";
/// Who notes tasks whose images could not be shown. They may work at the same time and have a file each.
const SOURCES: [&str; 2] = ["export", "server"];
/// Name of the entry with the id of the server's database.
const DATABASE: &str = "database";
/// Name of the entry with the hash of the database, while no server has it open.
const CLOSED_SHA256: &str = "closed_sha256";

impl RunDir {
    /// The folder of task sheets and of their secrets.
    pub fn batches(&self) -> PathBuf {
        self.path().join("batches")
    }

    /// Round `index` (from 0) of task sheets: `NNNNN.<hash>.tasks.parquet`, `….sentinels.parquet` and their record.
    pub fn round(&self, index: usize) -> Unit {
        Unit { dir: self.batches(), stem: format!("{index:05}"), remedy: RESTORE, home: None }
    }

    /// How many rounds there are. A file without its record, and a gap, are errors.
    pub fn rounds(&self) -> Result<usize, StoreError> {
        let rounds = self.rounds_to_continue()?;
        let next = self.round(rounds);
        match Stems::below(&next.dir, is_round)?.filed.remove(&next.stem) {
            None => Ok(rounds),
            Some(path) => Err(StoreError::Damaged {
                path: path.display().to_string(),
                problem: "it has no record".to_owned(),
                remedy: "if an export was stopped, run the same `hardset annotate export` again; else restore the \
                         record from a copy of the run"
                    .to_owned(),
            }),
        }
    }

    /// As [`RunDir::rounds`]; a killed process may have left files of the next one.
    pub fn rounds_to_continue(&self) -> Result<usize, StoreError> {
        self.refuse_people_in_bucket()?;
        let Stems { recorded, filed } = Stems::below(&self.batches(), is_round)?;
        let rounds = (0..).take_while(|&index| recorded.contains(&self.round(index).stem)).count();
        let missing = self.round(rounds);
        if let Some(later) = recorded.iter().chain(filed.keys()).find(|stem| **stem > missing.stem) {
            return Err(missing.damaged(&missing.record_path(), format!("it is missing, but round {later} is there")));
        }
        if rounds == 0 && filed.is_empty() && (self.has_verdicts() || !self.answered_to_continue()?.is_empty()) {
            let problem = "it is missing, but people's answers are there".to_owned();
            return Err(missing.damaged(&missing.record_path(), problem));
        }
        Ok(rounds)
    }

    /// Tasks for which people see a grey square, because their images can no longer be shown.
    pub fn blanks(&self) -> Result<BTreeSet<String>, StoreError> {
        let mut blanks = BTreeSet::new();
        if self.rounds()? > 0 {
            for list in self.blank_lists() {
                blanks.extend(list?);
            }
        }
        Ok(blanks)
    }

    /// The lists of such tasks, which a run with rounds has.
    pub fn blank_lists(&self) -> [Result<BTreeSet<String>, StoreError>; 2] {
        SOURCES.map(|source| {
            let path = self.blank_path(source);
            let tasks = sealed_map::read::<bool>(&path)?;
            let tasks = tasks.ok_or_else(|| sealed_map::damaged(&path, "it is missing"))?;
            Ok(tasks.into_keys().collect())
        })
    }

    /// Makes the empty lists of such tasks, with the first round.
    pub fn start_blanks(&self) -> Result<(), StoreError> {
        SOURCES.iter().try_for_each(|source| self.add_blanks(source, &BTreeSet::new()))
    }

    /// Adds such tasks. `source` is `export` or `server`.
    pub fn add_blanks(&self, source: &str, tasks: &BTreeSet<String>) -> Result<(), StoreError> {
        let path = self.blank_path(source);
        let known = sealed_map::read::<bool>(&path)?;
        let is_new = known.is_none();
        if is_new && self.rounds_to_continue()? > 0 {
            return Err(sealed_map::damaged(&path, "it is missing"));
        }
        let mut known = known.unwrap_or_default();
        let before = known.len();
        known.extend(tasks.iter().map(|task| (task.clone(), true)));
        if known.len() == before && !is_new {
            return Ok(());
        }
        write_whole(&path, sealed_map::text(&path, &known)?.as_bytes())
    }

    fn blank_path(&self, source: &str) -> PathBuf {
        self.batches().join(format!("blank.{source}.toml"))
    }

    /// The answers of one input: `answers/<name>.<hash>.parquet` and its record.
    pub fn answers(&self, name: &str) -> Unit {
        let remedy = "collect the same file again, or restore it from a copy of the run";
        Unit { dir: self.path().join("answers"), stem: name.to_owned(), remedy, home: None }
    }

    /// The sorted names of all inputs with answers. A file without its record is an error.
    pub fn answered(&self) -> Result<Vec<String>, StoreError> {
        let Stems { recorded, filed } = Stems::below(&self.path().join("answers"), is_input)?;
        if let Some((name, path)) = filed.iter().find(|(name, _)| !recorded.contains(*name)) {
            return Err(self.answers(name).damaged(path, "it has no record".to_owned()));
        }
        for name in self.inputs_of_verdicts()? {
            if !recorded.contains(&name) {
                let unit = self.answers(&name);
                return Err(unit.damaged(&unit.record_path(), "it is missing, but verdicts follow from it".to_owned()));
            }
        }
        Ok(recorded.into_iter().collect())
    }

    /// As [`RunDir::answered`]; a killed process may have left a file without its record.
    pub fn answered_to_continue(&self) -> Result<Vec<String>, StoreError> {
        Ok(Stems::below(&self.path().join("answers"), is_input)?.recorded.into_iter().collect())
    }

    fn has_verdicts(&self) -> bool {
        self.verdicts().record_path().symlink_metadata().is_ok()
    }

    /// The inputs from which the verdicts follow, by their record.
    fn inputs_of_verdicts(&self) -> Result<Vec<String>, StoreError> {
        let inputs = self.verdicts().record()?.and_then(|mut record| record.facts.remove(Self::INPUTS));
        let inputs = inputs.unwrap_or_default();
        Ok(inputs.split(' ').filter(|name| !name.is_empty()).map(str::to_owned).collect())
    }

    /// Name of a fact in the record of the verdicts: the names of all inputs, with blanks between them.
    pub const INPUTS: &str = "inputs";

    /// The result of all answers: `verdicts/all.<hash>.{votes,assignments,items,people,agreement}.parquet` and their
    /// record.
    pub fn verdicts(&self) -> Unit {
        let remedy = "delete it and run `hardset annotate collect` again";
        Unit { dir: self.path().join("verdicts"), stem: "all".to_owned(), remedy, home: None }
    }

    /// The database in which `annotate serve` keeps answers.
    pub fn ballots(&self) -> PathBuf {
        self.path().join("answers").join("server.sqlite")
    }

    /// The file that says that the run has such a database, and which.
    pub fn ballots_mark(&self) -> PathBuf {
        self.path().join("answers").join("server.toml")
    }

    /// The id of the run's database; `None` before the first `annotate serve`.
    ///
    /// A database that is missing, whose mark is missing, or that was changed since the server stopped is an error.
    pub fn ballots_id(&self) -> Result<Option<String>, StoreError> {
        let (path, mark) = (self.ballots(), self.ballots_mark());
        let noted = self.read_mark()?;
        if noted.is_none() && path.is_file() {
            return Err(StoreError::Damaged {
                path: mark.display().to_string(),
                problem: "it is missing, but the database is there".to_owned(),
                remedy: "run `hardset annotate serve` again, or restore it from a copy of the run".to_owned(),
            });
        }
        let Some(mut noted) = noted else { return Ok(None) };
        if !path.is_file() {
            return Err(sealed_map::damaged(&path, "it is missing, and its answers with it"));
        }
        if let Some(expected) = noted.get(CLOSED_SHA256) {
            let (_, found) = hash_file(&path).map_err(StoreError::io("read", &path))?;
            if found.to_string() != *expected {
                return Err(sealed_map::damaged(&path, "it was changed after the server stopped"));
            }
        }
        Ok(noted.remove(DATABASE))
    }

    /// Makes the run's database unless it is there, and notes its id. One that is not the noted one is an error.
    pub fn start_ballots(&self) -> Result<(), StoreError> {
        let path = self.ballots();
        let id = match self.read_mark()? {
            Some(_) => self.ballots_id()?,
            // A killed process may have made it and not noted it.
            None => {
                drop(Ballots::open(&path)?);
                None
            }
        };
        let (id, _) = read_ballots(&path, id.as_deref())?;
        // From now on it changes.
        self.write_mark(&BTreeMap::from([(DATABASE.to_owned(), id)]))
    }

    /// Notes the hash of the database, to which nobody writes any more.
    pub fn close_ballots(&self) -> Result<(), StoreError> {
        let path = self.ballots();
        if !Ballots::open(&path)?.finish()? {
            return Ok(());
        }
        let Some(mut noted) = self.read_mark()? else { return Ok(()) };
        let (_, sha256) = hash_file(&path).map_err(StoreError::io("read", &path))?;
        noted.insert(CLOSED_SHA256.to_owned(), sha256.to_string());
        self.write_mark(&noted)
    }

    fn read_mark(&self) -> Result<Option<BTreeMap<String, String>>, StoreError> {
        sealed_map::read(&self.ballots_mark())
    }

    fn write_mark(&self, entries: &BTreeMap<String, String>) -> Result<(), StoreError> {
        let mark = self.ballots_mark();
        write_whole(&mark, sealed_map::text(&mark, entries)?.as_bytes())
    }
}
