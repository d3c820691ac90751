//! What figures are made of, and how one begins.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{ChoiceRow, EvaluationRecord, Figure, LabelSpace, MinerRow};
use crate::stats::{Interval, LogitFit};
use crate::table::{PoolColumns, ResultColumns, SpaceColumns};

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

/// The line of standard models, as far as there is one.
#[derive(Debug)]
pub enum Line {
    /// There is one.
    Fitted {
        /// The line.
        fit: LogitFit,
        /// What it was fitted on.
        about: String,
        /// Whether it holds for the label space `masked` alone.
        masked_only: bool,
    },
    /// Why there is none.
    Refused(String),
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

/// One target on the pool.
pub struct Target<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it made of the images.
    pub columns: &'a ResultColumns,
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
    pub fn within(self, interval: Option<Interval>, method: &str) -> Self {
        let (value, low, high) = (interval.map(|i| i.value), interval.map(|i| i.low), interval.map(|i| i.high));
        Self { value, low, high, method: method.to_owned(), ..self }
    }

    /// Of one group.
    pub fn group(self, group_by: &str, group: &str) -> Self {
        Self { group_by: group_by.to_owned(), group: group.to_owned(), ..self }
    }
}
