//! How alike the errors of two models are: among targets, and of targets with the surrogates of the pool.
//!
//! A surrogate has one label space, that of the mining. Holds always: top classes are compared only where both models
//! speak over the same class space.

use std::collections::{BTreeMap, HashMap};

use super::given::{Inputs, columns_of};
use crate::domain::{AgreementRow, LabelSpace, MinerRow};
use crate::stats::{Outcomes, PairCounts, agreement_of_all, expected_agreement};

/// The rows of a label space.
pub fn rows(inputs: &Inputs, space: LabelSpace) -> Vec<AgreementRow> {
    let mut rows = among_targets(inputs, space);
    let mut miners: BTreeMap<&str, Vec<&MinerRow>> = BTreeMap::new();
    for row in &inputs.miners {
        miners.entry(row.surrogate.as_str()).or_default().push(row);
    }
    let places: HashMap<u32, usize> =
        inputs.pool.images.item_id.iter().enumerate().map(|(place, &item)| (item, place)).collect();
    for (at, target) in inputs.record.targets.iter().enumerate() {
        for (name, given) in &miners {
            let space_of_miner = inputs.record.surrogates.iter().find(|miner| miner.name == *name);
            let same_space = space_of_miner.is_some_and(|miner| miner.class_space == target.class_space);
            let columns = columns_of(&inputs.pool.targets[at], space);
            let mut both = With { columns_right: 0, miner_right: 0, images: 0, counts: PairCounts::default() };
            for row in given {
                if let Some(&place) = places.get(&row.item_id.0) {
                    both.add(columns.correct[place], columns.top1_id[place], row);
                }
            }
            rows.push(both.row((&target.name, name), space, same_space));
        }
    }
    rows
}

fn among_targets(inputs: &Inputs, space: LabelSpace) -> Vec<AgreementRow> {
    let mut outcomes = Outcomes::new(inputs.pool.images.len());
    let mut classes: Vec<&[i32]> = Vec::with_capacity(inputs.pool.targets.len());
    for target in &inputs.pool.targets {
        let columns = columns_of(target, space);
        outcomes.push(&columns.correct);
        classes.push(&columns.top1_id);
    }
    let targets = &inputs.record.targets;
    let mut rows = Vec::new();
    for pair in agreement_of_all(&outcomes, &classes) {
        let (a, b) = (&targets[pair.a], &targets[pair.b]);
        rows.push(AgreementRow {
            a: a.name.clone(),
            b: b.name.clone(),
            b_is_surrogate: false,
            space: space.to_string(),
            n: outcomes.images() as u64,
            kappa: pair.kappa,
            observed: pair.observed.unwrap_or(0.0),
            expected: pair.expected.unwrap_or(0.0),
            same_wrong_class: pair.same_wrong_class.filter(|_| a.class_space == b.class_space),
        });
    }
    rows
}

/// A target beside a surrogate.
struct With {
    columns_right: u64,
    miner_right: u64,
    images: u64,
    counts: PairCounts,
}

impl With {
    fn add(&mut self, right: bool, top1_id: i32, miner: &MinerRow) {
        self.images += 1;
        self.columns_right += u64::from(right);
        self.miner_right += u64::from(miner.correct);
        self.counts.alike += u64::from(right == miner.correct);
        if !right && !miner.correct {
            self.counts.both_fail += 1;
            self.counts.same_class += u64::from(top1_id == miner.top1_id);
        }
    }

    fn row(&self, names: (&str, &str), space: LabelSpace, same_space: bool) -> AgreementRow {
        let (a, b) = names;
        AgreementRow {
            a: a.to_owned(),
            b: b.to_owned(),
            b_is_surrogate: true,
            space: space.to_string(),
            n: self.images,
            kappa: self.counts.error_consistency(self.columns_right, self.miner_right, self.images),
            observed: self.counts.observed(self.images).unwrap_or(0.0),
            expected: expected_agreement(self.columns_right, self.miner_right, self.images).unwrap_or(0.0),
            same_wrong_class: self.counts.same_wrong_class().filter(|_| same_space),
        }
    }
}
