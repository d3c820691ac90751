//! Answers in free text to questions with two choices: the category of the image, and one that a model took it for.
//!
//! Two rules, side by side: the fair one, which counts names as whole words, and the one of ImageNet-D's code, for
//! comparison with published figures. Makes no question and asks no model.
//!
//! Holds always: every answer has one fair outcome, and none leaves the denominator; which choice comes first depends
//! on seed and item alone.

mod fair;
mod official;
mod tally;

pub use fair::{Choice, FairOutcome, fair_outcome};
pub use official::{OfficialOutcome, official_outcome, official_synonyms};
pub use tally::ChoiceTally;

use crate::domain::Philox;

/// The stream of random numbers that puts choices in order; no other use may take it.
const ORDER_STREAM: u64 = 0x7477_6f2d_6368_6f69;

/// Whether the true choice is named first in the question about `item`: half of the items, by `seed`, because models
/// prefer one place.
pub fn truth_is_first(seed: u64, item: u64) -> bool {
    Philox::new(seed, ORDER_STREAM).u64(item) & 1 == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_items_have_the_truth_first() {
        for seed in 0..4 {
            let first = (0..10_000).filter(|&item| truth_is_first(seed, item)).count();
            assert!((4_800..=5_200).contains(&first), "{first}");
        }
        let order = |seed| (0..64).filter(|&item| truth_is_first(seed, item)).collect::<Vec<u64>>();
        assert_eq!(order(7), order(7));
        assert_ne!(order(7), order(8));
    }
}
