//! The share of the votes, plain or weighted by how often a person agrees with the majority.

use super::{Vote, VoteSet, most_probable};

/// The result of [`wawa`].
#[derive(Debug, Clone, PartialEq)]
pub struct Wawa {
    /// By person: the share of their votes that equal the majority's label, in [0, 1]; `None` without a vote.
    pub skills: Vec<Option<f64>>,
    /// `[tasks][labels]`: shares of the votes, each weighted by its person's skill; a row sums to 1.
    pub probabilities: Vec<Vec<f64>>,
}

/// Shares of the votes, `[tasks][labels]`; a row sums to 1, or is all zeros for a task without votes.
pub fn majority(set: &VoteSet) -> Vec<Vec<f64>> {
    weighted(set, |_| 1.0)
}

/// Worker agreement with aggregate: the votes of people who agree with the majority weigh more.
///
/// The skill of a person is the share of their votes that equal the [`most_probable`] label of the majority, their own
/// vote included. Source: crowd-kit, `Wawa`.
pub fn wawa(set: &VoteSet) -> Wawa {
    let winners: Vec<Option<usize>> = majority(set).iter().map(|row| most_probable(row)).collect();
    let agrees = |vote: &Vote| f64::from(winners[vote.task as usize] == Some(vote.label as usize));
    let skills = mean_by_person(set, agrees);
    let probabilities = weighted(set, |vote| skills[vote.person as usize].unwrap_or(0.0));
    Wawa { skills, probabilities }
}

/// Sums of the votes' weights by task and label, each row scaled to sum to 1.
fn weighted(set: &VoteSet, weight: impl Fn(&Vote) -> f64) -> Vec<Vec<f64>> {
    let mut scores = vec![vec![0.0; set.labels]; set.tasks];
    for vote in &set.votes {
        scores[vote.task as usize][vote.label as usize] += weight(vote);
    }
    scores.iter_mut().for_each(|row| normalise(row));
    scores
}

/// Scales `row` to sum to 1; zeros stay zeros.
fn normalise(row: &mut [f64]) {
    let sum: f64 = row.iter().sum();
    if sum > 0.0 {
        row.iter_mut().for_each(|score| *score /= sum);
    }
}

/// The mean of `value` over each person's votes; `None` for a person without one.
pub(super) fn mean_by_person(set: &VoteSet, value: impl Fn(&Vote) -> f64) -> Vec<Option<f64>> {
    let mut sums = vec![(0.0, 0_u32); set.people];
    for vote in &set.votes {
        let (sum, votes) = &mut sums[vote.person as usize];
        *sum += value(vote);
        *votes += 1;
    }
    sums.iter().map(|&(sum, votes)| (votes > 0).then(|| sum / f64::from(votes))).collect()
}
