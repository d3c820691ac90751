//! Applies a rule to the votes of several surrogates.
//!
//! Works on columns, because a pool may have ten million items. Holds always: the items judged are those on which
//! every surrogate voted, in ascending order, because a missing vote is neither a failure nor a success.

use crate::domain::SelectSpec;

/// The votes of one surrogate on the items of one shard, in one label space; columns of equal length.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SurrogateVotes {
    /// Items, ascending.
    pub item_id: Vec<u32>,
    /// Whether the top class is accepted.
    pub correct: Vec<bool>,
    /// The top class, by a number that all surrogates share; -1 for none.
    pub top1_id: Vec<i32>,
    /// Probability of the accepted classes, in [0, 1]; may be empty if the rule sets no bound on it.
    pub true_prob: Vec<f32>,
    /// Best accepted minus best other probability, in [-1, 1].
    pub margin: Vec<f32>,
}

impl SurrogateVotes {
    fn keep(&mut self, ids: &[u32]) {
        let places: Vec<usize> = ids.iter().filter_map(|id| self.item_id.binary_search(id).ok()).collect();
        self.correct = places.iter().map(|&at| self.correct[at]).collect();
        self.top1_id = places.iter().map(|&at| self.top1_id[at]).collect();
        self.true_prob = places.iter().filter_map(|&at| self.true_prob.get(at).copied()).collect();
        self.margin = places.iter().map(|&at| self.margin[at]).collect();
        self.item_id = ids.to_vec();
    }
}

/// The result of a mining for one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ItemResult {
    /// The item.
    pub item_id: u32,
    /// Bit `i` is set where surrogate `i` fails.
    pub failed: u64,
    /// The most frequent class among the failing surrogates (of equal ones the lowest), and how many gave it.
    pub agreed_wrong: Option<(i32, u32)>,
    /// Whether some surrogate's margin is closer to 0 than the spec's `near_tie`.
    pub near_tie: bool,
    /// Whether the rule holds.
    pub hard: bool,
}

impl ItemResult {
    /// How many surrogates fail.
    pub fn n_failed(&self) -> u32 {
        self.failed.count_ones()
    }
}

/// Reduces all columns to the items that every one of them has.
pub fn align(columns: &mut [SurrogateVotes]) {
    let Some((first, rest)) = columns.split_first() else { return };
    if rest.iter().all(|other| other.item_id == first.item_id) {
        return;
    }
    let in_all = |id: &u32| rest.iter().all(|other| other.item_id.binary_search(id).is_ok());
    let shared: Vec<u32> = first.item_id.iter().copied().filter(in_all).collect();
    columns.iter_mut().for_each(|column| column.keep(&shared));
}

/// Judges every item of aligned `columns`, one per surrogate in the order of `spec.surrogates`.
pub fn judge(columns: &[SurrogateVotes], spec: &SelectSpec) -> Vec<ItemResult> {
    let [max_true_prob, max_margin, near_tie] = [spec.max_true_prob, spec.max_margin, spec.near_tie].map(|x| x as f32);
    let needed = spec.rule.needed(columns.len());
    let items = columns.first().map_or(0, |column| column.item_id.len());
    let mut failed = vec![0_u64; items];
    let mut near = vec![false; items];
    for (bit, votes) in columns.iter().enumerate() {
        for ((failed, near), (&correct, &margin)) in
            failed.iter_mut().zip(&mut near).zip(votes.correct.iter().zip(&votes.margin))
        {
            *failed |= u64::from(!correct & (margin <= max_margin)) << bit;
            *near |= margin.abs() < near_tie;
        }
        if spec.bounds_true_prob() {
            for (failed, &true_prob) in failed.iter_mut().zip(&votes.true_prob) {
                *failed &= !(u64::from(true_prob > max_true_prob) << bit);
            }
        }
    }
    (0..items)
        .map(|at| ItemResult {
            item_id: columns[0].item_id[at],
            failed: failed[at],
            agreed_wrong: most_frequent(columns, failed[at], at),
            near_tie: near[at],
            hard: failed[at].count_ones() >= needed,
        })
        .collect()
}

