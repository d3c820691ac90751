//! Tables by group: kind x target, the hardest nuisances, corruptions, out-of-distribution scores.
//!
//! Holds always: a group with too few images has its count and no value.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::super::parts::charts;
use super::super::parts::tables::{folded_table, head, table};
use super::super::parts::text::{name, phrase};
use super::board::BoardRow;
use super::data::EvaluationPage;
use super::section::section;
use crate::domain::Figure;
use crate::render::numbers::{DASH, count, percent};

/// Rows that are not folded.
const SHOWN: usize = 12;

/// Figures of a metric by group: target, group -> figure.
fn by_group<'a>(
    page: &'a EvaluationPage,
    space: &str,
    metric: &str,
    group_by: &str,
) -> BTreeMap<(&'a str, &'a str), &'a Figure> {
    let mut found = BTreeMap::new();
    for figure in page.figures {
        if figure.metric == metric && figure.group_by == group_by && figure.space == space {
            found.insert((figure.target.as_str(), figure.group.as_str()), figure);
        }
    }
    found
}

fn groups_of<'a>(found: &BTreeMap<(&'a str, &'a str), &'a Figure>) -> Vec<&'a str> {
    let mut groups: Vec<&str> = found.keys().map(|(_, group)| *group).collect();
    groups.sort_unstable();
    groups.dedup();
    groups
}

/// Accuracy by kind of nuisance and target.
pub fn kinds(page: &EvaluationPage, rows: &[BoardRow], space: &str) -> Option<Markup> {
    let found = by_group(page, space, "accuracy", "kind");
    let groups = groups_of(&found);
    if groups.is_empty() {
        return None;
    }
    heat("kinds", "By kind of nuisance", &groups, rows, &|target, group| found.get(&(target, group)).copied())
}

/// A table of shares with shaded cells.
fn heat<'a>(
    id: &str,
    title: &str,
    groups: &[&'a str],
    rows: &[BoardRow],
    cell: &dyn Fn(&str, &str) -> Option<&'a Figure>,
) -> Option<Markup> {
    let head = html! {
        th scope="col" { "Target" }
        @for group in groups { th.number scope="col" { (phrase(group)) } }
    };
    let row = |row: &BoardRow| {
        html! {
            th scope="row" { (name(&row.target)) }
            @for group in groups {
                @let figure = cell(&row.target, group);
                @let value = figure.and_then(|figure| figure.value);
                td class={ "number " (shade(value)) } title=[figure.map(interval_words)] {
                    @if let Some(value) = value { (percent(value)) } @else { (DASH) }
                }
            }
        }
    };
    let made: Vec<Markup> = rows.iter().filter(|row| row.tier.is_some()).map(row).collect();
    let note = "Accuracy on these images; darker is higher. The interval and the count of images are in each cell's \
                title.";
    section(id, title, note, html! { div.matrix { (folded_table(title, &head, &made, 40)) } })
}

fn interval_words(figure: &Figure) -> String {
    match (figure.low, figure.high) {
        (Some(low), Some(high)) => format!("{} to {}, n = {}", percent(low), percent(high), figure.n),
        _ => format!("{}, n = {}", figure.method, figure.n),
    }
}

/// One of eleven shades.
fn shade(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| format!("p{}", (value.clamp(0.0, 1.0) * 10.0).round()))
}

/// A nuisance with the accuracies of the targets on its images.
struct HardNuisance<'a> {
    name: &'a str,
    images: u64,
    mean: f64,
    worst: f64,
    best: f64,
}

