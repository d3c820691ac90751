//! Robustness: accuracy under a shift against accuracy without, corruptions, perturbations.
//!
//! Holds always: a figure that needs a reference (a line of standard models, a baseline's errors) is refused without
//! one, never estimated.

mod corruptions;
mod line;
mod perturbations;

pub use corruptions::{
    CorruptionError, CorruptionErrors, CorruptionFigures, CorruptionRow, CorruptionSummary, FlipRate,
    mean_corruption_error, mean_flip_rate,
};
pub use line::{
    CleanAndShift, FEWEST_STANDARD, FitError, LogitFit, LogitLine, NARROWEST_RANGE, drop, fit, fit_line, inverse_logit,
    logit, standard_fit, tau,
};
pub use perturbations::{Against, flip_probability, top5_distance, zipf_distance};