/// The most frequent class among the failing surrogates, the lowest of equal ones, and how many gave it.
fn most_frequent(columns: &[SurrogateVotes], failed: u64, at: usize) -> Option<(i32, u32)> {
    let mut best: Option<(i32, u32)> = None;
    let mut left = failed;
    while left != 0 {
        let class = columns[left.trailing_zeros() as usize].top1_id[at];
        let mut count = 0;
        // Those that give the same class, the first one among them.
        for bit in ones(left) {
            if columns[bit].top1_id[at] == class {
                count += 1;
                left &= !(1 << bit);
            }
        }
        if class >= 0 && best.is_none_or(|(kept, n)| count > n || (count == n && class < kept)) {
            best = Some((class, count));
        }
    }
    best
}

/// Places of the bits that are set, ascending.
fn ones(mut bits: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let place = (bits != 0).then(|| bits.trailing_zeros() as usize);
        bits &= bits.wrapping_sub(1);
        place
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::LabelSpace;

    fn spec(rule: &str, n: usize) -> SelectSpec {
        SelectSpec {
            surrogates: (0..n).map(|i| i.to_string()).collect(),
            rule: rule.parse().unwrap(),
            label_space: LabelSpace::AnyOfIds,
            max_true_prob: 1.0,
            max_margin: 0.0,
            near_tie: 0.01,
        }
    }

    /// Votes of one surrogate on items 0, 1, …: each `class@true_prob`, right if the class is 0.
    fn votes(text: &str) -> SurrogateVotes {
        let mut columns = SurrogateVotes::default();
        for (item, vote) in text.split_whitespace().enumerate() {
            let (class, prob) = vote.split_once('@').unwrap();
            let (class, prob): (i32, f32) = (class.parse().unwrap(), prob.parse().unwrap());
            columns.item_id.push(item as u32);
            columns.correct.push(class == 0);
            columns.top1_id.push(class);
            columns.true_prob.push(prob);
            columns.margin.push(if class == 0 { prob } else { prob - 0.5 });
        }
        columns
    }

    /// One letter per item: H hard, `.` not.
    fn hard(columns: &[SurrogateVotes], spec: &SelectSpec) -> String {
        judge(columns, spec).iter().map(|j| if j.hard { 'H' } else { '.' }).collect()
    }

    #[test]
    fn rules_count_failures() {
        let columns = [votes("0@.9 1@.1 1@.1 1@.1"), votes("0@.9 0@.9 2@.1 1@.1"), votes("1@.1 0@.9 0@.8 1@.1")];
        assert_eq!(hard(&columns, &spec("all", 3)), "...H");
        assert_eq!(hard(&columns, &spec("at-least=2", 3)), "..HH");
        assert_eq!(hard(&columns, &spec("at-least=1", 3)), "HHHH");
    }

    #[test]
    fn thresholds_sit_on_top_of_wrong() {
        let columns = [votes("1@.30 1@.10 0@.05")];
        let bounded = SelectSpec { max_true_prob: 0.15, ..spec("all", 1) };
        assert_eq!(hard(&columns, &bounded), ".H.");
        let far = SelectSpec { max_margin: -0.3, ..spec("all", 1) };
        assert_eq!(hard(&columns, &far), ".H.");
    }

    #[test]
    fn the_most_frequent_wrong_class_is_named_the_lowest_of_equal_ones() {
        let columns = [votes("5@.1 9@.1 0@.9"), votes("7@.1 4@.1 0@.9"), votes("7@.1 0@.9 0@.9")];
        let agreed: Vec<_> = judge(&columns, &spec("all", 3)).iter().map(|j| j.agreed_wrong).collect();
        assert_eq!(agreed, [Some((7, 2)), Some((4, 1)), None]);
    }

    #[test]
    fn near_ties_are_marked() {
        let marks: Vec<bool> =
            judge(&[votes("1@.495 1@.3 0@.005")], &spec("all", 1)).iter().map(|j| j.near_tie).collect();
        assert_eq!(marks, [true, false, true]);
    }

    #[test]
    fn items_that_one_surrogate_lacks_are_left_out() {
        let mut columns = [votes("1@.1 1@.1 0@.9"), votes("2@.1 2@.1 0@.9")];
        columns[1].keep(&[0, 2]);
        align(&mut columns);
        assert_eq!(columns[0].item_id, [0, 2]);
        assert_eq!(columns[0].top1_id, [1, 0]);
        assert_eq!(hard(&columns, &spec("all", 2)), "H.");
    }
}
