//! Targets against each other on the same images: paired tests with Holm's correction, and the tiers that follow.
//!
//! Surrogates are no part of it: they are wrong by construction. Holds always: the test that orders the tiers is named.

use super::columns::Images;
use super::given::figure;
use crate::domain::{ComparisonRow, EvaluationRecord, Figure, LabelSpace};
use crate::stats::{Comparison, Comparisons, Outcomes, Tier, compare_all};
use crate::table::PoolColumns;

/// The level of the tests, after correction.
pub const ALPHA: f64 = 0.05;

/// All pairs of targets in a label space.
#[derive(Debug)]
pub struct Pairs {
    /// The comparisons.
    pub compared: Comparisons,
    /// The tiers, best first; members are places of targets in the record.
    pub tiers: Vec<Tier>,
    space: String,
    images: u64,
}

/// Compares targets; `right`: right or wrong on each image, of each; `images`: what these show, if it is known.
pub fn pairs(right: &[&[bool]], space: LabelSpace, images: Option<&Images>) -> Pairs {
    let mut outcomes = Outcomes::new(right.first().map_or(0, |right| right.len()));
    right.iter().for_each(|right| outcomes.push(right));
    // A grid made the images if they have nuisances; categories alone are a sample of classes.
    let design = images.filter(|images| images.is_grid).map(|images| &images.design);
    let compared = compare_all(&outcomes, design);
    let right: Vec<u64> = (0..outcomes.models()).map(|model| outcomes.right(model)).collect();
    let tiers = compared.tiers(&right, ALPHA);
    Pairs { tiers, compared, space: space.to_string(), images: outcomes.images() as u64 }
}

/// What follows from the outcomes of several targets.
pub struct Tested {
    /// Tiers, and the smallest difference.
    pub figures: Vec<Figure>,
    /// All pairs.
    pub rows: Vec<ComparisonRow>,
}

/// Compares the targets of a record by their outcomes alone.
pub fn tested(
    record: &EvaluationRecord,
    right: &[Vec<bool>],
    space: LabelSpace,
    images: Option<&PoolColumns>,
) -> Tested {
    let images = images.map(Images::new);
    let right: Vec<&[bool]> = right.iter().map(Vec::as_slice).collect();
    let pairs = pairs(&right, space, images.as_ref());
    Tested { figures: pairs.figures(record), rows: pairs.rows(record) }
}

impl Pairs {
    /// Tiers, and the smallest difference.
    pub fn figures(&self, record: &EvaluationRecord) -> Vec<Figure> {
        let mut figures = Vec::new();
        let method = format!("anchored tiers, {}, Holm at {ALPHA}", self.compared.test.name());
        for (place, tier) in self.tiers.iter().enumerate() {
            for &member in &tier.members {
                let name = &record.targets[member].name;
                figures.push(figure(name, &self.space, "tier", self.images).of(Some(place as f64 + 1.0), &method));
            }
        }
        let method =
            "80 % power at 5 % over all pairs (Bonferroni), median discordant share and design effect of a pair";
        let smallest = self.compared.smallest_difference();
        figures.push(figure("", &self.space, "smallest_difference", self.images).of(smallest, method));
        figures
    }

    /// The rows of all pairs.
    pub fn rows(&self, record: &EvaluationRecord) -> Vec<ComparisonRow> {
        let row = |pair: &Comparison| {
            let (a, b) = (&record.targets[pair.a], &record.targets[pair.b]);
            let interval = pair.cluster.as_ref().map(|cluster| cluster.interval).or(pair.difference);
            ComparisonRow {
                a: a.name.clone(),
                b: b.name.clone(),
                space: self.space.clone(),
                n: pair.counts.images(),
                only_a: pair.counts.only_a,
                only_b: pair.counts.only_b,
                difference: pair.counts.difference().unwrap_or(0.0),
                low: interval.map(|interval| interval.low),
                high: interval.map(|interval| interval.high),
                p_mcnemar: pair.p_mcnemar,
                p_cluster: pair.cluster.as_ref().map(|cluster| cluster.p),
                p_holm: pair.p_holm,
                equivalent_within: pair.equivalent_within(),
            }
        };
        self.compared.pairs.iter().map(row).collect()
    }
}
