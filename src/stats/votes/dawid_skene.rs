//! The model of Dawid and Skene: labels and people's errors, each estimated from the other; and its one-coin variant.
//!
//! Sources: A. P. Dawid, A. M. Skene, "Maximum likelihood estimation of observer error-rates using the EM algorithm",
//! Applied Statistics 28, 1979; the one-coin variant as in crowd-kit, after Y. Zhang, X. Chen, D. Zhou, M. I. Jordan,
//! "Spectral methods meet EM", JMLR 17, 2016. Equal to crowd-kit 1.4.2 with one exception: crowd-kit raises the
//! probabilities that it returns to at least 1e-10; here they are not changed, so that a row sums to 1.
//!
//! Holds always: a label that occurs neither in votes nor as the known label of a voted task is ignored, because
//! crowd-kit ignores it too.

use std::collections::BTreeMap;

use super::em::{FLOOR, Fit, Problem, add, observed};
use super::majority::mean_by_person;
use super::{Vote, VoteSet};

/// The result of [`dawid_skene`].
#[derive(Debug, Clone, PartialEq)]
pub struct Posterior {
    /// `[tasks][labels]`; a row sums to 1, or is all zeros for a task without votes and without a known label.
    pub probabilities: Vec<Vec<f64>>,
    /// `[people][labels observed][labels true]`: the probability that the person gives a label, by the true label. A
    /// column sums to 1 over the labels that the person gave; all are equal if the person voted on no task of that true
    /// label. Zeros for labels that do not occur, and for a person without votes.
    pub confusion: Vec<Vec<Vec<f64>>>,
    /// Iterations made, at most 100.
    pub iterations: u32,
}

/// The result of [`one_coin_dawid_skene`].
#[derive(Debug, Clone, PartialEq)]
pub struct OneCoinPosterior {
    /// As [`Posterior::probabilities`].
    pub probabilities: Vec<Vec<f64>>,
    /// By person: the probability that they give the true label, in [0, 1]; `None` without a vote.
    pub skills: Vec<Option<f64>>,
    /// Iterations made, at most 100.
    pub iterations: u32,
}

/// Probabilities of the tasks' labels and a confusion matrix for each person.
///
/// `known`: tasks whose true label is certain, with that label; tasks outside the set are ignored. Their labels are
/// fixed in every iteration, as with crowd-kit's `true_labels`, and therefore measure the errors of their voters.
pub fn dawid_skene(set: &VoteSet, known: &BTreeMap<u32, u8>) -> Posterior {
    let seen = OccurringLabels::new(set, known);
    let Fit { probabilities, errors, iterations } = Problem::new(&seen.set, &seen.known).fit(confusion);
    let confusion = (0..set.people).map(|person| seen.matrix(&errors, person)).collect();
    Posterior { probabilities: seen.probabilities(&probabilities, known), confusion, iterations }
}

/// As [`dawid_skene`] with one number for each person: the probability of the true label; all other labels are equally
/// probable.
///
/// crowd-kit's one-coin variant takes no known labels; here they are fixed as in the full model.
pub fn one_coin_dawid_skene(set: &VoteSet, known: &BTreeMap<u32, u8>) -> OneCoinPosterior {
    let seen = OccurringLabels::new(set, known);
    let Fit { probabilities, iterations, .. } = Problem::new(&seen.set, &seen.known).fit(coins);
    let skills = skills(&seen.set, &probabilities);
    OneCoinPosterior { probabilities: seen.probabilities(&probabilities, known), skills, iterations }
}

/// Errors of the full model: for each person and true label, the expected shares of the labels that they gave.
///
/// Expected numbers below [`FLOOR`] are raised to it first; labels that a person never gave stay at zero and are never
/// read.
fn confusion(set: &VoteSet, probabilities: &[f64]) -> Vec<f64> {
    let mut errors = vec![0.0; set.people * set.labels * set.labels];
    let mut gave = vec![false; set.people * set.labels];
    for vote in &set.votes {
        add(&mut errors[observed(set, vote)..][..set.labels], &probabilities[set.row(vote)..]);
        gave[observed(set, vote) / set.labels] = true;
    }
    for person in 0..set.people {
        let rows: Vec<usize> = (person * set.labels..(person + 1) * set.labels).filter(|&row| gave[row]).collect();
        (0..set.labels).for_each(|label| normalise_column(&mut errors, set.labels, &rows, label));
    }
    errors
}

