//! annotate: task sheets to people, answers from them, verdicts.
//!
//! The files of this room read and write the run; the rules are in `people`, which touches no file.
//!
//! Holds always: only `batches/` says which task is a sentinel, and nothing that is written for people does, because a
//! sentinel that can be told from a candidate catches nobody.

mod collect;
mod error;
mod export;
mod known_good;
mod pack;
mod result;
mod rounds;
mod sentinels;
mod serve;
mod shelf;

pub use collect::{AnswersFile, Collected, Input, collect, not_collected};
pub use error::AnnotateError;
pub use export::{ExportTo, Exported, Sheets, export, export_all};
pub use result::{PeopleResult, people_result, rule_words};
pub use serve::{ServeAt, serve};
