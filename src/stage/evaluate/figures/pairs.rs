//! Targets against each other on the same images: paired tests with Holm's correction, and the tiers that follow.
//!
//! Surrogates are no part of it: they are wrong by construction. Holds always: the test that orders the tiers is named.

use super::columns::Images;
use super::given::figure;
use crate::domain::{ComparisonRow, EvaluationRecord, Figure, LabelSpace};
use crate::stats::{
    Comparison, Comparisons, Outcomes, Tier, compare_all, equivalence, equivalence_of_clusters, normal_quantile,
};
use crate::table::PoolColumns;

/// The level of the tests, after correction.
pub const ALPHA: f64 = 0.05;
/// The chance to part two targets that differ by the smallest difference.
const POWER: f64 = 0.8;
/// Halvings of the margin: the smallest one is known to 2^-20.
const HALVINGS: u32 = 20;

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
        let smallest = self.compared.smallest_difference().map(|alone| alone * self.correction());
        figures.push(figure("", &self.space, "smallest_difference", self.images).of(smallest, method));
        figures
    }

    /// How much larger a difference must be if all pairs are tested: the quantiles of a corrected test beside those of
    /// one alone.
    fn correction(&self) -> f64 {
        let pairs = self.compared.pairs.len().max(1) as f64;
        let needed = |alpha: f64| normal_quantile(1.0 - alpha / 2.0) + normal_quantile(POWER);
        needed(ALPHA / pairs) / needed(ALPHA)
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
            Some(cluster) if cluster.std_error > 0.0 => equivalence_of_clusters(cluster, margin),
            _ => equivalence(&pair.counts, margin),
        };
        found.is_some_and(|found| found.holds(ALPHA))
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
