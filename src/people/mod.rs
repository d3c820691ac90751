//! The rules about people: which items they look at, on which sheets, with which sentinels, whose answers count, and
//! which verdicts follow from the votes.
//!
//! Rows in, rows out. Holds always: no file is read or written here, because a verdict must depend on the answers only,
//! not on when or where they are counted.

mod asked;
mod check;
mod choose;
mod compose;
mod decide;
mod missing;
mod round;
mod same_person;
mod shuffle;
mod supply;

pub use asked::{Asked, apart};
pub use check::{CheckedAnswers, check_answers, is_done};
pub use choose::{Candidate, choose};
pub use compose::{Design, SheetError};
pub use decide::{Decisions, decide};
pub use missing::{Missing, NotAsked, lacking, missing, still_hard};
pub use round::Round;
pub use shuffle::shuffle;
pub use supply::{Supply, Survey};
