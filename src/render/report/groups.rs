//! The sections about targets and about nuisances: two ways to see what the hard images have in common.
//!
//! Does not compute a statistic: it orders rows and divides counts. Holds always: a run without targets or nuisances
//! has no such section, because most runs have neither.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::super::parts::charts;
use super::super::parts::tables::{folded_table, head, section, table};
use super::super::parts::text::{hash, name, phrase};
use super::data::{NuisanceRow, TargetRow};
use crate::render::numbers::{DASH, bounds, count, percent, ratio, share};

/// Values of a kind that are visible from the start; the others are folded.
const SHOWN_VALUES: usize = 10;

/// Accuracy of the targets on the pool and on the hard set.
pub fn targets(targets: &[TargetRow]) -> Markup {
    if targets.is_empty() {
        return html! {};
    }
    let head = html! {
        (head(&["Target", "On the pool#", "95 % interval#", "On the hard set#", "95 % interval#"]))
        th scope="col" { span.hidden { "Both accuracies on an axis from 0 to 100 %" } (charts::axis()) }
        (head(&["Difference#", "Class space", "Runtime", "Weights (SHA-256)"]))
    };
    let rows: Vec<Markup> = targets.iter().map(target_row).collect();
    let note = "Models that took no part in choosing the hard images. The further the accuracy of a model falls from \
                the pool (ring) to the hard set (dot), the more the shared failures of the surrogates carry over to \
                it.";
    section("targets", "Targets: models that do not vote", note, table("Targets", &head, &rows))
}

fn target_row(row: &TargetRow) -> Markup {
    let on_hard = row.on_hard.as_ref();
    let points = on_hard.map(|hard| 100.0 * (hard.value - row.on_pool.value)).filter(|points| points.is_finite());
    html! {
        th scope="row" { (name(&row.name)) }
        td.number { (percent(row.on_pool.value)) span.of { "of " (count(row.items)) } }
        td.number { (bounds(&row.on_pool)) }
        td.number {
            (on_hard.map_or(DASH.into(), |hard| percent(hard.value))) span.of { "of " (count(row.hard_items)) }
        }
        td.number { (on_hard.map_or(DASH.into(), bounds)) }
        td { (charts::strip(on_hard, Some(&row.on_pool))) }
        td.number { (points.map_or(DASH.into(), |points| format!("{points:+.1}").replace('-', "\u{2212}"))) }
        td { (phrase(&row.space)) }
        td { (phrase(&row.runtime)) }
        td { (hash(&row.weights_sha256)) }
    }
}

/// Accuracy and share of hard images by kind of nuisance, and by value within each kind, the hardest first.
pub fn nuisances(rows: &[NuisanceRow]) -> Markup {
    if rows.is_empty() {
        return html! {};
    }
    let kinds = rows.iter().filter(|row| row.value.is_none());
    let kinds: Vec<Markup> = kinds.map(|row| nuisance_row(row, &row.kind)).collect();
    let names: BTreeSet<&str> = rows.iter().map(|row| row.kind.as_str()).collect();
    let note = "Top-1 accuracy is the mean over the surrogates; its interval takes each image as one trial. The \
                figures of a value with few images are uncertain.";
    let body = html! {
        (table("Kinds of nuisance", &nuisance_head("Kind"), &kinds))
        @for kind in names { (values(kind, rows)) }
    };
    section("nuisances", "By nuisance", note, body)
}

/// The values of one kind.
fn values(kind: &str, rows: &[NuisanceRow]) -> Markup {
    let of_kind = |row: &&NuisanceRow| row.kind == kind && row.value.is_some();
    let mut ordered: Vec<&NuisanceRow> = rows.iter().filter(of_kind).collect();
    ordered.sort_by(|a, b| a.accuracy.value.total_cmp(&b.accuracy.value).then_with(|| a.value.cmp(&b.value)));
    let best_and_worst = ordered.first().zip(ordered.last()).filter(|_| ordered.len() > 1);
    let cells = |row: &&NuisanceRow| nuisance_row(row, row.value.as_deref().unwrap_or_default());
    let rows: Vec<Markup> = ordered.iter().map(cells).collect();
    html! {
        h3 { (phrase(kind)) }
        @if let Some((worst, best)) = best_and_worst {
            p.note {
                "Hardest: " (phrase(worst.value.as_deref().unwrap_or_default()))
                " (" (percent(worst.accuracy.value)) "); easiest: "
                (phrase(best.value.as_deref().unwrap_or_default())) " (" (percent(best.accuracy.value)) ")."
            }
        }
        (folded_table(&format!("Values of {kind}, the hardest first"), &nuisance_head("Value"), &rows, SHOWN_VALUES))
    }
}

fn nuisance_head(what: &str) -> Markup {
    html! {
        (head(&[what, "Images#", "Accuracy#", "95 % interval#"]))
        th scope="col" { span.hidden { "Accuracy on an axis from 0 to 100 %" } (charts::axis()) }
        (head(&["Hard#", "Share#", ""]))
    }
}

fn nuisance_row(row: &NuisanceRow, what: &str) -> Markup {
    html! {
        th scope="row" { (phrase(what)) }
        td.number { (count(row.items)) }
        td.number { (percent(row.accuracy.value)) }
        td.number { (bounds(&row.accuracy)) }
        td { (charts::strip(Some(&row.accuracy), None)) }
        td.number { (count(row.hard)) }
        td.number { (share(row.hard, row.items)) }
        td.wide { (charts::share_bar(ratio(row.hard, row.items))) }
    }
}
