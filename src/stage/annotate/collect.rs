//! annotate collect: files of answers -> `answers/`, `verdicts/`.
//!
//! Every input is stored once, under its hash, with all of its rows and with people's ids replaced by keyed hashes.
//! Verdicts are computed again from all inputs. Does not decide which answers count: `people` does.
//!
//! Holds always: one bad file changes nothing, because all files are read before any is stored; only for answers
//! without a time the order of the inputs matters.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::AnnotateError;
use super::rounds;
use crate::answers::{self, MAX_BYTES};
use crate::config::ConfigError;
use crate::domain::{Agreement, Answer, AnswerRow, Key, RawAnswer, RunSpec, Secret, Sha256, parse_time};
use crate::input;
use crate::people::{self, CheckedAnswers, Decisions, Missing, Round, check_answers, decide, lacking, still_hard};
use crate::pool::Pool;
use crate::store::{self, Check, NewRecord, RowCounts, RunDir, ShardRecord, StoreError, UnitState};
use crate::table::{answers_table, verdicts_table};
use crate::work::Context;

/// Name of a fact in a record of answers: the place in the order in which inputs were collected.
const ORDER: &str = "order";

/// Name of a fact in such a record: the file was collected with `--person`.
const NAMED: &str = "person_named";

/// One input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// The file.
    pub file: String,
    /// Answers in it.
    pub rows: u64,
    /// Of these, rows that cannot be used whatever the rest says.
    pub problems: u64,
    /// Rows that are no answers and say so: skipped tasks, submissions that were withdrawn.
    pub excused: u64,
    /// The problem of the first row that cannot be used.
    pub first_problem: Option<String>,
    /// Whether an earlier call read it.
    pub known: bool,
}

/// The figures over all inputs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Collected {
    /// The inputs of this call.
    pub inputs: Vec<Input>,
    /// Answers of all inputs.
    pub answers: u64,
    /// Votes that count.
    pub votes: u64,
    /// Answers that do not count, by reason.
    pub reasons: BTreeMap<String, u64>,
    /// Assignments.
    pub assignments: u64,
    /// Assignments set aside.
    pub set_aside: u64,
    /// Items by verdict.
    pub verdicts: BTreeMap<&'static str, u64>,
    /// Items that lack votes.
    pub missing: u64,
    /// How far people agree.
    pub agreement: Vec<Agreement>,
}

/// A file of answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswersFile {
    /// The file.
    pub path: PathBuf,
    /// The person who gave all answers in it, whatever the file says: two installations of a tool number their people
    /// alike.
    pub person: Option<String>,
}

/// Reads `files` and the answers of the run's own server, and computes the verdicts.
pub fn collect(pool: &Pool, files: &[AnswersFile]) -> Result<Collected, AnnotateError> {
    let (ctx, spec) = (pool.ctx(), pool.spec());
    // First, because without sheets there is nothing to answer.
    some_rounds(ctx)?;
    rounds::check_images(pool)?;
    let secret = ctx.run.secret()?;
    let ids: Vec<String> = spec.annotate.questions.iter().map(|question| question.id.clone()).collect();
    let mut files = files.to_vec();
    if ctx.run.ballots_id()?.is_some() && !files.iter().any(|file| same(&file.path, &ctx.run.ballots())) {
        files.push(AnswersFile { path: ctx.run.ballots(), person: None });
    }
    ctx.progress.start("answers", files.len() as u64);
    // All files are read before any is stored, so that one bad file changes nothing.
    let mut parsed = Vec::with_capacity(files.len());
    for file in &files {
        ctx.check_stop()?;
        parsed.push(parse(ctx, file, &ids)?);
        ctx.progress.advance(1);
    }
    copies(&parsed)?;
    let inputs = parsed.into_iter().map(|parsed| keep(ctx, parsed, &secret)).collect::<Result<Vec<_>, _>>()?;
    ctx.progress.finish();
    let Evaluation { rounds, checked, decisions } = evaluate(ctx, spec)?;
    write(ctx, spec, &checked, &decisions)?;
    let lacking = lacking(&spec.annotate, &rounds, &checked, &decisions.items);
    let missing = still_hard(lacking, pool.hard()?).len() as u64;
    Ok(Collected { inputs, missing, ..summed(&checked, decisions) })
}

