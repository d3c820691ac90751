//! The figures of answers to questions with two choices: the fair rule with its bounds, position bias, and beside them
//! what ImageNet-D's rule would say.
//!
//! Chance is one half of the answers that name one choice alone. Holds always: every question is in the denominator.

use super::given::figure;
use crate::answers::two_choice::{ChoiceTally, FairOutcome, OfficialOutcome};
use crate::domain::{ChoiceRow, Figure};
use crate::stats::proportion;

/// The label space of these figures.
pub const SPACE: &str = "two-choice";

/// Adds the figures of the answers of `name`.
pub fn add(figures: &mut Vec<Figure>, name: &str, rows: &[ChoiceRow]) {
    let mut tally = ChoiceTally::default();
    for row in rows {
        let fair = FairOutcome::ALL.into_iter().find(|fair| fair.name() == row.fair).unwrap_or(FairOutcome::None);
        let official = OfficialOutcome::ALL.into_iter().find(|official| official.name() == row.official);
        tally.add(fair, official, row.truth_first);
    }
    let n = tally.answers();
    let start = |metric: &str, n: u64| figure(name, SPACE, metric, n);
    if let Some(found) = proportion(tally.right, n) {
        let method = format!("fair rule, chance is 50 %: {}", found.method.name());
        figures.push(start("accuracy", n).within(Some(found.interval), &method));
    }
    let bounds = tally.bounds();
    figures.push(start("accuracy_at_most", n).of(bounds.map(|[_, most]| most), "if BOTH and NONE were all right"));
    for (metric, count) in [("answers_both", tally.both), ("answers_none", tally.neither)] {
        figures.push(start(metric, n).of(Some(count as f64), "count; they are wrong"));
    }
    let empty = rows.iter().filter(|row| row.answer.is_empty()).count();
    figures.push(start("answers_empty", n).of(Some(empty as f64), "count, among NONE"));
    if let Some(found) = proportion(tally.first, tally.decided()) {
        let method = format!("share of the choice named first, 50 % without bias: {}", found.method.name());
        figures.push(start("first_choice", tally.decided()).within(Some(found.interval), &method));
    }
    let decided = tally.official_true + tally.official_false;
    let method = "ImageNet-D's code: substrings, DOUBLE and TODO leave the denominator";
    figures.push(start("accuracy_official", decided).of(tally.official_accuracy(), method));
}
