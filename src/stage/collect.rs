//! annotate collect: files of answers -> `answers/`, `verdicts/`.
//!
//! An input is read once and kept by its hash, all rows of it, with people's ids replaced by keyed hashes; verdicts are made
//! anew from all inputs, so that the order in which files come does not matter.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::decide::{Agreement, Decided, PersonRow, decide};
use super::sheets::{self, Candidate, Round};
use super::tally::{Tallied, tally};
use super::{Context, StageError};
use crate::answers::{self, MAX_BYTES, quoted};
use crate::domain::{Answer, AnswerRow, Assignment, Given, ItemVerdict, KeyHasher, RunSpec, Secret, Sha256};
use crate::store::{self, Check, Rows, ShardRecord};
use crate::table::{answers_table, verdicts_table};

/// Name of the input that `annotate serve` fills.
const SERVER: &str = "server";

/// One input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// The file.
    pub file: String,
    /// Answers in it.
    pub rows: u64,
    /// Of these, rows that make no sense by themselves.
    pub problems: u64,
    /// The first of them.
    pub first_problem: Option<String>,
    /// Whether it was known already.
    pub known: bool,
}

/// What the answers of all inputs came to.
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

/// Reads `files` (and the answers of the run's own server) and decides.
pub fn collect(ctx: &Context, spec: &RunSpec, files: &[PathBuf]) -> Result<Collected, StageError> {
    let rounds = rounds(ctx)?;
    let secret = ctx.run.secret()?;
    let ids: Vec<String> = spec.annotate.questions.iter().map(|question| question.id.clone()).collect();
    let mut inputs = Vec::with_capacity(files.len());
    ctx.progress.start("answers", files.len() as u64);
    for file in files {
        ctx.check_stop()?;
        inputs.push(input(ctx, file, &ids, &secret)?);
        ctx.progress.advance(1);
    }
    if ctx.run.ballots().is_file() && !files.iter().any(|file| same(file, &ctx.run.ballots())) {
        inputs.push(input(ctx, &ctx.run.ballots(), &ids, &secret)?);
    }
    ctx.progress.finish();
    let tallied = tally(&spec.annotate, &rounds, all_answers(ctx)?);
    let decided = decide(&spec.annotate, &rounds, &tallied, spec.seed);
    write(ctx, spec, (&tallied, &decided))?;
    let missing = lacking(spec, &decided.items).len() as u64;
    Ok(Collected { inputs, missing, ..summed(&tallied, decided) })
}

/// All rounds; none is an error.
fn rounds(ctx: &Context) -> Result<Vec<Round>, StageError> {
    let rounds = sheets::read_all(ctx)?;
    match rounds.is_empty() {
        true => Err(StageError::NoSheets { run: ctx.run.path().display().to_string() }),
        false => Ok(rounds),
    }
}

fn same(a: &Path, b: &Path) -> bool {
    fs::canonicalize(a).ok().zip(fs::canonicalize(b).ok()).is_some_and(|(a, b)| a == b)
}

/// Reads one file, unless it is known.
fn input(ctx: &Context, file: &Path, questions: &[String], secret: &Secret) -> Result<Input, StageError> {
    let name = file.display().to_string();
    let cannot = |problem: String| StageError::Answers { file: name.clone(), problem };
    let size = fs::metadata(file).map_err(|e| cannot(format!("cannot be read: {e}")))?.len();
    if size > MAX_BYTES {
        return Err(cannot(format!("has {size} bytes, more than {MAX_BYTES}; split it")));
    }
    let bytes = fs::read(file).map_err(|e| cannot(format!("cannot be read: {e}")))?;
    let (unit, given) = if answers::is_database(&bytes) {
        (SERVER.to_owned(), store::read_ballots(file)?)
    } else {
        let unit = Sha256::of(&bytes).to_string()[..16].to_owned();
        let known = ctx.run.answers(&unit);
        if let Some(record) = known.record().and_then(|record| known.done(record.key, Check::Hashes)) {
            let Rows { given, dropped, .. } = record.rows;
            return Ok(Input { file: name, rows: given, problems: dropped, first_problem: None, known: true });
        }
        (unit, answers::read(&bytes, questions).map_err(|e| cannot(e.to_string()))?)
    };
    let rows: Vec<AnswerRow> = given.into_iter().map(|given| row(given, secret)).collect();
    let problems = rows.iter().filter(|row| row.problem.is_some()).count() as u64;
    let first_problem = rows.iter().find_map(|row| row.problem.clone());
    let counts = Rows { given: rows.len() as u64, kept: rows.len() as u64 - problems, dropped: problems, failed: 0 };
    let key = KeyHasher::new().field("stage", "answers 1").field("input", Sha256::of(&bytes).to_string()).finish();
    let record = ShardRecord { key, rows: counts, files: Vec::new(), lost: Vec::new(), facts: Default::default() };
    ctx.run.answers(&unit).commit(&[("parquet", answers_table::encode(&rows)?)], record)?;
    Ok(Input { file: name, rows: counts.given, problems, first_problem, known: false })
}