/// What follows from all stored answers.
pub struct Evaluation {
    /// All rounds.
    pub rounds: Vec<Round>,
    /// Votes and assignments.
    pub checked: CheckedAnswers,
    /// Verdicts.
    pub decisions: Decisions,
}

/// Computes what follows from all stored answers.
pub fn evaluate(ctx: &Context, spec: &RunSpec) -> Result<Evaluation, AnnotateError> {
    check_closing_date(ctx, spec)?;
    let rounds = some_rounds(ctx)?;
    let checked = check_answers(&spec.annotate, &rounds, &ctx.run.blanks()?, all_answers(ctx)?);
    let decisions = decide(&spec.annotate, &rounds, &checked, spec.seed);
    Ok(Evaluation { rounds, checked, decisions })
}

/// An error if the closing date cannot be read: late answers would count without a word.
fn check_closing_date(ctx: &Context, spec: &RunSpec) -> Result<(), AnnotateError> {
    match &spec.annotate.check.closes {
        Some(closes) if parse_time(closes).is_none() => {
            let file = ctx.run.path().join("spec.toml").display().to_string();
            let problem = format!("`{closes}` is not a date and time; change it with --set annotate.check.closes=…");
            Err(ConfigError::value(&file, "annotate.check.closes", problem).into())
        }
        _ => Ok(()),
    }
}

/// All rounds; an error if there are none.
fn some_rounds(ctx: &Context) -> Result<Vec<Round>, AnnotateError> {
    let rounds = rounds::read_all(ctx)?;
    if rounds.is_empty() {
        return Err(AnnotateError::NoSheets { run: ctx.run_name() });
    }
    Ok(rounds)
}

fn same(a: &Path, b: &Path) -> bool {
    fs::canonicalize(a).ok().zip(fs::canonicalize(b).ok()).is_some_and(|(a, b)| a == b)
}

/// A file that was read.
struct Parsed {
    file: String,
    /// Name of its unit: of its contents, or of the database.
    unit: String,
    key: Sha256,
    /// Whether the caller says who gave the answers.
    is_named: bool,
    /// `None` if an earlier call stored them.
    given: Option<Vec<RawAnswer>>,
}

/// Reads one file, unless an earlier call did.
fn parse(ctx: &Context, file: &AnswersFile, questions: &[String]) -> Result<Parsed, AnnotateError> {
    let AnswersFile { path: file, person } = file;
    let name = file.display().to_string();
    let cannot = |problem: String| AnnotateError::Answers { file: name.clone(), problem };
    let bytes = input::read(file, MAX_BYTES).map_err(|error| {
        let remedy = if error.kind() == ErrorKind::FileTooLarge { "; split it" } else { "" };
        cannot(format!("cannot be read: {error}{remedy}"))
    })?;
    if answers::is_database(&bytes) {
        if person.is_some() {
            return Err(cannot("is the database of a server, which knows its people; leave --person out".to_owned()));
        }
        let own = if same(file, &ctx.run.ballots()) { ctx.run.ballots_id()? } else { None };
        let (id, given) = store::read_ballots(file, own.as_deref())?;
        let key = database_key(questions, &given);
        return Ok(Parsed { file: name, unit: format!("server-{id}"), key, is_named: false, given: Some(given) });
    }
    let input = Sha256::of(&bytes);
    let key = Key::new("answers", 4).list("questions", questions).field("input", input);
    let key = key.field("person", person.as_deref()).finish();
    let unit = input.to_string()[..16].to_owned();
    // A file that was collected for a person stays that person's until another one is named.
    let before = ctx.run.answers(&unit).record()?.filter(|record| record.facts.contains_key(NAMED));
    let key = before.filter(|_| person.is_none()).map_or(key, |record| record.key);
    let known = ctx.run.answers(&unit).state(key, Check::Hashes)?;
    let given = if matches!(known, UnitState::Done(_)) {
        None
    } else {
        Some(answers::read(&bytes, questions, person.as_deref()).map_err(|e| cannot(e.to_string()))?)
    };
    Ok(Parsed { file: name, unit, key, is_named: person.is_some(), given })
}

/// The key of the answers in a database: not of its file, because the last ones may be in its write-ahead log. The
/// questions decide which columns of a table are answers, and are part of every key.
fn database_key(questions: &[String], given: &[RawAnswer]) -> Sha256 {
    let answers = given.iter().map(RawAnswer::identity);
    Key::new("answers", 3).list("questions", questions).list("input", answers).finish()
}