/// The nuisances on which targets have fewest images right, on average.
pub fn nuisances(page: &EvaluationPage, space: &str) -> Option<Markup> {
    let found = by_group(page, space, "accuracy", "nuisance");
    let mut groups: BTreeMap<&str, Vec<&Figure>> = BTreeMap::new();
    for (key, figure) in &found {
        groups.entry(key.1).or_default().push(figure);
    }
    let mut rows: Vec<HardNuisance> = Vec::new();
    for (name, figures) in groups {
        let values: Vec<f64> = figures.iter().filter_map(|figure| figure.value).collect();
        if values.is_empty() {
            continue;
        }
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let worst = values.iter().copied().fold(f64::INFINITY, f64::min);
        let best = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        rows.push(HardNuisance { name, images: figures[0].n, mean, worst, best });
    }
    if rows.is_empty() {
        return None;
    }
    rows.sort_by(|a, b| a.mean.total_cmp(&b.mean).then(a.name.cmp(b.name)));
    let row = |row: &HardNuisance| {
        html! {
            th scope="row" { (phrase(row.name)) }
            td.wide { (charts::share_bar(row.mean)) }
            td.number { (percent(row.mean)) }
            td.number { (percent(row.worst)) " – " (percent(row.best)) }
            td.number { (count(row.images)) }
        }
    };
    let made: Vec<Markup> = rows.iter().map(row).collect();
    let head = head(&["Nuisance", "", "Mean accuracy#", "Worst – best target#", "Images#"]);
    let note = "Mean accuracy over the targets; nuisances of fewer than ten images are left out.";
    section("nuisances", "The hardest nuisances", note, folded_table("Nuisances", &head, &made, SHOWN))
}

/// Corruption errors, for ImageNet-C.
pub fn corruptions(page: &EvaluationPage, rows: &[BoardRow], space: &str) -> Option<Markup> {
    const METRICS: [&str; 3] = ["mean_corruption_error_unnormalised", "mce", "relative_mce"];
    let value = |target: &str, metric: &str| super::section::find(page.figures, target, space, metric);
    rows.iter().find(|row| value(&row.target, METRICS[0]).is_some())?;
    let cell = |figure: Option<&Figure>| figure.and_then(|figure| figure.value).map(|value| format!("{value:.4}"));
    let row = |row: &BoardRow| {
        html! {
            th scope="row" { (name(&row.target)) }
            @for metric in METRICS {
                td.number { (cell(value(&row.target, metric)).unwrap_or_else(|| DASH.to_owned())) }
            }
        }
    };
    let made: Vec<Markup> = rows.iter().filter(|row| row.tier.is_some()).map(row).collect();
    let head = head(&["Target", "Mean error#", "mCE#", "Relative mCE#"]);
    let refused = rows.iter().find_map(|row| {
        value(&row.target, "mce").filter(|figure| figure.value.is_none()).map(|figure| figure.method.clone())
    });
    let note = refused.unwrap_or_else(|| "mCE is relative to the baseline on the same pixels.".to_owned());
    section("corruptions", "Corruptions", &note, table("Corruptions", &head, &made))
}

/// Out-of-distribution figures.
pub fn ood(page: &EvaluationPage) -> Option<Markup> {
    const METRICS: [&str; 4] = ["ood_auroc", "ood_aupr_in", "ood_aupr_out", "ood_fpr95"];
    let mut found: BTreeMap<(&str, &str), BTreeMap<&str, &Figure>> = BTreeMap::new();
    for figure in page.figures.iter().filter(|figure| figure.group_by == "ood_score") {
        found.entry((&figure.target, &figure.group)).or_default().insert(&figure.metric, figure);
    }
    if found.is_empty() {
        return None;
    }
    let mut made = Vec::with_capacity(found.len());
    for ((target, score), figures) in &found {
        made.push(html! {
            th scope="row" { (name(target)) }
            td { (phrase(score)) }
            @for metric in METRICS {
                @let figure = figures.get(metric);
                td.number title=[figure.map(|figure| &figure.method)] {
                    @if let Some(value) = figure.and_then(|figure| figure.value) { (format!("{value:.4}")) }
                    @else { (DASH) }
                }
            }
        });
    }
    let head = head(&["Target", "Score", "AUROC#", "AUPR, in positive#", "AUPR, out positive#", "FPR95, in positive#"]);
    let note = "A high score means inside. Scores are over the classes of the categories (masked). FPR95: share of \
                images outside that are accepted at the highest threshold that keeps at least 95 % of those inside.";
    section("ood", "Out of distribution", note, folded_table("Out of distribution", &head, &made, 36))
}
