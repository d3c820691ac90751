//! People's votes on tasks: the most probable labels, the skill of each person, and the agreement of people.
//!
//! Does not know what a task or a label means, nor who a person is: all three are indices from 0. No I/O, no threads;
//! the one thing drawn at random, the bootstrap of [`alpha_interval`], depends on its seed alone. Holds always: no
//! result is NaN, because a table or page could not show it. A task without votes has all-zero probabilities, a person
//! without votes has no skill and changes nobody's figures, a label that nobody used has probability 0.
//!
//! Reference: crowd-kit 1.4.2 (Ustalov, Pavlichenko, Tseitlin, "Learning from crowds with Crowd-Kit", JOSS 9, 2024)
//! with its default settings; `tests/golden/votes.json` and `tests/votes_parity.rs` hold this module against it.

mod dawid_skene;
mod em;
mod majority;
mod reliability;
#[cfg(test)]
mod tests;

pub use dawid_skene::{OneCoinPosterior, Posterior, dawid_skene, one_coin_dawid_skene};
pub use majority::{Wawa, majority, wawa};
pub use reliability::{agreement_with_others, alpha_interval, krippendorff_alpha, percent_agreement};

/// One vote. All three are indices from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vote {
    /// What was voted on.
    pub task: u32,
    /// Who voted.
    pub person: u32,
    /// The answer.
    pub label: u8,
}

/// Votes with the numbers of tasks, people and labels they index.
///
/// The caller ensures that a person votes at most once on a task and that every index is below its number. The
/// functions over a set panic at a larger index; a second vote counts like the vote of somebody else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VoteSet {
    /// Number of tasks, with or without votes.
    pub tasks: usize,
    /// Number of people, with or without votes.
    pub people: usize,
    /// Number of labels, used or not.
    pub labels: usize,
    /// The votes, in any order.
    pub votes: Vec<Vote>,
}

impl VoteSet {
    /// Votes by task and label, `[tasks * labels]`.
    fn counts(&self) -> Vec<u32> {
        let mut counts = vec![0; self.tasks * self.labels];
        for vote in &self.votes {
            counts[self.row(vote) + vote.label as usize] += 1;
        }
        counts
    }

    /// By task: whether somebody voted on it.
    fn voted(&self) -> Vec<bool> {
        let mut voted = vec![false; self.tasks];
        self.votes.iter().for_each(|vote| voted[vote.task as usize] = true);
        voted
    }

    /// Where the row of a vote's task begins in `[tasks * labels]`.
    fn row(&self, vote: &Vote) -> usize {
        vote.task as usize * self.labels
    }
}

/// Index of the largest of `probabilities`; of several equally large ones the first.
///
/// `None` if no value is above zero. crowd-kit too takes the first of its columns, but leaves their order to pandas,
/// which need not be alphabetical.
pub fn most_probable(probabilities: &[f64]) -> Option<usize> {
    let mut best = None;
    let mut highest = 0.0;
    for (label, &probability) in probabilities.iter().enumerate() {
        if probability > highest {
            (best, highest) = (Some(label), probability);
        }
    }
    best
}
