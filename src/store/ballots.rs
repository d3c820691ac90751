//! The database in which `annotate serve` keeps people, their sheets and their answers (SQLite, write-ahead log).
//!
//! Holds always: an answer that was acknowledged is on the disk (`synchronous = FULL`), because nobody answers twice
//! willingly; there is one answer for each person, task and question, however often it is sent, because pages send
//! again what was not acknowledged. The only module that knows rusqlite.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, params};

use super::StoreError;
use crate::domain::RawAnswer;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS people (
        name TEXT PRIMARY KEY COLLATE NOCASE, added_ms INTEGER NOT NULL, seen_ms INTEGER) STRICT;
    CREATE TABLE IF NOT EXISTS assignments (
        person TEXT NOT NULL, batch TEXT NOT NULL, given_ms INTEGER NOT NULL, finished_ms INTEGER,
        PRIMARY KEY (person, batch)) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS answers (
        person TEXT NOT NULL, batch TEXT NOT NULL, task TEXT NOT NULL, question TEXT NOT NULL,
        answer TEXT NOT NULL, at_ms INTEGER NOT NULL, seal INTEGER NOT NULL,
        PRIMARY KEY (person, task, question)) STRICT, WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS database (id TEXT NOT NULL) STRICT;
    INSERT INTO database SELECT lower(hex(randomblob(4))) WHERE NOT EXISTS (SELECT 1 FROM database);
    PRAGMA user_version = 2;
";

/// The version of the schema (`PRAGMA user_version`).
const VERSION: i64 = 2;

/// The open database.
pub struct Ballots(Connection);

/// One change to the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BallotChange {
    /// A person answers; without an answer, the earlier one is withdrawn.
    Answer {
        /// The person.
        person: String,
        /// The sheet.
        batch: String,
        /// The task.
        task: String,
        /// The question.
        question: String,
        /// The answer; `None` withdraws the earlier one, but not from a finished sheet.
        answer: Option<String>,
    },
    /// A person is given a sheet.
    Given {
        /// The person.
        person: String,
        /// The sheet.
        batch: String,
    },
    /// A person has finished a sheet.
    Finished {
        /// The person.
        person: String,
        /// The sheet.
        batch: String,
        /// Answers that a finished sheet has; with fewer, it is not finished.
        answers: u64,
    },
}

/// One person, for the owner's page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonProgress {
    /// The person.
    pub name: String,
    /// Answers.
    pub answers: u64,
    /// Sheets finished.
    pub finished: u64,
    /// When the person last did something, in milliseconds since 1970 (UTC).
    pub seen_ms: Option<i64>,
}

/// A sheet that was given to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandedOut {
    /// The person.
    pub person: String,
    /// The sheet.
    pub batch: String,
    /// When it was given, in milliseconds since 1970 (UTC).
    pub given_ms: i64,
    /// Whether it is finished.
    pub finished: bool,
}

