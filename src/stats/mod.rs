//! Pure numbers: from scores to predictions, from predictions to hard sets, and the figures about them.
//!
//! Does no I/O, no randomness and no threads. Sources of formulas stand at their functions.

mod agreement;
mod interval;
mod predict;
mod select;
mod summary;

pub use agreement::PairCounts;
pub use interval::{Interval, wilson};
pub use predict::{ClassMask, PredictError, predict, softmax};
pub use select::{Judged, VoteColumns, align, judge};
pub use summary::{LeftOut, Summary};
