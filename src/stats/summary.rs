//! The figures about one mining: accuracies, histogram, agreement, leave-one-out.
//!
//! Keeps counts only, so that its size does not depend on the pool's; shards may be added in any order.

use super::{Interval, ItemResult, SurrogateVotes, agreement::PairCounts, wilson};
use crate::domain::Rule;

/// Running figures of one mining.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    rule: Rule,
    items: u64,
    hard: u64,
    near_ties: u64,
    histogram: Vec<u64>,
    surrogates: Vec<Counts>,
    pairs: Vec<Vec<PairCounts>>,
}

/// Counts of one surrogate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    right: u64,
    right_on_hard: u64,
    mined_by_others: u64,
    right_on_mined_by_others: u64,
}

/// The result of mining with all surrogates but one.
#[derive(Debug, Clone, PartialEq)]
pub struct MinedWithoutOne {
    /// Items that are hard for the others by the same rule.
    pub mined_by_others: u64,
    /// Accuracy of the surrogate left out on these items; `None` if there are none.
    pub on_mined: Option<Interval>,
}

impl Summary {
    /// Empty figures for this number of surrogates and this rule.
    pub fn new(surrogates: usize, rule: Rule) -> Self {
        Self {
            rule,
            items: 0,
            hard: 0,
            near_ties: 0,
            histogram: vec![0; surrogates + 1],
            surrogates: vec![Counts::default(); surrogates],
            pairs: vec![vec![PairCounts::default(); surrogates]; surrogates],
        }
    }

    /// Adds the aligned votes of one shard and what the rule makes of them.
    pub fn add(&mut self, columns: &[SurrogateVotes], judged: &[ItemResult]) {
        for (at, item) in judged.iter().enumerate() {
            self.items += 1;
            self.hard += u64::from(item.hard);
            self.near_ties += u64::from(item.near_tie);
            self.histogram[item.n_failed() as usize] += 1;
            for a in 0..columns.len() {
                self.add_vote(a, columns[a].correct[at], item);
                for b in 0..columns.len() {
                    let both_fail = item.failed >> a & item.failed >> b & 1 == 1;
                    let class = columns[a].top1_id[at];
                    let same_class = class >= 0 && class == columns[b].top1_id[at];
                    let pair = &mut self.pairs[a][b];
                    pair.alike += u64::from(columns[a].correct[at] == columns[b].correct[at]);
                    pair.both_fail += u64::from(both_fail);
                    pair.same_class += u64::from(both_fail && same_class);
                }
            }
        }
    }

    fn add_vote(&mut self, bit: usize, right: bool, item: &ItemResult) {
        // The rule "at least k" keeps its k, but never asks for more surrogates than are left.
        let others = self.surrogates.len() - 1;
        let needed = self.rule.needed(others).min(others as u32).max(1);
        let mined_by_others = (item.failed & !(1 << bit)).count_ones() >= needed;
        let counts = &mut self.surrogates[bit];
        counts.right += u64::from(right);
        counts.right_on_hard += u64::from(right && item.hard);
        counts.mined_by_others += u64::from(mined_by_others);
        counts.right_on_mined_by_others += u64::from(mined_by_others && right);
    }

    /// Items judged.
    pub fn items(&self) -> u64 {
        self.items
    }

    /// Hard items.
    pub fn hard(&self) -> u64 {
        self.hard
    }

    /// Items with a near tie.
    pub fn near_ties(&self) -> u64 {
        self.near_ties
    }

    /// Number of items by the number of surrogates that fail on them, from 0 to all.
    pub fn histogram(&self) -> &[u64] {
        &self.histogram
    }

    /// Items on which surrogate `bit` is right: of all items, and of the hard ones.
    pub fn correct(&self, bit: usize) -> (u64, u64) {
        (self.surrogates[bit].right, self.surrogates[bit].right_on_hard)
    }

    /// Pairwise [`PairCounts::error_consistency`]; symmetric.
    pub fn kappa(&self) -> Vec<Vec<Option<f64>>> {
        let right = |bit: usize| self.surrogates[bit].right;
        self.pairwise(|a, b| self.pairs[a][b].error_consistency(right(a), right(b), self.items))
    }

