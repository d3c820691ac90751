//! The rows of annotation: tasks on sheets, answers to them, and the votes and verdicts that follow.
//!
//! Holds always: the secret kind of a task ([`TaskKind`]) is in a table of its own that never leaves the run, because
//! people who know a sentinel would answer it with more care.

use serde::{Deserialize, Serialize};

use super::{Answer, ItemId, Key, Sha256};

/// One image on one sheet, with the question's category.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// The sheet's name, opaque.
    pub batch: String,
    /// The number of people who should fill in this sheet.
    pub people: u32,
    /// Position on the sheet, from 0.
    pub position: u32,
    /// Its opaque name; the same image has another name on another sheet.
    pub name: String,
    /// Id of the category that people are asked about.
    pub category: String,
    /// The image that is shown.
    pub image: TaskImage,
    /// Its kind, which is secret.
    pub kind: TaskKind,
}

impl Task {
    /// The item that this task asks people to judge; `None` for sentinels.
    pub fn judged(&self) -> Option<ItemId> {
        self.image.item().filter(|_| self.kind == TaskKind::Candidate)
    }
}

impl TaskImage {
    /// The item that is shown; `None` for an image from outside the run.
    pub fn item(&self) -> Option<ItemId> {
        match self {
            Self::Item(item) => Some(*item),
            Self::Known(_) => None,
        }
    }
}

/// The image that a task shows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaskImage {
    /// An item of the run.
    Item(ItemId),
    /// A file in the folder of images known to be good, relative to it.
    Known(String),
}

/// The secret kind of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskKind {
    /// The image is to be judged.
    Candidate,
    /// The image certainly shows the category: `yes` is right.
    Positive,
    /// The image certainly shows another category: `no` is right.
    Negative,
    /// The image of the candidate with this name, a second time.
    Repeat(String),
}

impl TaskKind {
    /// The name in tables.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Candidate => "candidate",
            Self::Positive => "positive",
            Self::Negative => "negative",
            Self::Repeat(_) => "repeat",
        }
    }
}

/// One answer as a file of answers or the server's database has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RawAnswer {
    /// The person's id.
    pub person: String,
    /// The task's name.
    pub task: String,
    /// The question's id.
    pub question: String,
    /// The answer.
    pub answer: String,
    /// When it was given, in milliseconds since 1970 (UTC), if known.
    pub at_ms: Option<i64>,
    /// Why the row cannot be used.
    pub problem: Option<String>,
    /// Whether `problem` is no fault of the file: the person skipped the task, or the submission was withdrawn.
    pub is_excused: bool,
    /// The id that the tool gave to the annotation which the answer is part of.
    pub annotation: Option<String>,
}

impl RawAnswer {
    /// A row that cannot be used.
    pub fn bad(problem: impl Into<String>) -> Self {
        Self { problem: Some(problem.into()), ..Self::default() }
    }

    /// The row, which is no answer and says so: nothing is lost without it.
    pub fn excused(self, reason: impl Into<String>) -> Self {
        Self { problem: Some(reason.into()), is_excused: true, ..self }
    }

    /// Hash of all of its fields.
    pub fn identity(&self) -> Sha256 {
        // Databases, whose answers this is for, have neither of the last two.
        let Self { person, task, question, answer, at_ms, problem, is_excused: _, annotation: _ } = self;
        Key::new("answer", 1)
            .field("person", person)
            .field("task", task)
            .field("question", question)
            .field("answer", answer)
            .field("at_ms", at_ms.map(|at_ms| at_ms.to_string()))
            .field("problem", problem.as_deref())
            .finish()
    }
}

/// One answer of an input, checked: a row of `answers/<input>.parquet`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerRow {
    /// The person: a keyed hash of the id in the input.
    pub person: String,
    /// The task's name.
    pub task: String,
    /// The question's id.
    pub question: String,
    /// The answer; `None` where `problem` is set.
    pub answer: Option<Answer>,
    /// When it was given, in milliseconds since 1970 (UTC), if known.
    pub at_ms: Option<i64>,
    /// Why the row cannot be used, as far as the row alone shows it.
    pub problem: Option<String>,
    /// The annotation: a keyed hash of the id in the input, if it has one.
    pub annotation: Option<String>,
}

