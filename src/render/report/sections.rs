//! The sections before and after the gallery, one function each: accuracy, failures, agreement, leave-one-out,
//! confusions, categories, dropped images.
//!
//! Does not compute a statistic: it orders rows and divides counts. Holds always: a section without data says so and
//! does not vanish, so that the page has the same shape for every run.

use std::cmp::Reverse;

use maud::{Markup, html};

use super::super::parts::charts;
use super::super::parts::tables::{folded_table, head, section, table};
use super::super::parts::text::{fragment_value, hash, name, phrase};
use super::data::{Agreement, CategoryRow, Confusion, DroppedItem, LeaveOneOut, SurrogateRow};
use crate::render::numbers::{DASH, bounds, coefficient, count, counted, percent, ratio, share};

/// Rows of a long table that are visible from the start; the others are folded.
const SHOWN_ROWS: usize = 15;

/// Accuracy of each surrogate on the pool, with intervals on a common axis, and on the hard set.
pub fn accuracy(surrogates: &[SurrogateRow]) -> Markup {
    let head = html! {
        (head(&["Surrogate", "Accuracy#", "95 % interval#"]))
        th scope="col" { span.hidden { "Accuracy on an axis from 0 to 100 %" } (charts::axis()) }
        (head(&["Correct#", "On the hard set#", "Class space", "Runtime", "Weights (SHA-256)"]))
    };
    let rows: Vec<Markup> = surrogates.iter().map(accuracy_row).collect();
    let note = "Top-1 accuracy on the pool. Surrogates score low on the hard set by construction (zero if all must \
                fail), because they mined it: that column shows the effect of the rule, not how good a model is.";
    let body = if rows.is_empty() {
        nothing("No surrogate has scored this pool yet.")
    } else {
        table("Accuracy", &head, &rows)
    };
    section("accuracy", "Accuracy of the surrogates", note, body)
}

fn accuracy_row(row: &SurrogateRow) -> Markup {
    html! {
        th scope="row" { (name(&row.name)) }
        td.number { (percent(row.accuracy.value)) }
        td.number { (bounds(&row.accuracy)) }
        td { (charts::strip(Some(&row.accuracy), None)) }
        td.number { (count(row.correct)) " / " (count(row.items)) }
        td.number {
            (share(row.correct_on_hard, row.hard_items))
            span.of { (count(row.correct_on_hard)) " / " (count(row.hard_items)) }
        }
        td { (phrase(&row.space)) }
        td { (phrase(&row.runtime)) }
        td { (hash(&row.weights_sha256)) }
    }
}

/// The number of images by the number of surrogates that fail on them.
pub fn failures(histogram: &[u64], hard_from: Option<u32>) -> Markup {
    let scored: u64 = histogram.iter().sum();
    let note = match hard_from {
        Some(from) => {
            format!("{} scored; the hard set starts at {}.", counted(scored, "image"), counted(from.into(), "failure"))
        }
        None => format!("{} scored.", counted(scored, "image")),
    };
    let body = match scored {
        0 => nothing("No image has been scored yet."),
        _ => {
            html! {
                figure {
                    div.scroll role="region" aria-label="Failures per image" tabindex="0" {
                        (charts::histogram(histogram, hard_from))
                    }
                }
            }
        }
    };
    section("failures", "Failures per image", &note, body)
}

/// The two matrices of pairwise agreement.
pub fn agreement(agreement: &Agreement) -> Markup {
    let note = "Error consistency is Cohen's kappa of right and wrong (Geirhos et al. 2020): 1 = both fail on the same \
                images, 0 = no more overlap than their accuracies predict, below 0 = they fail on different images.";
    let body = match agreement.names.len() {
        0 | 1 => nothing("Agreement needs two surrogates."),
        _ => html! {
            div.pair {
                (matrix("Error consistency (kappa)", &agreement.names, &agreement.kappa, coefficient))
                (matrix("Same wrong class, where both are wrong", &agreement.names,
                    &agreement.both_wrong_same_class, share_or_dash))
            }
        },
    };
    section("agreement", "Agreement between surrogates", note, body)
}

fn share_or_dash(value: Option<f64>) -> String {
    percent(value.unwrap_or(f64::NAN))
}

/// Names down the side, their numbers across the top.
fn matrix(title: &str, names: &[String], values: &[Vec<Option<f64>>], write: fn(Option<f64>) -> String) -> Markup {
    html! {
        div.scroll role="region" aria-label=(title) tabindex="0" {
            table.matrix {
                caption { (title) }
                thead { tr {
                    td {}
                    @for (j, name) in names.iter().enumerate() { th scope="col" title=(name) { (j + 1) } }
                } }
                tbody { @for (i, row_name) in names.iter().enumerate() { tr {
                    th scope="row" { span.index { (i + 1) } (name(row_name)) }
                    @for j in 0..names.len() { (matrix_cell(i, j, values, write)) }
                } } }
            }
        }
    }
}

fn matrix_cell(i: usize, j: usize, values: &[Vec<Option<f64>>], write: fn(Option<f64>) -> String) -> Markup {
    let value = values.get(i).and_then(|row| row.get(j)).copied().flatten().filter(|v| v.is_finite() && i != j);
    html! { td class={ "number " (shade(value)) } { (write(value)) } }
}

