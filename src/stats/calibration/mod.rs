//! Calibration: whether a confidence of 80 % is right in 80 % of the images.
//!
//! `confidence` is the probability of the top class, in [0, 1]; `correct` whether that class is accepted; both in the
//! order of items and of one length. Says nothing of label spaces: confidences of different ones are not comparable.
//!
//! Holds always: sorts are stable, so that equal confidences are ordered by item, where the published codes leave them
//! to an unstable sort; what is not a number does not count; without an image there is no figure.

mod bins;
mod ranked;
mod scores;
mod temperature;

pub use bins::{
    BINS, ReliabilityBin, adaptive_ece, expected_error, largest_error, reliability_bins, rms_all_bins, rms_as_published,
};
pub use ranked::aurra;
pub use scores::{NLL_FLOOR, Nll, brier_of_image, brier_top_label, nll};
pub use temperature::{ImageLogits, Temperature, nll_at, temperature};
