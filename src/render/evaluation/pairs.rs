//! All pairs of targets: flips both ways, difference, tests. The script narrows the table to two chosen ones.

use maud::{Markup, html};

use super::super::parts::tables::head;
use super::super::parts::text::name;
use super::data::EvaluationPage;
use super::section::section;
use crate::domain::ComparisonRow;
use crate::render::numbers::{DASH, count};

/// The section; absent with fewer than two targets.
pub fn pairs(page: &EvaluationPage, space: &str) -> Option<Markup> {
    let rows: Vec<&ComparisonRow> = page.comparisons.iter().filter(|row| row.space == space).collect();
    if rows.is_empty() {
        return None;
    }
    let titles = [
        "Pair",
        "Only the first#",
        "Only the second#",
        "Difference, points#",
        "95 %#",
        "McNemar p#",
        "Clusters p#",
        "Holm p#",
        "Equivalent within, points#",
    ];
    let is_long = rows.len() > 15;
    let body = html! {
        form.filters id="pair-filter" autocomplete="off" hidden {
            label { span { "Target" } (chooser(page, "a")) }
            label { span { "Against" } (chooser(page, "b")) }
            div.state { output id="pair-state" aria-live="polite" {} }
        }
        @if is_long {
            details id="all-pairs" { summary { "All " (rows.len()) " pairs" } (table(&rows, &titles)) }
        } @else { (table(&rows, &titles)) }
    };
    let note = html! {
        "Only the first, only the second: images that one has right and the other wrong. Choose two targets to see "
        "their row and, among the images below, those on which they differ; " code { "hardset compare" } " shows all."
    };
    let body = html! { p.note { (note) } (body) };
    section("pairs", "Two targets", "", body)
}

fn chooser(page: &EvaluationPage, field: &str) -> Markup {
    html! {
        select name=(field) {
            option value="" { "any" }
            @for target in &page.record.targets { option value=(target.name) { (target.name) } }
        }
    }
}

fn table(rows: &[&ComparisonRow], titles: &[&str]) -> Markup {
    html! {
        div.scroll role="region" aria-label="Pairs of targets" tabindex="0" {
            table id="pair-table" {
                thead { tr { (head(titles)) } }
                tbody { @for row in rows { (cells(row)) } }
            }
        }
    }
}

fn cells(row: &ComparisonRow) -> Markup {
    let points = |share: f64| format!("{:+.1}", share * 100.0).replace('-', "−");
    let p = |p: f64| if p < 0.001 { "<0.001".to_owned() } else { format!("{p:.3}") };
    html! {
        tr data-a=(row.a) data-b=(row.b) {
            th scope="row" { (name(&row.a)) " – " (name(&row.b)) }
            td.number { (count(row.only_a)) }
            td.number { (count(row.only_b)) }
            td.number { (points(row.difference)) }
            td.number {
                @if let (Some(low), Some(high)) = (row.low, row.high) { (points(low)) " to " (points(high)) }
                @else { (DASH) }
            }
            td.number { (p(row.p_mcnemar)) }
            td.number { (row.p_cluster.map_or_else(|| DASH.to_owned(), p)) }
            td.number { (p(row.p_holm)) }
            td.number {
                @if let Some(within) = row.equivalent_within { (format!("{:.1}", within * 100.0)) } @else { (DASH) }
            }
        }
    }
}
