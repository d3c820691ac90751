//! Expectation maximisation over votes: the loop that the two models of `dawid_skene` share.
//!
//! Does not know how a model estimates people's errors: the caller passes that step. Tables are flat: probabilities
//! `[tasks * labels]`, errors `[people * labels observed * labels true]`. Every label must occur; `dawid_skene` ensures
//! it.
//!
//! Source: crowd-kit 1.4.2, `crowdkit/aggregation/classification/dawid_skene.py`: the start from the
//! shares of the votes, clipping, bound and stopping rule are the same.

use std::collections::BTreeMap;

use super::{Vote, VoteSet, majority};

/// The lower bound of probabilities before a logarithm is taken (crowd-kit's `_EPS`).
pub(super) const FLOOR: f64 = 1e-10;
/// crowd-kit's `n_iter`.
const MAX_ITERATIONS: u32 = 100;
/// The bound of a vote must grow by this much for another iteration (crowd-kit's `tol`).
const TOLERANCE: f64 = 1e-5;

/// Estimates people's errors from the probabilities of the tasks' labels: the step that makes a model.
pub(super) type ErrorsOf = fn(&VoteSet, &[f64]) -> Vec<f64>;

/// Votes, and known labels of their tasks.
pub(super) struct Problem<'a> {
    set: &'a VoteSet,
    known: &'a BTreeMap<u32, u8>,
    /// `[tasks]`: whether somebody voted on the task. Other tasks are ignored.
    voted: Vec<bool>,
}

/// The result of the loop.
pub(super) struct Fit {
    /// `[tasks * labels]`; rows of tasks without votes are zeros.
    pub probabilities: Vec<f64>,
    /// `[people * labels observed * labels true]`.
    pub errors: Vec<f64>,
    /// Iterations made.
    pub iterations: u32,
}

/// Parameters of a model, as logarithms.
struct Logs {
    /// `[labels]`.
    priors: Vec<f64>,
    /// As [`Fit::errors`]; minus infinity for labels that a person never gave, which are never read.
    errors: Vec<f64>,
}

impl<'a> Problem<'a> {
    /// The labels of the tasks in `known`, all of which have votes, are taken as certain.
    pub(super) fn new(set: &'a VoteSet, known: &'a BTreeMap<u32, u8>) -> Self {
        Self { set, known, voted: set.voted() }
    }

    /// Alternates the two steps until the bound grows by less than [`TOLERANCE`], or 100 times.
    pub(super) fn fit(&self, errors_of: ErrorsOf) -> Fit {
        let mut probabilities = self.start();
        let mut errors = errors_of(self.set, &probabilities);
        let mut logs = self.logs(&probabilities, &errors);
        let mut bound = f64::NEG_INFINITY;
        let mut iterations = 0;
        while iterations < MAX_ITERATIONS && !self.set.votes.is_empty() {
            self.expect(&logs, &mut probabilities);
            errors = errors_of(self.set, &probabilities);
            logs = self.logs(&probabilities, &errors);
            iterations += 1;
            let before = std::mem::replace(&mut bound, self.bound(&logs, &probabilities));
            if bound - before < TOLERANCE {
                break;
            }
        }
        Fit { probabilities, errors, iterations }
    }

    /// The shares of the votes, with certainty for known labels.
    fn start(&self) -> Vec<f64> {
        let mut shares = majority(self.set).concat();
        self.clamp(&mut shares);
        shares
    }

    /// Sets the known labels to certainty.
    fn clamp(&self, probabilities: &mut [f64]) {
        for (&task, &label) in self.known {
            let row = &mut probabilities[task as usize * self.set.labels..][..self.set.labels];
            row.fill(0.0);
            row[label as usize] = 1.0;
        }
    }

    /// Priors are the mean probabilities over the tasks with votes, none below [`FLOOR`].
    fn logs(&self, probabilities: &[f64], errors: &[f64]) -> Logs {
        let tasks = self.voted.iter().filter(|&&voted| voted).count().max(1);
        let mut priors = vec![0.0; self.set.labels];
        for row in probabilities.chunks_exact(self.set.labels.max(1)) {
            add(&mut priors, row);
        }
        priors.iter_mut().for_each(|sum| *sum = (*sum / tasks as f64).max(FLOOR).ln());
        Logs { priors, errors: errors.iter().map(|error| error.ln()).collect() }
    }

    /// Expectation: the probabilities of each task's labels, given the votes on it.
    fn expect(&self, logs: &Logs, probabilities: &mut [f64]) {
        probabilities.fill(0.0);
        for vote in &self.set.votes {
            add(&mut probabilities[self.set.row(vote)..], self.log_errors(logs, vote));
        }
        for (row, voted) in probabilities.chunks_exact_mut(self.set.labels).zip(&self.voted) {
            if *voted {
                add(row, &logs.priors);
                exponentiate(row);
            }
        }
        self.clamp(probabilities);
    }

    /// crowd-kit's evidence lower bound, divided by the number of votes.
    ///
    /// The prior counts once for each vote, not once for each task as in the true bound, because crowd-kit does so and
    /// the bound decides when to stop.
    fn bound(&self, logs: &Logs, probabilities: &[f64]) -> f64 {
        let expectation: f64 = self.set.votes.iter().map(|vote| self.expectation(logs, probabilities, vote)).sum();
        let rows = probabilities.chunks_exact(self.set.labels).zip(&self.voted);
        let entropy: f64 = rows.filter(|&(_, &voted)| voted).map(|(row, _)| entropy(row)).sum();
        (expectation + entropy) / self.set.votes.len() as f64
    }

    /// The expected logarithm of one vote's likelihood.
    fn expectation(&self, logs: &Logs, probabilities: &[f64], vote: &Vote) -> f64 {
        let row = &probabilities[self.set.row(vote)..];
        let terms = self.log_errors(logs, vote).iter().zip(&logs.priors).zip(row);
        terms.map(|((error, prior), probability)| probability * (error + prior)).sum()
    }

    /// By true label: the logarithm of the probability that the person votes as they did.
    fn log_errors<'b>(&self, logs: &'b Logs, vote: &Vote) -> &'b [f64] {
        &logs.errors[observed(self.set, vote)..][..self.set.labels]
    }
}

/// Where the row of a vote's person and label begins in `[people * labels observed * labels true]`.
pub(super) fn observed(set: &VoteSet, vote: &Vote) -> usize {
    (vote.person as usize * set.labels + vote.label as usize) * set.labels
}

/// Adds `terms` to the `sums` at the same places.
pub(super) fn add(sums: &mut [f64], terms: &[f64]) {
    sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
}

/// From logarithms, up to a constant, to probabilities.
fn exponentiate(row: &mut [f64]) {
    let top = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    row.iter_mut().for_each(|log| *log = (*log - top).exp());
    let sum: f64 = row.iter().sum();
    row.iter_mut().for_each(|power| *power /= sum);
}

/// Entropy in nats of probabilities that are raised to [`FLOOR`] first.
fn entropy(row: &[f64]) -> f64 {
    row.iter().map(|&probability| probability.max(FLOOR)).map(|p| -p * p.ln()).sum()
}
