//! The rules about people: which items they look at, on which sheets, with which sentinels, whose answers count, and
//! what the votes come to.
//!
//! Rows in, rows out: reads and writes nothing, so that a verdict depends on the answers alone, not on when or where
//! they are counted.

mod choose;
mod compose;
mod decide;
mod missing;
mod round;
mod shuffle;
mod supply;
mod tally;

pub use choose::{Candidate, choose};
pub use compose::{Design, SheetError};
pub use decide::{Decided, decide};
pub use missing::{lacking, still_hard};
pub use round::Round;
pub use shuffle::shuffle;
pub use supply::{Supply, Survey};
pub use tally::{Tallied, is_done, tally};
