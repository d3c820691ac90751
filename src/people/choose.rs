//! Which hard items people look at: all, a random sample, or a balanced one.
//!
//! Holds always: the choice depends on the recipe, the hard items and the seed only, because a later call must ask
//! about the same items.

use std::collections::BTreeMap;

use super::shuffle::shuffle;
use crate::domain::{AnnotateSpec, HardRow, ItemChoice, ItemId};

/// An item for people to judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The item.
    pub item_id: ItemId,
    /// Id of its category.
    pub category: String,
    /// Number of people who should judge it.
    pub people: u32,
}

/// The hard items that the recipe asks for, in the order of their ids.
pub fn choose(spec: &AnnotateSpec, hard: &[HardRow], seed: u64) -> Vec<Candidate> {
    let most = spec.max_items.map_or(hard.len(), |most| (most as usize).min(hard.len()));
    let hard: Vec<&HardRow> = hard.iter().collect();
    let ordered = match spec.items {
        ItemChoice::Hard if most == hard.len() => hard,
        ItemChoice::Hard => shuffle(hard, seed),
        ItemChoice::Stratified => spread(shuffle(hard, seed)),
    };
    let mut chosen: Vec<Candidate> = (ordered.into_iter().take(most))
        .map(|row| Candidate { item_id: row.item_id, category: row.category.clone(), people: spec.people_per_batch })
        .collect();
    chosen.sort_by_key(|candidate| candidate.item_id);
    chosen
}

/// An order in which every first part is balanced over categories, and within each category over nuisances.
fn spread(rows: Vec<&HardRow>) -> Vec<&HardRow> {
    let by_nuisance = ranked(rows, |row| (row.category.clone(), row.nuisance.clone()));
    ranked(by_nuisance, |row| row.category.clone())
}

/// The first row of each group, then the second of each, and so on.
fn ranked<K: Ord>(rows: Vec<&HardRow>, group: impl Fn(&HardRow) -> K) -> Vec<&HardRow> {
    let mut seen: BTreeMap<K, usize> = BTreeMap::new();
    let mut ranked: Vec<(usize, &HardRow)> = Vec::with_capacity(rows.len());
    for row in rows {
        let count = seen.entry(group(row)).or_default();
        ranked.push((*count, row));
        *count += 1;
    }
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, row)| row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(item: u32, category: &str, nuisance: &str) -> HardRow {
        HardRow {
            item_id: ItemId(item),
            category: category.to_owned(),
            nuisance: Some(("background".to_owned(), nuisance.to_owned())),
            failed_by: [].into(),
            n_failed: 3,
            agreed_wrong: None,
            near_tie: false,
        }
    }

    fn chosen(items: ItemChoice, max_items: Option<u32>) -> Vec<(u32, String)> {
        // Ten mugs in the sea, two mugs in a wood, one chair.
        let rows = std::iter::repeat_n(("mug", "sea"), 10).chain([("mug", "wood"), ("mug", "wood"), ("chair", "sea")]);
        let rows: Vec<HardRow> =
            (0..).zip(rows).map(|(item, (category, nuisance))| row(item, category, nuisance)).collect();
        let spec = AnnotateSpec { items, max_items, ..AnnotateSpec::default() };
        choose(&spec, &rows, 1).into_iter().map(|c| (c.item_id.0, c.category)).collect()
    }

    #[test]
    fn all_a_random_sample_or_a_balanced_one() {
        assert_eq!(chosen(ItemChoice::Hard, None).len(), 13);
        assert_eq!(chosen(ItemChoice::Hard, Some(5)).len(), 5);
        assert_eq!(chosen(ItemChoice::Hard, Some(500)).len(), 13);
        let balanced = chosen(ItemChoice::Stratified, Some(4));
        assert!(balanced.iter().any(|(_, category)| category == "chair"), "{balanced:?}");
        let woods = balanced.iter().filter(|(item, _)| (10..12).contains(item)).count();
        assert!((1..=2).contains(&woods), "{balanced:?}");
    }
}
