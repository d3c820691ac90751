//! The rows of the human part: tasks on sheets, answers to them, and what became of both.
//!
//! Holds always: what a task secretly is ([`TaskKind`]) stands in a table of its own that never leaves the run.

use serde::{Deserialize, Serialize};

use super::{Answer, ItemId};

/// One image on one sheet, with the question's category.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// The sheet's name, opaque.
    pub batch: String,
    /// People who are to fill in this sheet.
    pub people: u32,
    /// Place on the sheet, from 0.
    pub position: u32,
    /// Its name, opaque: another one for the same image on another sheet.
    pub name: String,
    /// Id of the category that people are asked about.
    pub category: String,
    /// What is shown.
    pub image: TaskImage,
    /// What it secretly is.
    pub kind: TaskKind,
}

impl Task {
    /// The item that people are to judge by this task; `None` for sentinels.
    pub fn judged(&self) -> Option<ItemId> {
        self.image.item().filter(|_| self.kind == TaskKind::Candidate)
    }
}

impl TaskImage {
    /// The item that is shown, if it is one of the run's.
    pub fn item(&self) -> Option<ItemId> {
        match self {
            Self::Item(item) => Some(*item),
            Self::Known(_) => None,
        }
    }
}

/// What a task shows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaskImage {
    /// An item of the run.
    Item(ItemId),
    /// A file below the folder of images known to be good.
    Known(String),
}

/// What a task secretly is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskKind {
    /// An image that is to be judged.
    Candidate,
    /// It surely shows the category: `yes` is right.
    Positive,
    /// It surely shows another category: `no` is right.
    Negative,
    /// The same image as that of the candidate with this name, once more.
    Repeat(String),
}

impl TaskKind {
    /// As the table writes it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Candidate => "candidate",
            Self::Positive => "positive",
            Self::Negative => "negative",
            Self::Repeat(_) => "repeat",
        }
    }
}

/// One answer as an input has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given {
    /// The person's id.
    pub person: String,
    /// The task's name.
    pub task: String,
    /// The question's id.
    pub question: String,
    /// The answer.
    pub answer: String,
    /// When, in milliseconds since 1970 (UTC), if the file says so.
    pub at_ms: Option<i64>,
    /// Why the row cannot be used.
    pub problem: Option<String>,
}

/// One answer, as it was given: a row of `answers/<file>.parquet`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerRow {
    /// Who: a keyed hash of the id that the file has.
    pub person: String,
    /// The task's name.
    pub task: String,
    /// The question's id.
    pub question: String,
    /// The answer; `None` with a reason.
    pub answer: Option<Answer>,
    /// When, in milliseconds since 1970 (UTC), if the file says so.
    pub at_ms: Option<i64>,
    /// Why the row cannot be used, known from the row alone.
    pub problem: Option<String>,
}

/// One vote and whether it counts: a row of `verdicts/votes.parquet`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VoteRow {
    /// The answer.
    pub given: AnswerRow,
    /// The task's sheet, if the task is known.
    pub batch: Option<String>,
    /// The item, for tasks that show one.
    pub item_id: Option<ItemId>,
    /// Whether it is the answer to a sentinel, in an assignment that counts: known truth for some ways of adding up.
    pub is_sentinel: bool,
    /// Why it does not count; `None`: it does.
    pub reason: Option<String>,
}

/// One person's answers to one sheet: a row of `verdicts/assignments.parquet`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The sheet.
    pub batch: String,
    /// The person.
    pub person: String,
    /// Answers given.
    pub answers: u32,
    /// Sentinel answers passed and in all.
    pub positives: Passed,
    /// As above.
    pub negatives: Passed,
    /// As above.
    pub repeats: Passed,
    /// Why it is set aside; `None`: it counts.
    pub reason: Option<String>,
}

/// Passed, of how many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Passed {
    /// Passed.
    pub passed: u32,
    /// In all.
    pub all: u32,
}

impl Passed {
    /// Counts one more.
    pub fn count(&mut self, passed: bool) {
        self.passed += u32::from(passed);
        self.all += 1;
    }

    /// Adds up.
    pub fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.all += other.all;
    }

    /// Whether at least the share `least` passed; of none, all did.
    pub fn reaches(self, least: f64) -> bool {
        f64::from(self.passed) >= least * f64::from(self.all) - 1e-9
    }
}

/// What people decided about an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It belongs into the benchmark.
    Accept,
    /// It does not.
    Reject,
    /// Too few valid votes.
    Undecided,
}

impl Verdict {
    /// As the table writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Reject => "reject",
            Self::Undecided => "undecided",
        }
    }
}

/// What people said of an item on one question: a row of `verdicts/items.parquet` has one of these for each question.
#[derive(Debug, Clone, PartialEq)]
pub struct Tally {
    /// Valid votes by answer, in the order of [`Answer::ALL`].
    pub votes: [u32; 3],
    /// What the recipe's way of adding up makes of them, in [0, 1]; `None` without a vote.
    pub score: Option<f64>,
}

/// A row of `verdicts/items.parquet`.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemVerdict {
    /// The item.
    pub item_id: ItemId,
    /// Id of its category.
    pub category: String,
    /// One for each question, in the recipe's order.
    pub tallies: Vec<Tally>,
    /// The verdict.
    pub verdict: Verdict,
}

/// How far people agree on one question.
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

/// One person's part.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PersonRow {
    /// The person, as a keyed hash.
    pub person: String,
    /// Sheets.
    pub sheets: u64,
    /// Of these, set aside.
    pub set_aside: u64,
    /// Votes that count.
    pub votes: u64,
    /// Share of the pairs with other people's votes that are equal, over all questions.
    pub agreement: Option<f64>,
}

/// The longest name of a person, in characters.
const MAX_NAME: usize = 100;

/// A person's name as it is kept, or what is wrong with it.
pub fn person_name(text: &str) -> Result<String, String> {
    let name = text.trim();
    if name.is_empty() || name.chars().count() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(format!("a name has 1 to {MAX_NAME} characters, and no line breaks"));
    }
    Ok(name.to_owned())
}
