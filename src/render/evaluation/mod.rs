//! The documents of an evaluation: leaderboard, results for others, pages.
//!
//! Does not compute figures. Holds always: equal figures give equal bytes; a number is written with its denominator and
//! its interval; a page loads nothing, and everything is visible without JavaScript.

mod board;
mod choices;
mod compare;
mod data;
mod gallery;
mod groups;
mod leaderboard;
mod matrix;
mod page;
mod pairs;
mod reliability;
mod scatter;
mod section;

use crate::domain::{ComparisonRow, EvaluationRecord, Figure, TargetResults};

pub use board::{BoardRow, board, leaderboard_csv};
pub use choices::{choices_csv, left_out_csv, read_choices};
pub use data::{Answered, Card, ComparePage, EvaluationPage, Flip, Group, KindRow, Lost};

/// The page of an evaluation.
pub fn evaluation_page(data: &EvaluationPage) -> Vec<u8> {
    page::page(data).into_string().into_bytes()
}

/// The page of a joined leaderboard: no images, because nobody has them all.
pub fn leaderboard_page(record: &EvaluationRecord, figures: &[Figure], comparisons: &[ComparisonRow]) -> Vec<u8> {
    evaluation_page(&EvaluationPage {
        record,
        figures,
        comparisons,
        agreements: &[],
        diagrams: Vec::new(),
        order: Vec::new(),
        gallery: Vec::new(),
        lost: Vec::new(),
    })
}

/// The page of two targets.
pub fn compare_page(data: &ComparePage) -> Vec<u8> {
    compare::page(data).into_string().into_bytes()
}

/// `results.json`: one line for each figure, so that a change is seen in a repository.
pub fn results_json(results: &TargetResults) -> Vec<u8> {
    let mut text = String::from("{\n");
    let fields = serde_json::to_value(results).unwrap_or_default();
    let fields = fields.as_object().cloned().unwrap_or_default();
    let last = fields.len();
    for (at, (name, value)) in fields.into_iter().enumerate() {
        let value = match value {
            serde_json::Value::Array(rows) if !rows.is_empty() => {
                let rows: Vec<String> = rows.iter().map(|row| format!("    {row}")).collect();
                format!("[\n{}\n  ]", rows.join(",\n"))
            }
            value => value.to_string(),
        };
        let comma = if at + 1 < last { "," } else { "" };
        text += &format!("  \"{name}\": {value}{comma}\n");
    }
    (text + "}\n").into_bytes()
}
