//! Every figure of an evaluation, from its record and its tables of results alone.
//!
//! `evaluate` writes them, `verify` makes them again and compares, `compare` and the page read them. Holds always: the
//! same tables give the same figures, because nothing but their columns is read; a figure of fewer than
//! [`LEAST_GROUP`] images of a group is a count without a value.

mod accuracy;
mod agreement;
mod calibration;
mod choices;
mod columns;
mod ood;
mod pairs;
mod robustness;

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use crate::domain::{AgreementRow, ChoiceRow, ComparisonRow, EvaluationRecord, Figure, LabelSpace, MinerRow};
use crate::stats::Interval;
use crate::table::{PoolColumns, ResultColumns, SpaceColumns};

pub use accuracy::accuracies;
pub use columns::{Groups, Images};
pub use pairs::{Tested, tested};
pub use robustness::Line;

/// The fewest images of which a group's accuracy is stated.
pub const LEAST_GROUP: u64 = 10;

/// What the figures are made of.
pub struct Inputs<'a> {
    /// The record.
    pub record: &'a EvaluationRecord,
    /// The pool.
    pub pool: Scores,
    /// The clean twin.
    pub clean: Option<Scores>,
    /// Images of none of the categories.
    pub ood: Option<Scores>,
    /// What the surrogates gave.
    pub miners: Vec<MinerRow>,
    /// Scored answers to questions with two choices, by name.
    pub answers: BTreeMap<String, Vec<ChoiceRow>>,
    /// Figures at the temperature of each target.
    pub tempered: Vec<Figure>,
    /// The line of standard models, or why there is none.
    pub line: Option<Line>,
}

impl Inputs<'_> {
    /// Images of the pool and of the clean twin that some target could not score.
    pub fn lost_images(&self) -> u64 {
        let mut lost = 0;
        for scores in [Some(&self.pool), self.clean.as_ref()].into_iter().flatten() {
            let places: BTreeSet<usize> =
                scores.targets.iter().flat_map(|target| target.lost.iter().map(|(place, _)| *place)).collect();
            let unread = scores.images.sha256.iter().enumerate().filter(|(_, hash)| hash.is_empty());
            lost += places.into_iter().chain(unread.map(|(place, _)| place)).collect::<BTreeSet<usize>>().len();
        }
        lost as u64
    }
}

/// A pool and what the targets of the record made of it, in the record's order.
pub struct Scores {
    /// The images.
    pub images: PoolColumns,
    /// One for each target.
    pub targets: Vec<ResultColumns>,
}

/// All figures.
#[derive(Debug, Default)]
pub struct Figures {
    /// Rows of `results.parquet`.
    pub figures: Vec<Figure>,
    /// Rows of `comparisons.parquet`.
    pub comparisons: Vec<ComparisonRow>,
    /// Rows of `agreement.parquet`.
    pub agreements: Vec<AgreementRow>,
}

/// Makes all figures.
pub fn figures(inputs: &Inputs) -> Figures {
    let images = Images::new(&inputs.pool.images);
    let mut made = Figures::default();
    let of_target = |at: usize| {
        let mut figures = Vec::new();
        let target = Target { name: &inputs.record.targets[at].name, columns: &inputs.pool.targets[at] };
        for &space in &inputs.record.label_spaces {
            accuracy::add(&mut figures, &target, space, &images);
            calibration::add(&mut figures, &target, space);
        }
        accuracy::add_top5(&mut figures, &target, &images);
        robustness::add(&mut figures, inputs, at, &images);
        ood::add(&mut figures, inputs, at);
        figures
    };
    let by_target: Vec<Vec<Figure>> = (0..inputs.record.targets.len()).into_par_iter().map(of_target).collect();
    made.figures.extend(by_target.into_iter().flatten());
    accuracy::add_miners(&mut made.figures, inputs);
    made.figures.extend(inputs.tempered.iter().cloned());
    for (name, rows) in &inputs.answers {
        choices::add(&mut made.figures, name, rows);
    }
    for &space in &inputs.record.label_spaces {
        let right: Vec<&[bool]> =
            inputs.pool.targets.iter().map(|target| &columns_of(target, space).correct[..]).collect();
        let pairs = pairs::pairs(&right, space, Some(&images));
        made.figures.extend(pairs.figures(inputs.record));
        made.comparisons.extend(pairs.rows(inputs.record));
        made.agreements.extend(agreement::rows(inputs, space));
    }
    made
}

/// One target on the pool.
struct Target<'a> {
    name: &'a str,
    columns: &'a ResultColumns,
}

/// A target's answers in a label space.
pub fn columns_of(columns: &ResultColumns, space: LabelSpace) -> &SpaceColumns {
    match space {
        LabelSpace::AnyOfIds => &columns.any,
        LabelSpace::Masked => &columns.masked,
    }
}

/// The start of a figure about all images.
pub fn figure(target: &str, space: &str, metric: &str, n: u64) -> Figure {
    Figure {
        target: target.to_owned(),
        space: space.to_owned(),
        metric: metric.to_owned(),
        group_by: "all".to_owned(),
        group: "all".to_owned(),
        value: None,
        low: None,
        high: None,
        n,
        method: String::new(),
    }
}

impl Figure {
    /// With a value without an interval.
    pub fn of(self, value: Option<f64>, method: &str) -> Self {
        Self { value: value.filter(|value| value.is_finite()), method: method.to_owned(), ..self }
    }

    /// With an interval.
    fn within(self, interval: Option<Interval>, method: &str) -> Self {
        let (value, low, high) = (interval.map(|i| i.value), interval.map(|i| i.low), interval.map(|i| i.high));
        Self { value, low, high, method: method.to_owned(), ..self }
    }

    /// Of one group.
    fn group(self, group_by: &str, group: &str) -> Self {
        Self { group_by: group_by.to_owned(), group: group.to_owned(), ..self }
    }
}
