//! Whether a target can tell images of the categories from images of none of them.
//!
//! The images inside are those of the clean twin, else those of the pool. Scores are over the classes of the categories
//! (`masked`), because over all classes the images outside have classes of their own. A high score means inside.

use super::given::{Inputs, figure};
use crate::domain::Figure;
use crate::stats::out_of_distribution;
use crate::table::ResultColumns;

/// A score, and how it is read from a target's columns.
type Score = (&'static str, fn(&ResultColumns) -> Vec<f64>);

const SCORES: [Score; 3] = [
    ("max_softmax", |columns| finite(&columns.masked.top1_prob, 1.0)),
    ("max_logit", |columns| finite(&columns.masked_max_logit, 1.0)),
    ("energy", |columns| finite(&columns.masked_energy, -1.0)),
];

/// Adds the figures of the target at `at` of the record.
pub fn add(figures: &mut Vec<Figure>, inputs: &Inputs, at: usize) {
    let Some(outside) = &inputs.ood else { return };
    let inside = inputs.clean.as_ref().unwrap_or(&inputs.pool);
    let name = &inputs.record.targets[at].name;
    for (score, read) in SCORES {
        let (inside, outside) = (read(&inside.targets[at]), read(&outside.targets[at]));
        let Some(found) = out_of_distribution(&inside, &outside) else { continue };
        let n = (found.inside + found.outside) as u64;
        let about = format!("{} in, {} out; in = high", found.inside, found.outside);
        let mut push = |metric: &str, value: f64, method: &str| {
            let start = figure(name, "masked", metric, n).group("ood_score", score);
            figures.push(start.of(Some(value), &format!("{about}; {method}")));
        };
        push("ood_auroc", found.auroc, "area under the ROC curve");
        push("ood_aupr_in", found.aupr_in, "average precision, in is positive");
        push("ood_aupr_out", found.aupr_out, "average precision, out is positive");
        let rule = "at the highest threshold that keeps at least 95 %";
        let threshold = found.in_positive.threshold;
        push("ood_fpr95", found.in_positive.rate, &format!("in is positive, {rule} of in: {threshold:.6}"));
        let threshold = found.out_positive.threshold;
        push("ood_fpr95_out", found.out_positive.rate, &format!("out is positive, {rule} of out: {threshold:.6}"));
    }
}

/// The numbers that are there, times `sign`.
fn finite(numbers: &[f32], sign: f64) -> Vec<f64> {
    numbers.iter().filter(|number| number.is_finite()).map(|&number| sign * f64::from(number)).collect()
}