/// Scales column `label` over `rows` (each of `labels` numbers) to sum to 1.
fn normalise_column(errors: &mut [f64], labels: usize, rows: &[usize], label: usize) {
    let sum: f64 = rows.iter().map(|row| errors[row * labels + label].max(FLOOR)).sum();
    for row in rows {
        let error = &mut errors[row * labels + label];
        *error = error.max(FLOOR) / sum;
    }
}

/// Errors of the one-coin model: a person's skill on the diagonal, and the rest spread evenly over the other cells.
fn coins(set: &VoteSet, probabilities: &[f64]) -> Vec<f64> {
    let mut errors = Vec::with_capacity(set.people * set.labels * set.labels);
    for skill in skills(set, probabilities).into_iter().map(Option::unwrap_or_default) {
        let error = (1.0 - skill) / (set.labels.max(2) - 1) as f64;
        for observed in 0..set.labels {
            for truth in 0..set.labels {
                let probability = if observed == truth { skill } else { error };
                errors.push(probability.clamp(FLOOR, 1.0 - FLOOR));
            }
        }
    }
    errors
}

/// By person: the mean probability of the labels that they gave.
fn skills(set: &VoteSet, probabilities: &[f64]) -> Vec<Option<f64>> {
    mean_by_person(set, |vote: &Vote| probabilities[set.row(vote) + vote.label as usize])
}

/// The labels that occur, and the votes with renumbered labels.
struct OccurringLabels {
    /// Which labels occur, ascending.
    labels: Vec<usize>,
    /// Number of labels of the original.
    of: usize,
    /// The votes, with labels numbered by their index in `labels`.
    set: VoteSet,
    /// The known labels of tasks with votes, numbered in the same way.
    known: BTreeMap<u32, u8>,
}

impl OccurringLabels {
    fn new(set: &VoteSet, known: &BTreeMap<u32, u8>) -> Self {
        let voted = set.voted();
        let known = known.iter().filter(|&(&task, _)| voted.get(task as usize).is_some_and(|&voted| voted));
        let mut occurs = vec![false; set.labels];
        let labels = set.votes.iter().map(|vote| vote.label).chain(known.clone().map(|(_, &label)| label));
        labels.for_each(|label| occurs[label as usize] = true);
        let labels: Vec<usize> = (0..set.labels).filter(|&label| occurs[label]).collect();
        let place = |label: u8| labels.partition_point(|&seen| seen < label as usize) as u8;
        let votes = set.votes.iter().map(|vote| Vote { label: place(vote.label), ..*vote }).collect();
        let known = known.map(|(&task, &label)| (task, place(label))).collect();
        Self { set: VoteSet { labels: labels.len(), votes, ..*set }, known, of: set.labels, labels }
    }

    /// Rows of all tasks over the original labels; known labels apply to tasks without votes too.
    fn probabilities(&self, table: &[f64], known: &BTreeMap<u32, u8>) -> Vec<Vec<f64>> {
        let mut rows: Vec<Vec<f64>> = (0..self.set.tasks).map(|task| self.row(table, task)).collect();
        for (&task, &label) in known {
            if let Some(row) = rows.get_mut(task as usize) {
                row.fill(0.0);
                row[label as usize] = 1.0;
            }
        }
        rows
    }

    /// The confusion matrix of one person over the original labels.
    fn matrix(&self, errors: &[f64], person: usize) -> Vec<Vec<f64>> {
        let mut matrix = vec![vec![0.0; self.of]; self.of];
        for (at, &label) in self.labels.iter().enumerate() {
            matrix[label] = self.row(errors, person * self.labels.len() + at);
        }
        matrix
    }

    /// Row `at` of a flat table, over the original labels.
    fn row(&self, table: &[f64], at: usize) -> Vec<f64> {
        let mut row = vec![0.0; self.of];
        let width = self.labels.len();
        self.labels.iter().zip(&table[at * width..][..width]).for_each(|(&label, &value)| row[label] = value);
        row
    }
}