impl Ballots {
    /// Opens the database at `path`, or creates it.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let cannot = |source: rusqlite::Error| failed(path, source);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(StoreError::io("make folder", folder))?;
        }
        let connection = Connection::open(path).map_err(cannot)?;
        connection.busy_timeout(Duration::from_secs(10)).map_err(cannot)?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(cannot)?;
        connection.pragma_update(None, "synchronous", "FULL").map_err(cannot)?;
        connection.execute_batch(SCHEMA).map_err(cannot)?;
        Ok(Self(connection))
    }

    /// Adds people; those already in the database stay unchanged.
    pub fn add_people(&self, names: &[String], now_ms: i64) -> Result<(), StoreError> {
        let insert = "INSERT OR IGNORE INTO people (name, added_ms) VALUES (?1, ?2)";
        for name in names {
            self.0.execute(insert, params![name, now_ms]).map_err(|e| self.failed(e))?;
        }
        Ok(())
    }

    /// All people, sorted by name.
    pub fn people(&self) -> Result<Vec<PersonProgress>, StoreError> {
        let query = "SELECT name, (SELECT count(*) FROM answers WHERE person = name),
            (SELECT count(*) FROM assignments WHERE person = name AND finished_ms IS NOT NULL), seen_ms
            FROM people ORDER BY name";
        self.rows(query, |row| {
            let count = |at: usize| row.get::<_, i64>(at).map(|count| count as u64);
            Ok(PersonProgress { name: row.get(0)?, answers: count(1)?, finished: count(2)?, seen_ms: row.get(3)? })
        })
    }

    /// Every sheet that was given to a person.
    pub fn assignments(&self) -> Result<Vec<HandedOut>, StoreError> {
        let query =
            "SELECT person, batch, given_ms, finished_ms IS NOT NULL FROM assignments ORDER BY given_ms, person, batch";
        self.rows(query, |row| {
            Ok(HandedOut { person: row.get(0)?, batch: row.get(1)?, given_ms: row.get(2)?, finished: row.get(3)? })
        })
    }

    /// A person's answers to a sheet: task, question, answer.
    pub fn sheet(&self, person: &str, batch: &str) -> Result<Vec<(String, String, String)>, StoreError> {
        let mut query = self
            .0
            .prepare_cached("SELECT task, question, answer FROM answers WHERE person = ?1 AND batch = ?2")
            .map_err(|e| self.failed(e))?;
        let rows = query.query_map(params![person, batch], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        rows.and_then(Iterator::collect).map_err(|e| self.failed(e))
    }

    /// Saves all changes or none; they are on the disk when this returns. For each, whether it was possible: an answer
    /// on a finished sheet is not withdrawn, and a sheet that lacks answers is not finished.
    pub fn save(&mut self, changes: &[BallotChange], now_ms: i64) -> Result<Vec<bool>, StoreError> {
        let saved = self.save_all(changes, now_ms);
        saved.map_err(|e| self.failed(e))
    }

    fn save_all(&mut self, changes: &[BallotChange], now_ms: i64) -> rusqlite::Result<Vec<bool>> {
        let transaction = self.0.transaction()?;
        let possible = changes.iter().map(|change| change.save(&transaction, now_ms)).collect::<Result<_, _>>()?;
        transaction.commit()?;
        Ok(possible)
    }

    /// All answers, oldest first.
    pub fn answers(&self) -> Result<Vec<RawAnswer>, StoreError> {
        self.answers_with_seals().map_err(|e| self.failed(e))
    }

    fn answers_with_seals(&self) -> rusqlite::Result<Vec<RawAnswer>> {
        let query =
            "SELECT person, task, question, answer, at_ms, seal FROM answers ORDER BY at_ms, person, task, question";
        let mut statement = self.0.prepare_cached(query)?;
        let rows = statement.query_map([], |row| {
            let (person, task, question, answer) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
            let answer = RawAnswer { person, task, question, answer, at_ms: row.get(4)?, ..RawAnswer::default() };
            if row.get::<_, i64>(5)? == seal(&answer) { Ok(answer) } else { Err(changed()) }
        });
        rows.and_then(Iterator::collect)
    }

    /// Moves everything into the one file of the database; `false` if somebody else has it open.
    pub(super) fn finish(self) -> Result<bool, StoreError> {
        let busy = self.0.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        busy.map(|busy| busy == 0).map_err(|e| self.failed(e))
    }

    fn rows<T>(
        &self,
        query: &str,
        row: impl FnMut(&rusqlite::Row) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self.0.prepare_cached(query).map_err(|e| self.failed(e))?;
        let rows = statement.query_map([], row);
        rows.and_then(Iterator::collect).map_err(|e| self.failed(e))
    }

    fn failed(&self, source: rusqlite::Error) -> StoreError {
        failed(Path::new(self.0.path().unwrap_or("the database of answers")), source)
    }
}

impl BallotChange {
    /// Whether it was possible.
    fn save(&self, to: &Connection, now_ms: i64) -> rusqlite::Result<bool> {
        let execute = |text: &str, values: &[&dyn rusqlite::ToSql]| to.prepare_cached(text)?.execute(values);
        let mut possible = true;
        let person = match self {
            Self::Answer { person, batch, task, question, answer: Some(answer) } => {
                let raw = RawAnswer {
                    person: person.clone(),
                    task: task.clone(),
                    question: question.clone(),
                    answer: answer.clone(),
                    at_ms: Some(now_ms),
                    ..RawAnswer::default()
                };
                execute(KEEP, params![person, batch, task, question, answer, now_ms, seal(&raw)])?;
                person
            }
            Self::Answer { person, batch, task, question, answer: None } => {
                let finished = to.prepare_cached(IS_FINISHED)?.exists(params![person, batch])?;
                possible = !finished;
                if possible {
                    execute(WITHDRAW, params![person, task, question])?;
                }
                person
            }
            Self::Given { person, batch } => {
                execute(GIVE, params![person, batch, now_ms])?;
                person
            }
            Self::Finished { person, batch, answers } => {
                possible = execute(FINISH, params![person, batch, now_ms, *answers as i64])? == 1;
                person
            }
        };
        execute("UPDATE people SET seen_ms = ?2 WHERE name = ?1", params![person, now_ms])?;
        Ok(possible)
    }
}