    /// Pairwise [`PairCounts::same_wrong_class`]; symmetric.
    pub fn same_wrong(&self) -> Vec<Vec<Option<f64>>> {
        self.pairwise(|a, b| self.pairs[a][b].same_wrong_class())
    }

    fn pairwise(&self, measure: impl Fn(usize, usize) -> Option<f64>) -> Vec<Vec<Option<f64>>> {
        let all = 0..self.surrogates.len();
        all.clone().map(|a| all.clone().map(|b| measure(a, b)).collect()).collect()
    }

    /// The items that all surrogates but `bit` mine, and the accuracy of surrogate `bit` on them.
    pub fn left_out(&self, bit: usize) -> MinedWithoutOne {
        let counts = &self.surrogates[bit];
        MinedWithoutOne {
            mined_by_others: counts.mined_by_others,
            on_mined: wilson(counts.right_on_mined_by_others, counts.mined_by_others),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The figures of a pool in the given shards. An item is the bits of the surrogates that fail on it; failing
    /// surrogates give class 1, the others class 0.
    fn summary_of(shards: &[&[u64]], surrogates: usize, rule: &str) -> Summary {
        let rule: Rule = rule.parse().unwrap();
        let mut summary = Summary::new(surrogates, rule);
        for failed in shards {
            let columns: Vec<SurrogateVotes> = (0..surrogates)
                .map(|bit| SurrogateVotes {
                    correct: failed.iter().map(|f| f >> bit & 1 == 0).collect(),
                    top1_id: failed.iter().map(|f| (f >> bit & 1) as i32).collect(),
                    ..SurrogateVotes::default()
                })
                .collect();
            let judged: Vec<ItemResult> = (failed.iter().zip(0..))
                .map(|(&failed, item_id)| ItemResult {
                    item_id,
                    failed,
                    agreed_wrong: None,
                    near_tie: item_id == 0,
                    hard: failed.count_ones() >= rule.needed(surrogates),
                })
                .collect();
            summary.add(&columns, &judged);
        }
        summary
    }

    fn summary(failed: &[u64], surrogates: usize, rule: &str) -> Summary {
        summary_of(&[failed], surrogates, rule)
    }

    #[test]
    fn figures_of_a_small_pool() {
        let s = summary(&[0b000, 0b001, 0b011, 0b111, 0b110], 3, "all");
        assert_eq!(s.histogram(), [1, 1, 2, 1]);
        assert_eq!((s.items(), s.hard(), s.near_ties()), (5, 1, 1));
        assert_eq!((s.correct(0), s.correct(2)), ((2, 0), (3, 0)));
        assert_eq!((s.kappa()[1][1], s.same_wrong()[0][1]), (Some(1.0), Some(1.0)));
    }

    #[test]
    fn shards_add_up() {
        let sum = summary_of(&[&[0b01, 0b11], &[0b10, 0b00, 0b11]], 2, "all");
        let whole = summary(&[0b01, 0b11, 0b10, 0b00, 0b11], 2, "all");
        assert_eq!(
            (sum.histogram(), sum.kappa(), sum.correct(1)),
            (whole.histogram(), whole.kappa(), whole.correct(1))
        );
    }

    #[test]
    fn the_one_left_out_is_scored_on_what_the_others_mined() {
        let left = summary(&[0b000, 0b001, 0b011, 0b111, 0b110], 3, "all").left_out(0);
        assert_eq!(left.mined_by_others, 2);
        assert_eq!(left.on_mined.unwrap().value, 0.5);
        let left = summary(&[0b001, 0b010, 0b011], 3, "at-least=1").left_out(0);
        assert_eq!((left.mined_by_others, left.on_mined.unwrap().value), (2, 0.5));
    }

    #[test]
    fn one_surrogate_alone_has_no_others() {
        assert_eq!(summary(&[1, 0], 1, "all").left_out(0).on_mined, None);
    }
}