/// One vote and whether it counts: a row of `verdicts/all.votes.parquet`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VoteRow {
    /// The answer.
    pub given: AnswerRow,
    /// The task's sheet, if the task is known.
    pub batch: Option<String>,
    /// The item, for tasks that show one.
    pub item_id: Option<ItemId>,
    /// Whether it answers a sentinel in an assignment that counts. Some aggregates use such answers as known truth.
    pub is_sentinel: bool,
    /// Why it does not count; `None`: it counts.
    pub reason: Option<String>,
}

/// One person's answers to one sheet: a row of `verdicts/all.assignments.parquet`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The sheet.
    pub batch: String,
    /// The person.
    pub person: String,
    /// Answers given.
    pub answers: u32,
    /// Checks of positive sentinels.
    pub positives: ChecksPassed,
    /// Checks of negative sentinels.
    pub negatives: ChecksPassed,
    /// Checks of repeats.
    pub repeats: ChecksPassed,
    /// Why it is set aside; `None`: it counts.
    pub reason: Option<String>,
}

/// The number of checks passed, and of all checks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChecksPassed {
    /// Checks passed.
    pub passed: u32,
    /// All checks.
    pub all: u32,
}

impl ChecksPassed {
    /// Counts one more check.
    pub fn count(&mut self, passed: bool) {
        self.passed += u32::from(passed);
        self.all += 1;
    }

    /// Adds the counts of `other`.
    pub fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.all += other.all;
    }

    /// Whether at least the share `least` passed; true when there were no checks.
    pub fn reaches(self, least: f64) -> bool {
        f64::from(self.passed) >= least * f64::from(self.all) - 1e-9
    }
}

/// What people decided about an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It belongs in the benchmark.
    Accept,
    /// It does not.
    Reject,
    /// There are too few valid votes.
    Undecided,
}

impl Verdict {
    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Reject => "reject",
            Self::Undecided => "undecided",
        }
    }
}

/// The votes on one item and question; a row of `verdicts/all.items.parquet` has one tally for each question.
#[derive(Debug, Clone, PartialEq)]
pub struct Tally {
    /// Valid votes by answer, in the order of [`Answer::ALL`].
    pub votes: [u32; 3],
    /// The score that the recipe's aggregate gives, in [0, 1]; `None` without a vote.
    pub score: Option<f64>,
}

/// The verdict on one item: a row of `verdicts/all.items.parquet`.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemVerdict {
    /// The item.
    pub item_id: ItemId,
    /// Id of its category.
    pub category: String,
    /// One tally for each question, in the recipe's order.
    pub tallies: Vec<Tally>,
    /// The verdict.
    pub verdict: Verdict,
}

/// How much people agree on one question.
#[derive(Debug, Clone, PartialEq)]
pub struct Agreement {
    /// The question's id.
    pub question: String,
    /// Votes that count.
    pub votes: u64,
    /// Share of the pairs of votes on one image that are equal, in [0, 1].
    pub percent: Option<f64>,
    /// Krippendorff's alpha (nominal), at most 1.
    pub alpha: Option<f64>,
    /// Its 95 % bootstrap interval over images.
    pub interval: Option<(f64, f64)>,
}

/// What one person contributed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PersonRow {
    /// The person, as a keyed hash.
    pub person: String,
    /// Sheets answered.
    pub sheets: u64,
    /// Sheets set aside.
    pub set_aside: u64,
    /// Votes that count.
    pub votes: u64,
    /// Share of equal votes among all pairs of this person's and another person's vote, over all questions.
    pub agreement: Option<f64>,
}

/// The longest name of a person, in characters.
const MAX_NAME: usize = 100;

/// The trimmed name of a person, or what is wrong with it.
pub fn person_name(text: &str) -> Result<String, String> {
    let name = text.trim();
    if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(format!("a name needs 1 to {MAX_NAME} characters without line breaks"));
    }
    Ok(name.to_owned())
}
