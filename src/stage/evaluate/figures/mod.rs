//! Every figure of an evaluation, from its record and its tables of results alone.
//!
//! `evaluate` writes them, `verify` makes them again and compares, `compare` and the page read them. Holds always: the
//! same tables give the same figures, because nothing but their columns is read; a figure of fewer than
//! [`given::LEAST_GROUP`] images of a group is a count without a value.

mod accuracy;
mod agreement;
mod calibration;
mod choices;
mod columns;
mod given;
mod ood;
mod pairs;
mod robustness;

use rayon::prelude::*;

use crate::domain::{AgreementRow, ComparisonRow, Figure};

pub use accuracy::accuracies;
use columns::Images;
use given::Target;
pub use given::{Inputs, Line, Scores, columns_of, figure};
pub use pairs::{Tested, tested};

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