/// The class that shades a cell: `p0` to `p10` for 0 to 1, `n1` to `n10` for below 0.
fn shade(value: Option<f64>) -> String {
    let tenths = (value.unwrap_or(0.0) * 10.0).clamp(-10.0, 10.0).round() as i32;
    format!("{}{}", if tenths < 0 { 'n' } else { 'p' }, tenths.abs())
}

/// Each surrogate against the images that the others mine without it.
pub fn leave_one_out(rows: &[LeaveOneOut]) -> Markup {
    let head = html! {
        (head(&["Left out", "Mined by the others#", "Its accuracy on them#", "95 % interval#", "On the pool#"]))
        th scope="col" { span.hidden { "Both accuracies on an axis from 0 to 100 %" } (charts::axis()) }
    };
    let rows: Vec<Markup> = rows.iter().map(leave_one_out_row).collect();
    let note = "The rule runs without one surrogate, which is then tested on the images that the others mined. The \
                further its accuracy falls from the pool (ring) to the mined images (dot), the more the difficulty \
                carries over.";
    let body = if rows.is_empty() {
        nothing("Leaving one out needs at least two surrogates.")
    } else {
        table("Leave one out", &head, &rows)
    };
    section("leave-one-out", "Does the difficulty carry over to a surrogate that did not mine?", note, body)
}

fn leave_one_out_row(row: &LeaveOneOut) -> Markup {
    let on_them = row.accuracy_on_them.as_ref();
    html! {
        th scope="row" { (name(&row.left_out)) }
        td.number { (count(row.mined_by_others)) }
        td.number { (on_them.map_or(DASH.into(), |interval| percent(interval.value))) }
        td.number { (on_them.map_or(DASH.into(), bounds)) }
        td.number { (percent(row.accuracy_on_pool.value)) }
        td { (charts::strip(on_them, Some(&row.accuracy_on_pool))) }
    }
}

/// Wrong classes that failing surrogates share, most frequent first.
pub fn confusions(confusions: &[Confusion]) -> Markup {
    let mut ordered: Vec<&Confusion> = confusions.iter().collect();
    ordered.sort_by_key(|c| (Reverse(c.items), c.label.to_lowercase(), &c.label, &c.predicted));
    let rows: Vec<Markup> = ordered.into_iter().map(confusion_row).collect();
    let head = head(&["True class", "Taken for", "Images#", "By"]);
    let note = "Wrong classes that the failing surrogates share. A frequent pair is a real ambiguity, an overlap of \
                two classes, or a series of wrong labels: look at the images.";
    let body = match rows.len() {
        0 => nothing("No wrong class is shared."),
        _ => folded_table("Shared confusions", &head, &rows, SHOWN_ROWS),
    };
    section("confusions", "Shared confusions", note, body)
}

fn confusion_row(row: &Confusion) -> Markup {
    let query = format!("#q={}", fragment_value(&format!("{} {}", row.label, row.predicted)));
    html! {
        th scope="row" { a href=(query) { (phrase(&row.label)) } }
        td { (phrase(&row.predicted)) }
        td.number { (count(row.items)) }
        td.small { @for (i, surrogate) in row.surrogates.iter().enumerate() { @if i > 0 { ", " } (name(surrogate)) } }
    }
}

/// Hard images by category, most first; equal counts by share, then by name.
pub fn categories(categories: &[CategoryRow]) -> Markup {
    let mut ordered: Vec<&CategoryRow> = categories.iter().collect();
    ordered.sort_by_key(|c| (Reverse(c.hard), c.items, &c.name));
    let rows: Vec<Markup> = ordered.into_iter().map(category_row).collect();
    let head = head(&["Category", "Hard#", "Images#", "Share#", ""]);
    let body = match rows.len() {
        0 => nothing("No category has images yet."),
        _ => folded_table("Hard images by category", &head, &rows, SHOWN_ROWS),
    };
    let note = "The share of a category with few images is uncertain. A name links to its images.";
    section("categories", "Hard images by category", note, body)
}

fn category_row(row: &CategoryRow) -> Markup {
    html! {
        th scope="row" {
            @if row.hard > 0 { a href={ "#cat=" (fragment_value(&row.name)) } { (name(&row.name)) } }
            @else { (name(&row.name)) }
        }
        td.number { (count(row.hard)) }
        td.number { (count(row.items)) }
        td.number { (share(row.hard, row.items)) }
        td.wide { (charts::share_bar(ratio(row.hard, row.items))) }
    }
}

/// Lost items and the reasons, folded. `items` may exceed the number of rows if the caller lists only some.
pub fn dropped(rows: &[DroppedItem], items: u64) -> Markup {
    let cells: Vec<Markup> = rows.iter().map(dropped_row).collect();
    let body = match (items, rows.len()) {
        (0, _) => nothing("Nothing was dropped: every image of the pool was judged."),
        (_, 0) => nothing(&format!("{} dropped; the reasons are in dropped.parquet.", counted(items, "image"))),
        _ => html! {
            details {
                summary { (counted(items, "dropped image")) }
                (table("Dropped images", &head(&["Image", "Stage", "Reason"]), &cells))
            }
        },
    };
    section("dropped", "Dropped images", "", body)
}

fn dropped_row(row: &DroppedItem) -> Markup {
    html! { th scope="row" { (name(&row.what)) } td { (phrase(&row.stage)) } td { (phrase(&row.reason)) } }
}

fn nothing(what: &str) -> Markup {
    html! { p.nothing { (what) } }
}
