//! Targets against each other on the same images: paired tests with Holm's correction, and the tiers that follow.
//!
//! Surrogates are no part of it: they are wrong by construction. Holds always: the test that orders the tiers is named.

use super::{Images, Inputs, figure, of_space};
use crate::domain::{ComparisonRow, Figure, LabelSpace};
use crate::stats::{Comparison, Comparisons, Outcomes, Tier, Ways, compare_all, equivalence, equivalence_of};

/// The level of the tests, after correction.
pub const ALPHA: f64 = 0.05;
/// Halvings of the margin: the smallest one is known to 2^-20.
const HALVINGS: u32 = 20;

/// All pairs of targets.
#[derive(Debug)]
pub struct Pairs {
    /// The comparisons.
    pub compared: Comparisons,
    /// The tiers, best first; members are places of targets in the record.
    pub tiers: Vec<Tier>,
    /// The smallest difference of accuracies that these images can show.
    pub smallest_difference: Option<f64>,
    /// Images that each target has right.
    pub right: Vec<u64>,
}

/// Compares all targets in a label space.
pub fn pairs(inputs: &Inputs, space: LabelSpace, images: &Images) -> Pairs {
    let mut outcomes = Outcomes::new(images.len);
    for target in &inputs.pool.targets {
        outcomes.push(&of_space(target, space).correct);
    }
    // A grid made the images if they have nuisances in several clusters; categories alone are a sample of classes.
    let design = (images.design.ways() == Ways::Two).then_some(&images.design);
    let compared = compare_all(&outcomes, design);
    let right: Vec<u64> = (0..outcomes.models()).map(|model| outcomes.right(model)).collect();
    Pairs { tiers: compared.tiers(&right, ALPHA), smallest_difference: compared.smallest_difference(), compared, right }
}

impl Pairs {
    /// Adds tiers, and the smallest difference.
    pub fn add(&self, figures: &mut Vec<Figure>, inputs: &Inputs, space: LabelSpace) {
        let n = inputs.pool.images.len() as u64;
        let method = format!("anchored tiers, {}, Holm at {ALPHA}", self.compared.test.name());
        for (place, tier) in self.tiers.iter().enumerate() {
            for &member in &tier.members {
                let name = &inputs.record.targets[member].name;
                figures.push(figure(name, &space.to_string(), "tier", n).of(Some(place as f64 + 1.0), &method));
            }
        }
        let method = "80 % power at 5 %, median share of discordant images and design effect of the pairs";
        figures.push(figure("", &space.to_string(), "smallest_difference", n).of(self.smallest_difference, method));
    }

    /// The rows of all pairs.
    pub fn rows(&self, inputs: &Inputs, space: LabelSpace) -> Vec<ComparisonRow> {
        let row = |pair: &Comparison| {
            let (a, b) = (&inputs.record.targets[pair.a], &inputs.record.targets[pair.b]);
            let interval = pair.cluster.as_ref().map(|cluster| cluster.interval).or(pair.difference);
            ComparisonRow {
                a: a.name.clone(),
                b: b.name.clone(),
                space: space.to_string(),
                n: pair.counts.images(),
                only_a: pair.counts.only_a,
                only_b: pair.counts.only_b,
                difference: pair.counts.difference().unwrap_or(0.0),
                low: interval.map(|interval| interval.low),
                high: interval.map(|interval| interval.high),
                p_mcnemar: pair.p_mcnemar,
                p_cluster: pair.cluster.as_ref().map(|cluster| cluster.p),
                p_holm: pair.p_holm,
                equivalent_within: equivalent_within(pair),
            }
        };
        self.compared.pairs.iter().map(row).collect()
    }
}

/// The smallest margin within which both are equivalent; `None` if no margin below 1 shows it.
fn equivalent_within(pair: &Comparison) -> Option<f64> {
    let is_within = |margin: f64| {
        let found = match &pair.cluster {
            Some(cluster) => {
                equivalence_of(cluster.interval.value, cluster.std_error, Some(cluster.degrees), margin)
            }
            None => equivalence(&pair.counts, margin),
        };
        found.is_some_and(|found| found.within(ALPHA))
    };
    let (mut low, mut high) = (0.0, 1.0);
    if !is_within(high) {
        return None;
    }
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if is_within(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Some(high)
}
