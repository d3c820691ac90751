//! How much people agree: Krippendorff's alpha with its interval, and the share of equal pairs, overall and by person.
//!
//! Does not say which agreement is sufficient. A pair is two votes on the same task; tasks with fewer than two votes
//! have none and do not count.

use std::collections::BTreeSet;

use super::super::Interval;
use super::VoteSet;
use crate::domain::Philox;

/// The ends of a 95 % interval.
const TAILS: [f64; 2] = [0.025, 0.975];

/// Krippendorff's alpha for nominal labels, in [-1, 1]: 1 is perfect agreement, 0 what chance would give.
///
/// Observed over expected disagreement, subtracted from 1. Source: K. Krippendorff, "Computing Krippendorff's
/// alpha-reliability", 2011, part C; equal to nltk's `AnnotationTask.alpha`, which crowd-kit calls. `None` where no
/// task has two votes and where all votes that count are equal: without any variation nothing tells agreement from
/// habit. nltk gives 1 in the latter case.
pub fn krippendorff_alpha(set: &VoteSet) -> Option<f64> {
    let counts = set.counts();
    let patterns = Patterns::new(units(&counts, set.labels));
    patterns.alpha(&patterns.times())
}

/// [`krippendorff_alpha`] with its 95 % percentile bootstrap interval over tasks.
///
/// Each of `rounds` draws resamples the tasks with two votes or more, with replacement; draws for which
/// alpha is undefined are left out. The bounds are percentiles 2.5 and 97.5, interpolated linearly. The same `seed`
/// gives the same interval. Source: B. Efron, R. J. Tibshirani, "An introduction to the bootstrap", 1993, chapter 13.
/// `None` where alpha is, or where no draw gave one.
pub fn alpha_interval(set: &VoteSet, seed: u64, rounds: u32) -> Option<Interval> {
    let counts = set.counts();
    let patterns = Patterns::new(units(&counts, set.labels));
    let value = patterns.alpha(&patterns.times())?;
    let draw = |round| patterns.alpha(&patterns.resampled(Philox::new(seed, u64::from(round))));
    let mut alphas: Vec<f64> = (0..rounds).filter_map(draw).collect();
    alphas.sort_by(f64::total_cmp);
    let [low, high] = TAILS.map(|share| quantile(&alphas, share));
    Some(Interval { value, low: low?, high: high? })
}

/// The share of equal pairs among all pairs of votes on the same task, in [0, 1]; `None` without a pair.
///
/// Sum over tasks of the equal pairs, divided by the sum over tasks of all pairs: a task counts by its pairs, not once.
pub fn percent_agreement(set: &VoteSet) -> Option<f64> {
    let counts = set.counts();
    let [mut equal, mut all] = [0, 0];
    for unit in units(&counts, set.labels) {
        equal += unit.iter().map(|&count| ordered_pairs(count)).sum::<u64>();
        all += ordered_pairs(unit.iter().sum());
    }
    (all > 0).then(|| equal as f64 / all as f64)
}

/// By person: the share of equal pairs among all pairs of one of their votes and a vote of somebody else, in [0, 1].
///
/// `None` for a person who shares no task with others.
pub fn agreement_with_others(set: &VoteSet) -> Vec<Option<f64>> {
    let counts = set.counts();
    let mut pairs = vec![[0_u64; 2]; set.people];
    for vote in &set.votes {
        let task = &counts[set.row(vote)..][..set.labels];
        let [equal, all] = &mut pairs[vote.person as usize];
        *equal += u64::from(task[vote.label as usize] - 1);
        *all += u64::from(task.iter().sum::<u32>() - 1);
    }
    pairs.iter().map(|&[equal, all]| (all > 0).then(|| equal as f64 / all as f64)).collect()
}

/// By task with two votes or more: its votes by label.
fn units(counts: &[u32], labels: usize) -> Vec<&[u32]> {
    counts.chunks_exact(labels.max(1)).filter(|unit| unit.iter().sum::<u32>() > 1).collect()
}

/// Tasks grouped by their number of votes for each label. Few of many tasks differ in these, so that a draw is cheap.
struct Patterns<'a> {
    /// Each different row of votes by label once.
    rows: Vec<&'a [u32]>,
    /// By task: its place in `rows`.
    of: Vec<usize>,
}

impl<'a> Patterns<'a> {
    fn new(units: Vec<&'a [u32]>) -> Self {
        let rows: Vec<&[u32]> = BTreeSet::from_iter(units.iter().copied()).into_iter().collect();
        let of = units.iter().map(|unit| rows.partition_point(|row| row < unit)).collect();
        Self { rows, of }
    }

    /// How often each pattern occurs among the tasks.
    fn times(&self) -> Vec<u32> {
        self.counted(self.of.iter().copied())
    }

    /// How often each pattern occurs in as many draws with replacement as there are tasks.
    fn resampled(&self, random: Philox) -> Vec<u32> {
        let n = self.of.len() as u64;
        self.counted((0..n).map(|at| self.of[(random.u64(at) % n) as usize]))
    }

    fn counted(&self, met: impl Iterator<Item = usize>) -> Vec<u32> {
        let mut times = vec![0; self.rows.len()];
        met.for_each(|pattern| times[pattern] += 1);
        times
    }

    /// Alpha over tasks of which `times` have each pattern.
    fn alpha(&self, times: &[u32]) -> Option<f64> {
        let mut totals = vec![0; self.rows.first()?.len()];
        let mut observed = 0.0;
        for (row, &times) in self.rows.iter().zip(times) {
            observed += f64::from(times) * disagreement(row);
            totals.iter_mut().zip(*row).for_each(|(total, count)| *total += times * count);
        }
        let expected = disagreement(&totals);
        (expected > 0.0).then(|| 1.0 - observed / expected)
    }
}

/// Ordered pairs of unequal votes, divided by the other votes that each has; 0 for fewer than two votes.
fn disagreement(counts: &[u32]) -> f64 {
    let votes: u32 = counts.iter().sum();
    let equal: u64 = counts.iter().map(|&count| ordered_pairs(count)).sum();
    (ordered_pairs(votes) - equal) as f64 / f64::from(votes.max(2) - 1)
}

fn ordered_pairs(votes: u32) -> u64 {
    u64::from(votes) * u64::from(votes.saturating_sub(1))
}

/// The quantile of `sorted` at `share`, interpolated linearly (numpy's default); `None` for an empty list.
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let place = sorted.len().saturating_sub(1) as f64 * share;
    let below = sorted.get(place as usize)?;
    let above = sorted.get(place.ceil() as usize)?;
    Some(below + (above - below) * place.fract())
}
