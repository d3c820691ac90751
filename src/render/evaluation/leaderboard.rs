//! The table of the leaderboard, with intervals drawn.
//!
//! Holds always: the order is by tier; a line parts two tiers; surrogates stand below, grey and without a rank.

use maud::{Markup, html};

use super::super::parts::charts;
use super::super::parts::tables::{head, table};
use super::super::parts::text::{name, phrase};
use super::board::{BoardRow, OTHERS};
use super::data::EvaluationPage;
use super::section::section;
use crate::domain::Figure;
use crate::render::numbers::{DASH, bounds, count, percent};
use crate::stats::Interval;

/// The section.
pub fn leaderboard(page: &EvaluationPage, rows: &[BoardRow]) -> Option<Markup> {
    if rows.is_empty() {
        return None;
    }
    let others: Vec<usize> = (0..OTHERS.len()).filter(|&at| rows.iter().any(|row| row.others[at].is_some())).collect();
    let mut titles = vec!["Tier#", "Target", "Accuracy#", "These images#", "Objects like these#"];
    let heads: Vec<String> = others.iter().map(|&at| format!("{}#", title(OTHERS[at]))).collect();
    titles.extend(heads.iter().map(String::as_str));
    titles.extend(["Scored#", "Classes"]);
    let head = html! {
        (head(&titles[..2]))
        th scope="col" { (charts::axis()) span.hidden { "Interval" } }
        (head(&titles[2..]))
    };
    let mut last = None;
    let mut made = Vec::with_capacity(rows.len());
    for row in rows {
        let begins = last.is_some_and(|last| last != row.tier);
        last = Some(row.tier);
        made.push(cells(row, &others, begins));
    }
    let note = "Targets of one tier cannot be parted by these images, whatever their order. Filled: these images; \
                hollow: objects like these.";
    let is_marked = page.record.surrogates.iter().any(|_| rows.iter().any(|row| row.tier.is_none()));
    section(
        "leaderboard",
        "Leaderboard",
        note,
        html! {
            (table("Leaderboard", &head, &made))
            @if is_marked {
                p.note { "Surrogates mined these images: they are wrong by construction, and have no rank." }
            }
        },
    )
}

fn cells(row: &BoardRow, others: &[usize], begins: bool) -> Markup {
    let class = match (row.tier, begins) {
        (None, _) => "miner",
        (Some(_), true) => "begins",
        (Some(_), false) => "",
    };
    let (these, objects) = (interval(&row.accuracy), row.objects.as_ref().and_then(interval));
    let written = |interval: Option<&Interval>| interval.map_or_else(|| DASH.to_owned(), bounds);
    html! {
        td.number.(class) { @if let Some(tier) = row.tier { (tier) } @else { span.hidden { "no rank" } (DASH) } }
        th scope="row" title=[(!row.weights_sha256.is_empty()).then_some(&row.weights_sha256)] {
            (name(&row.target))
            @if row.tier.is_none() { span.apart { " surrogate" } }
        }
        td { (charts::strip(these.as_ref(), objects.as_ref())) }
        td.number { (row.accuracy.value.map_or_else(|| DASH.to_owned(), percent)) }
        td.number title=(row.accuracy.method) { (written(these.as_ref())) }
        td.number title=[row.objects.as_ref().map(|objects| &objects.method)] { (written(objects.as_ref())) }
        @for &at in others { td.number { (value(OTHERS[at], row.others[at])) } }
        td.number { (count(row.scored)) @if row.scored < row.n { span.of { "of " (count(row.n)) } } }
        td.classes { (phrase(&row.class_space)) @if let Some(classes) = row.classes { " (" (count(classes)) ")" } }
    }
}

/// The interval of a figure that has one.
pub fn interval(figure: &Figure) -> Option<Interval> {
    Some(Interval { value: figure.value?, low: figure.low?, high: figure.high? })
}

fn title(metric: &str) -> &'static str {
    match metric {
        "accuracy_top5" => "Top 5",
        "clean_accuracy" => "Clean",
        "drop" => "Drop",
        "effective_robustness" => "Effective robustness",
        "rms_calibration" => "RMS calibration",
        "ece15" => "ECE",
        "nll" => "NLL",
        "brier" => "Brier",
        _ => "mCE",
    }
}

fn value(metric: &str, value: Option<f64>) -> String {
    let Some(value) = value else { return DASH.to_owned() };
    match metric {
        "accuracy_top5" | "clean_accuracy" => percent(value),
        "drop" | "effective_robustness" => format!("{:+.1}", value * 100.0).replace('-', "−"),
        _ => format!("{value:.3}"),
    }
}