/// An answer with the person's id replaced.
fn row(given: Given, secret: &Secret) -> AnswerRow {
    let answer = Answer::read(&given.answer);
    let unread =
        || answer.is_none().then(|| format!("{} is no answer; yes, no and not_sure are", quoted(&given.answer)));
    AnswerRow {
        problem: given.problem.clone().or_else(unread),
        person: if given.person.is_empty() { String::new() } else { secret.name("person", &given.person) },
        // Names are short; anything longer is not one of them, and need not be kept whole to say so.
        task: given.task.chars().take(64).collect(),
        question: given.question.chars().take(64).collect(),
        answer,
        at_ms: given.at_ms,
    }
}

fn all_answers(ctx: &Context) -> Result<Vec<AnswerRow>, StageError> {
    let mut rows = Vec::new();
    for name in ctx.run.answered() {
        rows.extend(answers_table::decode(&ctx.run.answers(&name).file("parquet"))?);
    }
    Ok(rows)
}

fn write(ctx: &Context, spec: &RunSpec, (tallied, decided): (&Tallied, &Decided)) -> Result<(), StageError> {
    let questions: Vec<String> = spec.annotate.questions.iter().map(|question| question.id.clone()).collect();
    let names = ctx.run.answered();
    let inputs = names.iter().filter_map(|name| Some((name, ctx.run.answers(name).record()?)));
    let key = inputs.fold(KeyHasher::new().field("stage", "verdicts 1"), |key, (name, record)| {
        key.field(name, record.hash().to_string())
    });
    let key = key.field("annotate", serde_json::to_vec(&spec.annotate).unwrap_or_default()).finish();
    let items = decided.items.len() as u64;
    let counts = Rows { given: items, kept: items, dropped: 0, failed: 0 };
    let record = ShardRecord { key, rows: counts, files: Vec::new(), lost: Vec::new(), facts: Default::default() };
    let files = [
        ("votes.parquet", verdicts_table::encode_votes(&tallied.votes)?),
        ("assignments.parquet", verdicts_table::encode_assignments(&tallied.assignments)?),
        ("items.parquet", verdicts_table::encode_items(&questions, &decided.items)?),
    ];
    ctx.run.verdicts().commit(&files, record)?;
    Ok(())
}

fn summed(tallied: &Tallied, decided: Decided) -> Collected {
    let mut collected = Collected {
        answers: tallied.votes.len() as u64,
        assignments: tallied.assignments.len() as u64,
        set_aside: tallied.assignments.iter().filter(|row| row.reason.is_some()).count() as u64,
        agreement: decided.agreement,
        ..Collected::default()
    };
    for vote in &tallied.votes {
        match &vote.reason {
            None => collected.votes += 1,
            Some(reason) => *collected.reasons.entry(reason.clone()).or_default() += 1,
        }
    }
    for item in &decided.items {
        *collected.verdicts.entry(item.verdict.name()).or_default() += 1;
    }
    collected
}

/// Items with fewer valid votes than the recipe wants people, and how many more they want.
fn lacking(spec: &RunSpec, items: &[ItemVerdict]) -> Vec<Candidate> {
    let wanted = spec.annotate.people_per_batch;
    let candidate = |item: &ItemVerdict| {
        let least = item.tallies.iter().map(|tally| tally.votes.iter().sum::<u32>()).min().unwrap_or(0);
        let people = wanted.saturating_sub(least);
        (people > 0).then(|| Candidate { item_id: item.item_id, category: item.category.clone(), people })
    };
    items.iter().filter_map(candidate).collect()
}

/// What people said so far, for the report: `None` before the first answers.
pub struct Said {
    /// Assignments.
    pub assignments: Vec<Assignment>,
    /// Items.
    pub items: Vec<ItemVerdict>,
    /// How far people agree.
    pub agreement: Vec<Agreement>,
    /// People.
    pub people: Vec<PersonRow>,
}

/// The verdicts of all answers that have been collected, worked out anew.
pub fn said(ctx: &Context, spec: &RunSpec) -> Result<Option<Said>, StageError> {
    if ctx.run.answered().is_empty() {
        return Ok(None);
    }
    let rounds = rounds(ctx)?;
    let tallied = tally(&spec.annotate, &rounds, all_answers(ctx)?);
    let Decided { items, agreement, people } = decide(&spec.annotate, &rounds, &tallied, spec.seed);
    Ok(Some(Said { assignments: tallied.assignments, items, agreement, people }))
}

/// Items that still lack votes.
pub fn missing(ctx: &Context, spec: &RunSpec) -> Result<Vec<Candidate>, StageError> {
    let rounds = rounds(ctx)?;
    let tallied = tally(&spec.annotate, &rounds, all_answers(ctx)?);
    Ok(lacking(spec, &decide(&spec.annotate, &rounds, &tallied, spec.seed).items))
}
