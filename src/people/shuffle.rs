//! Shuffles that depend only on a seed.
//!
//! Holds always: equal seeds give equal orders on every machine, because a resumed export must make the same sheets.

use crate::domain::Philox;

/// A sequence of random numbers.
pub struct Draws {
    stream: Philox,
    next: u64,
}

impl Draws {
    /// The numbers of `seed`.
    pub fn new(seed: u64) -> Self {
        Self { stream: Philox::new(seed, 0), next: 0 }
    }

    /// A number below `bound`, which is at least 1. (Of 2^64 values; the bias is below bound / 2^64.)
    pub fn below(&mut self, bound: usize) -> usize {
        self.next += 1;
        (self.stream.u64(self.next - 1) % bound as u64) as usize
    }
}

/// `items` in another order (Fisher and Yates).
pub fn shuffle<T>(mut items: Vec<T>, seed: u64) -> Vec<T> {
    let mut draws = Draws::new(seed);
    for last in (1..items.len()).rev() {
        items.swap(last, draws.below(last + 1));
    }
    items
}