const KEEP: &str = "INSERT INTO answers (person, batch, task, question, answer, at_ms, seal)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
    ON CONFLICT DO UPDATE SET answer = excluded.answer, at_ms = excluded.at_ms, seal = excluded.seal
    WHERE answer <> excluded.answer";
const WITHDRAW: &str = "DELETE FROM answers WHERE person = ?1 AND task = ?2 AND question = ?3";
const GIVE: &str = "INSERT OR IGNORE INTO assignments (person, batch, given_ms) VALUES (?1, ?2, ?3)";
const FINISH: &str = "UPDATE assignments SET finished_ms = coalesce(finished_ms, ?3)
    WHERE person = ?1 AND batch = ?2 AND (finished_ms IS NOT NULL
        OR (SELECT count(*) FROM answers WHERE person = ?1 AND batch = ?2) >= ?4)";
const IS_FINISHED: &str = "SELECT 1 FROM assignments WHERE person = ?1 AND batch = ?2 AND finished_ms IS NOT NULL";

/// What an answer's row holds beside it: the first eight bytes of its hash. SQLite's own check finds damage to the
/// structure of a database, but not to a value in it.
fn seal(answer: &RawAnswer) -> i64 {
    let [a, b, c, d, e, f, g, h, ..] = *answer.identity().bytes();
    i64::from_le_bytes([a, b, c, d, e, f, g, h])
}

fn changed() -> rusqlite::Error {
    corrupt("an answer was changed by something else than hardset".to_owned())
}

fn failed(path: &Path, source: rusqlite::Error) -> StoreError {
    let full = matches!(source.sqlite_error_code(), Some(ErrorCode::DiskFull));
    let kind = if full { std::io::ErrorKind::StorageFull } else { std::io::ErrorKind::Other };
    StoreError::io("use", path)(std::io::Error::new(kind, source))
}

/// The database's id and all of its answers, checked: its structure, and each answer by its seal.
///
/// `own`: the id, if it is the run's own database, to which a server may be writing and which may need recovery; any
/// other database is opened read-only.
pub fn read_ballots(path: &Path, own: Option<&str>) -> Result<(String, Vec<RawAnswer>), StoreError> {
    let damaged = |problem: String| StoreError::Damaged {
        path: path.display().to_string(),
        problem,
        remedy: "restore it from a copy (with its -wal file); it should be a database of `hardset annotate serve`"
            .to_owned(),
    };
    let (id, answers) = read_all(path, own.is_some()).map_err(|error| match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            StoreError::Locked { path: path.display().to_string(), holder: "another process".to_owned() }
        }
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            let kind = std::io::ErrorKind::PermissionDenied;
            StoreError::io("use", path)(std::io::Error::new(kind, error))
        }
        _ => damaged(error.to_string()),
    })?;
    if id.is_empty() || id.len() > 16 || !id.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(damaged("its id is not valid".to_owned()));
    }
    match own {
        Some(own) if own != id => Err(damaged(format!("its id is {id}, but the run's is {own}"))),
        _ => Ok((id, answers)),
    }
}

fn read_all(path: &Path, own: bool) -> rusqlite::Result<(String, Vec<RawAnswer>)> {
    let flags = if own { OpenFlags::SQLITE_OPEN_READ_WRITE } else { OpenFlags::SQLITE_OPEN_READ_ONLY };
    let read = |connection: Connection| {
        connection.busy_timeout(Duration::from_secs(10))?;
        check_structure(&connection)?;
        let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if version != VERSION {
            return Err(corrupt(format!("its format is {version}, but this hardset reads {VERSION}")));
        }
        let id = connection.query_row("SELECT id FROM database", [], |row| row.get(0))?;
        Ok((id, Ballots(connection).answers_with_seals()?))
    };
    let result = Connection::open_with_flags(path, flags).and_then(read);
    let log = path.with_extension("sqlite-wal");
    let no_log = std::fs::metadata(log).map_or(true, |log| log.len() == 0);
    match result {
        // In a folder that cannot be written to, SQLite opens a database with a write-ahead log only if it is told
        // that nobody writes to it.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::CannotOpen) && no_log => {
            let path = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
            Connection::open_with_flags(format!("file:{path}?immutable=1"), flags).and_then(read)
        }
        result => result,
    }
}

