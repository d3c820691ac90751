//! The report's figures by nuisance, and those of targets.
//!
//! Holds always: counted shard by shard, because memory must not grow with the pool.

use std::collections::{BTreeMap, HashMap};

use super::words::{interval, space_words, weights};
use crate::domain::{PlanRow, RunSpec};
use crate::pool::{Pool, PoolError};
use crate::render::report::{NuisanceRow, TargetRow};
use crate::stats::{ItemResult, SurrogateVotes, wilson, wilson_mean};
use crate::table::predictions_table;

/// Counts of some images.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    items: u64,
    hard: u64,
    /// Right answers of all surrogates together.
    right: u64,
}

/// Counts of one target.
#[derive(Debug, Clone, Copy, Default)]
struct TargetCount {
    items: u64,
    right: u64,
    hard: u64,
    right_on_hard: u64,
}

/// Running counts.
pub struct Groups {
    values: BTreeMap<(String, String), Count>,
    targets: Vec<TargetCount>,
}

impl Groups {
    /// Nothing counted yet.
    pub fn new(spec: &RunSpec) -> Self {
        Self { values: BTreeMap::new(), targets: vec![TargetCount::default(); spec.mine.targets.len()] }
    }

    /// Adds the images of one shard that have a nuisance.
    pub fn add_nuisances(&mut self, votes: &[SurrogateVotes], judged: &[ItemResult], plan: &[PlanRow]) {
        let nuisance = |row: &PlanRow| Some((row.item_id.0, (row.nuisance_kind.clone()?, row.nuisance.clone()?)));
        let nuisances: HashMap<u32, (String, String)> = plan.iter().filter_map(nuisance).collect();
        for (at, item) in judged.iter().enumerate() {
            let Some(nuisance) = nuisances.get(&item.item_id) else { continue };
            let right = votes.iter().filter(|votes| votes.correct[at]).count() as u64;
            let count = self.values.entry(nuisance.clone()).or_default();
            count.items += 1;
            count.hard += u64::from(item.hard);
            count.right += right;
        }
    }

    /// Adds the predictions of the targets for the judged images of shard `shard`.
    pub fn add_targets(&mut self, pool: &Pool, shard: usize, judged: &[ItemResult]) -> Result<(), PoolError> {
        let mine = &pool.spec().mine;
        let hard: HashMap<u32, bool> = judged.iter().map(|item| (item.item_id, item.hard)).collect();
        for (name, count) in mine.targets.iter().zip(&mut self.targets) {
            let votes = predictions_table::read_votes(&pool.predictions_file(name, shard)?, &mine.select, &[])?;
            for (item, right) in votes.item_id.iter().zip(&votes.correct) {
                let Some(&is_hard) = hard.get(item) else { continue };
                count.items += 1;
                count.right += u64::from(*right);
                count.hard += u64::from(is_hard);
                count.right_on_hard += u64::from(*right && is_hard);
            }
        }
        Ok(())
    }

    /// A row for each kind and for each of its values.
    pub fn nuisance_rows(&self, surrogates: usize) -> Vec<NuisanceRow> {
        let mut kinds: BTreeMap<&str, Count> = BTreeMap::new();
        for ((kind, _), count) in &self.values {
            let sum = kinds.entry(kind).or_default();
            sum.items += count.items;
            sum.hard += count.hard;
            sum.right += count.right;
        }
        let row = |kind: &str, value: Option<&str>, count: &Count| NuisanceRow {
            kind: kind.to_owned(),
            value: value.map(str::to_owned),
            items: count.items,
            hard: count.hard,
            accuracy: interval(wilson_mean(
                count.right as f64 / (count.items * surrogates.max(1) as u64) as f64,
                count.items,
            )),
        };
        let of_kinds = kinds.iter().map(|(kind, count)| row(kind, None, count));
        of_kinds.chain(self.values.iter().map(|((kind, value), count)| row(kind, Some(value), count))).collect()
    }

    /// A row for each target; `runtimes` in their order.
    pub fn target_rows(&self, pool: &Pool, runtimes: &[String]) -> Vec<TargetRow> {
        let mut rows = Vec::with_capacity(runtimes.len());
        for ((target, count), runtime) in pool.spec().targets().into_iter().zip(&self.targets).zip(runtimes) {
            rows.push(TargetRow {
                name: target.name.clone(),
                weights_sha256: weights(target),
                space: space_words(pool, &target.name),
                on_pool: interval(wilson(count.right, count.items)),
                items: count.items,
                on_hard: wilson(count.right_on_hard, count.hard).map(|found| interval(Some(found))),
                hard_items: count.hard,
                runtime: runtime.clone(),
            });
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ItemId;

    fn row(id: u32, kind: Option<&str>, value: Option<&str>) -> PlanRow {
        PlanRow {
            item_id: ItemId(id),
            category: "mug".into(),
            label_ids: vec![504],
            nuisance_kind: kind.map(str::to_owned),
            nuisance: value.map(str::to_owned),
            template: None,
            prompt: None,
            negative_prompt: None,
            seed: 0,
            source: None,
        }
    }

    fn votes(correct: &[bool]) -> SurrogateVotes {
        SurrogateVotes {
            item_id: (0..correct.len() as u32).collect(),
            correct: correct.to_vec(),
            ..SurrogateVotes::default()
        }
    }

    fn judged(id: u32, hard: bool) -> ItemResult {
        ItemResult { item_id: id, failed: 0, agreed_wrong: None, near_tie: false, hard }
    }

    #[test]
    fn images_hard_ones_and_right_answers_are_counted_by_kind_and_value() {
        let plan = [
            row(0, Some("texture"), Some("striped")),
            row(1, Some("texture"), Some("striped")),
            row(2, Some("texture"), Some("cracked")),
            row(3, Some("background"), Some("beach")),
            row(4, None, None),
        ];
        let votes = [votes(&[true, false, false, true, true]), votes(&[true, false, true, true, false])];
        let hard = [false, true, false, false, true];
        let judged: Vec<ItemResult> = (0..5).map(|id| judged(id, hard[id as usize])).collect();
        let mut groups = Groups { values: BTreeMap::new(), targets: Vec::new() };
        groups.add_nuisances(&votes, &judged, &plan);
        let found: Vec<_> = (groups.nuisance_rows(2).into_iter())
            .map(|row| (row.kind, row.value.unwrap_or_default(), row.items, row.hard, row.accuracy.value))
            .collect();
        let wanted = [
            ("background", "", 1, 0, 1.0),
            ("texture", "", 3, 1, 0.5),
            ("background", "beach", 1, 0, 1.0),
            ("texture", "cracked", 1, 0, 0.5),
            ("texture", "striped", 2, 1, 0.5),
        ];
        assert_eq!(found, wanted.map(|(kind, value, n, hard, share)| (kind.into(), value.into(), n, hard, share)));
    }
}
