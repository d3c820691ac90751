//! The leaderboard: one row for each target, best tier first, and the surrogates below without a rank.
//!
//! Holds always: targets of one tier are ordered by accuracy, then by name, but have the same tier: the images cannot
//! part them.

use super::section::find;
use crate::domain::{EvaluationRecord, Figure, TargetRecord};

/// A row of the leaderboard.
#[derive(Debug, Clone, PartialEq)]
pub struct BoardRow {
    /// The tier, from 1; `None` for a surrogate.
    pub tier: Option<u64>,
    /// The target, or surrogate.
    pub target: String,
    /// What it is; `surrogate` for one.
    pub kind: String,
    /// The name of its class space.
    pub class_space: String,
    /// How many classes it has.
    pub classes: Option<u64>,
    /// Label space.
    pub space: String,
    /// Images.
    pub n: u64,
    /// Images with a prediction.
    pub scored: u64,
    /// Accuracy on these images.
    pub accuracy: Figure,
    /// The same with the interval of objects like these.
    pub objects: Option<Figure>,
    /// Other figures about all images, in the order of the table's columns.
    pub others: Vec<Option<f64>>,
    /// Hash of its weights.
    pub weights_sha256: String,
}

/// Further columns of the leaderboard: metrics about all images.
pub const OTHERS: [&str; 9] = [
    "accuracy_top5",
    "clean_accuracy",
    "drop",
    "effective_robustness",
    "rms_calibration",
    "ece15",
    "nll",
    "brier",
    "mce",
];

/// The leaderboard in the label space `space`.
pub fn board(figures: &[Figure], record: &EvaluationRecord, space: &str) -> Vec<BoardRow> {
    let mut rows: Vec<BoardRow> = Vec::new();
    for target in &record.targets {
        let found = |metric: &str| find(figures, &target.name, space, metric);
        let Some(accuracy) = found("accuracy") else { continue };
        rows.push(BoardRow {
            tier: found("tier").and_then(|tier| tier.value).map(|tier| tier as u64),
            objects: found("accuracy_objects").cloned(),
            others: OTHERS.iter().map(|metric| other(figures, target, space, metric)).collect(),
            scored: found("scored").and_then(|scored| scored.value).map_or(0, |scored| scored as u64),
            ..start(&target.name, accuracy, space).of_target(target)
        });
    }
    let value = |row: &BoardRow| row.accuracy.value.unwrap_or(0.0);
    rows.sort_by(|a, b| {
        (a.tier.cmp(&b.tier)).then(value(b).total_cmp(&value(a))).then_with(|| a.target.cmp(&b.target))
    });
    for surrogate in &record.surrogates {
        let Some(accuracy) = find(figures, &surrogate.name, "", "accuracy_of_surrogate") else { continue };
        rows.push(BoardRow {
            class_space: surrogate.class_space.clone(),
            weights_sha256: surrogate.weights_sha256.map_or_else(String::new, |hash| hash.to_string()),
            ..start(&surrogate.name, accuracy, "of the mining")
        });
    }
    rows
}

fn start(name: &str, accuracy: &Figure, space: &str) -> BoardRow {
    BoardRow {
        tier: None,
        target: name.to_owned(),
        kind: "surrogate".to_owned(),
        class_space: String::new(),
        classes: None,
        space: space.to_owned(),
        n: accuracy.n,
        scored: accuracy.n,
        accuracy: accuracy.clone(),
        objects: None,
        others: vec![None; OTHERS.len()],
        weights_sha256: String::new(),
    }
}

impl BoardRow {
    fn of_target(self, target: &TargetRecord) -> Self {
        Self {
            kind: target.kind.clone(),
            class_space: target.class_space.clone(),
            classes: Some(target.classes),
            weights_sha256: target.weights_sha256.map_or_else(String::new, |hash| hash.to_string()),
            ..self
        }
    }
}

fn other(figures: &[Figure], target: &TargetRecord, space: &str, metric: &str) -> Option<f64> {
    find(figures, &target.name, space, metric).and_then(|figure| figure.value)
}

/// `leaderboard.csv`: the leaderboard in every label space, one after another.
pub fn leaderboard_csv(figures: &[Figure], record: &EvaluationRecord) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut head: Vec<&str> = vec![
        "space",
        "tier",
        "target",
        "kind",
        "class_space",
        "classes",
        "n",
        "scored",
        "accuracy",
        "low",
        "high",
        "method",
        "objects_low",
        "objects_high",
        "objects_method",
    ];
    head.extend(OTHERS);
    head.push("weights_sha256");
    // These cannot fail: they write into memory, and all rows have the cells of the head.
    let _ = writer.write_record(&head);
    for space in &record.label_spaces {
        for row in board(figures, record, &space.to_string()) {
            let _ = writer.write_record(cells(&row));
        }
    }
    writer.into_inner().unwrap_or_default()
}

fn cells(row: &BoardRow) -> Vec<String> {
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    let count = |value: Option<u64>| value.map_or_else(String::new, |value| value.to_string());
    let objects = row.objects.as_ref();
    let mut cells = vec![
        row.space.clone(),
        count(row.tier),
        row.target.clone(),
        row.kind.clone(),
        row.class_space.clone(),
        count(row.classes),
        row.n.to_string(),
        row.scored.to_string(),
        number(row.accuracy.value),
        number(row.accuracy.low),
        number(row.accuracy.high),
        row.accuracy.method.clone(),
        number(objects.and_then(|objects| objects.low)),
        number(objects.and_then(|objects| objects.high)),
        objects.map_or_else(String::new, |objects| objects.method.clone()),
    ];
    cells.extend(row.others.iter().map(|&value| number(value)));
    cells.push(row.weights_sha256.clone());
    cells
}