/// An error if SQLite finds damage (`PRAGMA integrity_check`).
fn check_structure(connection: &Connection) -> rusqlite::Result<()> {
    let found: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if found == "ok" {
        return Ok(());
    }
    Err(corrupt(found))
}

fn corrupt(problem: String) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT), Some(problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(task: &str, answer: Option<&str>) -> BallotChange {
        BallotChange::Answer {
            person: "ada".into(),
            batch: "b".into(),
            task: task.into(),
            question: "use".into(),
            answer: answer.map(str::to_owned),
        }
    }

    #[test]
    fn an_answer_is_kept_once_changed_and_taken_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("answers/server.sqlite");
        let mut ballots = Ballots::open(&path).unwrap();
        ballots.add_people(&["ada".into(), "ada".into()], 1).unwrap();
        let sent = [("t1", "yes"), ("t1", "yes"), ("t2", "no"), ("t3", "no")];
        let sent = sent.map(|(task, answer)| answered(task, Some(answer)));
        ballots.save(&sent, 5).unwrap();
        ballots.save(&[answered("t2", Some("yes")), answered("t3", None)], 6).unwrap();
        assert_eq!(
            ballots.sheet("ada", "b").unwrap(),
            [("t1", "use", "yes"), ("t2", "use", "yes")].map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned()))
        );
        let (person, batch) = ("ada".to_owned(), "b".to_owned());
        let given = BallotChange::Given { person: person.clone(), batch: batch.clone() };
        ballots.save(&[given.clone(), given, BallotChange::Finished { person, batch, answers: 2 }], 6).unwrap();
        let people = ballots.people().unwrap();
        assert_eq!((people[0].answers, people[0].finished, people[0].seen_ms), (2, 1, Some(6)));
        let (id, answers) = read_ballots(&path, None).unwrap();
        assert_eq!((id.len(), answers.len()), (8, 2));
        drop(ballots);
        assert_eq!(read_ballots(&path, None).unwrap(), (id, answers));
    }

    #[test]
    fn a_sheet_that_lacks_answers_is_not_finished_and_a_finished_one_keeps_its_answers() {
        let dir = tempfile::tempdir().unwrap();
        let mut ballots = Ballots::open(&dir.path().join("server.sqlite")).unwrap();
        let (person, batch) = ("ada".to_owned(), "b".to_owned());
        let finished = BallotChange::Finished { person: person.clone(), batch: batch.clone(), answers: 2 };
        let mut save = |changes: &[BallotChange], at| ballots.save(changes, at).unwrap();
        let first = answered("t1", Some("yes"));
        assert_eq!(save(std::slice::from_ref(&finished), 1), [false], "nobody has it");
        assert_eq!(save(&[BallotChange::Given { person, batch }, first, finished.clone()], 2), [true, true, false]);
        // All in one write: what comes first counts.
        let changes = [answered("t2", Some("no")), answered("t2", None), finished.clone()];
        assert_eq!(save(&changes, 3), [true, true, false]);
        let changes = [answered("t2", Some("no")), finished.clone(), answered("t2", None), finished];
        assert_eq!(save(&changes, 4), [true, true, false, true], "finished once more is finished");
        assert_eq!(save(&[answered("t2", Some("yes"))], 5), [true], "people correct themselves");
        assert_eq!(ballots.sheet("ada", "b").unwrap().len(), 2);
    }

    #[test]
    fn a_changed_answer_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("server.sqlite");
        let mut ballots = Ballots::open(&path).unwrap();
        ballots.save(&[answered("t1", Some("yes"))], 5).unwrap();
        let (id, _) = read_ballots(&path, None).unwrap();
        assert!(read_ballots(&path, Some(&id)).is_ok() && read_ballots(&path, Some("00")).is_err());
        ballots.0.execute("UPDATE answers SET at_ms = 6", []).unwrap();
        assert!(read_ballots(&path, None).unwrap_err().to_string().contains("changed"));
    }

    #[test]
    fn a_database_of_somebody_else_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.sqlite");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE x (y)").unwrap();
        assert!(read_ballots(&path, None).unwrap_err().to_string().contains("annotate serve"));
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.truncate(600);
        std::fs::write(&path, bytes).unwrap();
        assert!(read_ballots(&path, None).is_err());
    }
}