/// How many answers the run's own server has, if they are not the collected ones.
pub fn not_collected(ctx: &Context, spec: &RunSpec) -> Result<Option<u64>, AnnotateError> {
    let Some(id) = ctx.run.ballots_id()? else { return Ok(None) };
    let (id, given) = store::read_ballots(&ctx.run.ballots(), Some(&id))?;
    let questions: Vec<String> = spec.annotate.questions.iter().map(|question| question.id.clone()).collect();
    let collected = ctx.run.answers(&format!("server-{id}")).record()?;
    let is_collected = match collected {
        Some(record) => record.key == database_key(&questions, &given),
        None => given.is_empty(),
    };
    Ok((!is_collected).then_some(given.len() as u64))
}

/// An error if two databases are copies of one database with different answers, because nobody can tell which answers
/// are the last; or if one file is given for two people.
fn copies(parsed: &[Parsed]) -> Result<(), AnnotateError> {
    for (at, input) in parsed.iter().enumerate() {
        if let Some(other) = parsed[..at].iter().find(|other| other.unit == input.unit && other.given != input.given) {
            let problem = if other.file == input.file {
                "is given for two people; name one of them".to_owned()
            } else {
                format!(
                    "is another copy of {}, with other answers or for another person; collect one of them",
                    other.file
                )
            };
            return Err(AnnotateError::Answers { file: input.file.clone(), problem });
        }
    }
    Ok(())
}

/// Stores what was read.
fn keep(ctx: &Context, parsed: Parsed, secret: &Secret) -> Result<Input, AnnotateError> {
    let Parsed { file, unit, key, is_named, given } = parsed;
    let unit = ctx.run.answers(&unit);
    let before = unit.record()?;
    let Some(given) = given else {
        let RowCounts { given, dropped, .. } = before.map(|record| record.rows).unwrap_or_default();
        return Ok(Input { file, rows: given, problems: dropped, excused: 0, first_problem: None, known: true });
    };
    let excused = given.iter().filter(|row| row.is_excused).count() as u64;
    let is_bad: Vec<bool> = given.iter().map(|row| !row.is_excused).collect();
    let rows: Vec<AnswerRow> = given.into_iter().map(|given| row(given, secret)).collect();
    let mut bad = rows.iter().zip(is_bad).filter(|(row, is_bad)| *is_bad && row.problem.is_some());
    let first_problem = bad.clone().find_map(|(row, _)| row.problem.clone());
    let problems = bad.by_ref().count() as u64;
    let counts =
        RowCounts { given: rows.len() as u64, kept: rows.len() as u64 - problems, dropped: problems, failed: 0 };
    // An input that has grown, or is read again, keeps its place.
    let order = match before {
        Some(record) => order(&record),
        None => next_order(ctx)?,
    };
    let mut facts = BTreeMap::from([(ORDER.to_owned(), order.to_string())]);
    if is_named {
        facts.insert(NAMED.to_owned(), "yes".to_owned());
    }
    let record = NewRecord { key, rows: counts, lost: Vec::new(), facts, sums: None };
    unit.commit(&[("parquet", answers_table::encode(&rows)?)], record)?;
    unit.tidy()?;
    Ok(Input { file, rows: counts.given, problems, excused, first_problem, known: false })
}

fn order(record: &ShardRecord) -> u64 {
    record.facts.get(ORDER).and_then(|order| order.parse().ok()).unwrap_or(0)
}

fn next_order(ctx: &Context) -> Result<u64, StoreError> {
    let mut next = 0;
    for name in ctx.run.answered_to_continue()? {
        next = next.max(order(&ctx.run.answers(&name).existing()?) + 1);
    }
    Ok(next)
}

/// An answer with the person's id replaced by its keyed hash; white space around the id and its case do not matter.
fn row(given: RawAnswer, secret: &Secret) -> AnswerRow {
    let answer = Answer::read(&given.answer);
    let unread = || answer.is_none().then(|| "the answer is not yes, no or not_sure".to_owned());
    let id = given.person.trim().to_lowercase();
    AnswerRow {
        problem: given.problem.clone().or_else(unread),
        annotation: given.annotation.map(|id| secret.name("annotation", &id)),
        person: if id.is_empty() { String::new() } else { secret.name("person", &id) },
        // Names are shorter than this; a longer text is not a name and is not stored whole.
        task: given.task.chars().take(64).collect(),
        question: given.question.chars().take(64).collect(),
        answer,
        at_ms: given.at_ms,
    }
}

