//! annotate: sheets to people, answers from them, verdicts.
//!
//! Files here read and write the run; the rules themselves are in `people`, which touches no file.
//!
//! Holds always: what a task secretly is stays in `batches/`; what is written for people says nothing of it, because a
//! sentinel that can be told from a candidate catches nobody.

mod collect;
mod error;
mod export;
mod known_good;
mod pack;
mod result;
mod rounds;
mod serve;

pub use collect::{Collected, Input, collect};
pub use error::AnnotateError;
pub use export::{ExportTo, Exported, export, export_all};
pub use result::{PeopleResult, people_result, rule_words};
pub use serve::{ServeAt, serve};