/// All answers, in the order in which their inputs first came.
fn all_answers(ctx: &Context) -> Result<Vec<AnswerRow>, AnnotateError> {
    let mut inputs = Vec::new();
    for name in ctx.run.answered()? {
        let record = ctx.run.answers(&name).existing()?;
        inputs.push((order(&record), name, record));
    }
    inputs.sort_by_key(|(order, ..)| *order);
    let mut rows = Vec::new();
    for (_, name, record) in inputs {
        rows.extend(answers_table::decode(&ctx.run.answers(&name).checked(&record, "parquet")?)?);
    }
    Ok(rows)
}

fn write(ctx: &Context, spec: &RunSpec, checked: &CheckedAnswers, decisions: &Decisions) -> Result<(), AnnotateError> {
    let questions: Vec<String> = spec.annotate.questions.iter().map(|question| question.id.clone()).collect();
    let rows = RowCounts::all_kept(decisions.items.len() as u64);
    let facts = BTreeMap::from([(RunDir::INPUTS.to_owned(), ctx.run.answered()?.join(" "))]);
    let record = NewRecord { key: key(ctx, spec)?, rows, lost: Vec::new(), facts, sums: None };
    let files = [
        ("votes.parquet", verdicts_table::encode_votes(&checked.votes)?),
        ("assignments.parquet", verdicts_table::encode_assignments(&checked.assignments)?),
        ("items.parquet", verdicts_table::encode_items(&questions, &decisions.items)?),
        ("people.parquet", verdicts_table::encode_people(&decisions.people)?),
        ("agreement.parquet", verdicts_table::encode_agreement(&decisions.agreement)?),
    ];
    ctx.run.verdicts().commit(&files, record)?;
    Ok(ctx.run.verdicts().tidy()?)
}

/// Hash of all rounds of sheets, and of the tasks on them whose images could not be shown.
fn sheets(ctx: &Context) -> Result<Sha256, StoreError> {
    let mut rounds = Vec::new();
    for index in 0..ctx.run.rounds()? {
        rounds.push(ctx.run.round(index).existing()?.hash());
    }
    Ok(Key::new("sheets", 1).list("rounds", rounds).list("blanks", ctx.run.blanks()?).finish())
}

/// Hash of what verdicts are made from: sheets, all inputs, and the section [annotate] of the recipe.
pub fn key(ctx: &Context, spec: &RunSpec) -> Result<Sha256, StoreError> {
    let names = ctx.run.answered()?;
    let mut records = Vec::with_capacity(names.len());
    for name in &names {
        records.push(ctx.run.answers(name).existing()?.hash());
    }
    let key = Key::new("verdicts", 2).field("sheets", sheets(ctx)?).list("names", names).list("records", records);
    Ok(key.field("annotate", spec.annotate.identity()).finish())
}

fn summed(checked: &CheckedAnswers, decisions: Decisions) -> Collected {
    let mut collected = Collected {
        answers: checked.votes.len() as u64,
        assignments: checked.assignments.len() as u64,
        set_aside: checked.assignments.iter().filter(|row| row.reason.is_some()).count() as u64,
        agreement: decisions.agreement,
        ..Collected::default()
    };
    for vote in &checked.votes {
        match &vote.reason {
            None => collected.votes += 1,
            Some(reason) => *collected.reasons.entry(without_place(reason).to_owned()).or_default() += 1,
        }
    }
    for item in &decisions.items {
        *collected.verdicts.entry(item.verdict.name()).or_default() += 1;
    }
    collected
}

/// The reason without the place at its beginning, so that a thousand rows with one fault are one line.
fn without_place(reason: &str) -> &str {
    let after = |place: &str| {
        let (number, rest) = reason.strip_prefix(place)?.split_once(": ")?;
        number.bytes().all(|byte| byte.is_ascii_digit()).then_some(rest)
    };
    after("line ").or_else(|| after("entry ")).unwrap_or(reason)
}

/// Items that still lack votes.
pub fn missing(ctx: &Context, spec: &RunSpec) -> Result<Missing, AnnotateError> {
    let Evaluation { rounds, checked, decisions } = evaluate(ctx, spec)?;
    Ok(people::missing(&spec.annotate, &rounds, &checked, &decisions.items))
}
