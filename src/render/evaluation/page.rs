//! The page of an evaluation: head with tiers, leaderboard, figures, pairs, images.
//!
//! Does not lay out single figures. Holds always: everything is visible without JavaScript; a section without data is
//! not there.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::super::parts::{Frame, document, text};
use super::board::board;
use super::data::EvaluationPage;
use super::section::find;
use super::{choices, gallery, groups, leaderboard, matrix, pairs, reliability, scatter};
use crate::render::numbers::{count, counted};

/// The whole document.
pub fn page(page: &EvaluationPage) -> Markup {
    let space = primary(page);
    let rows = board(page.figures, page.record, &space);
    let parts: Vec<(&str, &str, Markup)> = [
        ("leaderboard", "Leaderboard", leaderboard::leaderboard(page, &rows)),
        ("clean", "Clean and here", scatter::clean(page, &rows, &space)),
        ("surrogates", "Surrogates", scatter::surrogates(page, &rows, &space)),
        ("kinds", "Kinds", groups::kinds(page, &rows, &space)),
        ("nuisances", "Hardest", groups::nuisances(page, &space)),
        ("corruptions", "Corruptions", groups::corruptions(page, &rows, &space)),
        ("ood", "Out of distribution", groups::ood(page)),
        ("calibration", "Calibration", reliability::reliability(page, &rows, &space)),
        ("agreement", "Agreement", matrix::matrix(page, &space)),
        ("pairs", "Two targets", pairs::pairs(page, &space)),
        ("choices", "Two choices", choices::choices(page)),
        ("images", "Images", gallery::gallery(page)),
        ("lost", "Not scored", gallery::lost(page)),
    ]
    .into_iter()
    .filter_map(|(id, title, body)| body.map(|body| (id, title, body)))
    .collect();
    let body = html! {
        a.skip href="#leaderboard" { "Skip to the leaderboard" }
        (header(page, &space))
        nav.contents aria-label="Sections" {
            ul { @for (id, title, _) in &parts { li { a href={ "#" (id) } { (title) } } } }
        }
        main { @for (_, _, body) in &parts { (body) } }
        (footer())
    };
    let frame = Frame {
        title: format!("{} – evaluation", page.record.pool.name),
        style: include_str!("style.css"),
        script: include_str!("script.js"),
    };
    document(&frame, &body)
}

/// The label space that orders the leaderboard.
pub fn primary(page: &EvaluationPage) -> String {
    page.record.label_spaces.first().map(ToString::to_string).unwrap_or_default()
}

fn header(page: &EvaluationPage, space: &str) -> Markup {
    let record = page.record;
    let version = record.pool.version.as_ref().map_or_else(String::new, |version| format!(" {version}"));
    let warnings = warnings(page);
    html! {
        header.top {
            p.kind { "Evaluation" }
            h1 { (text::phrase(&record.pool.name)) (version) }
            p.summary { (summary(page, space)) }
            @if !warnings.is_empty() {
                div.warnings role="note" {
                    h2 { "Before you trust these figures" }
                    ul { @for warning in &warnings { li { (text::phrase(warning)) } } }
                }
            }
            dl.facts {
                @for (name, value) in facts(page, space) { div { dt { (name) } (fact(&value)) } }
            }
        }
    }
}

/// A fact; of a hash the beginning, and the whole of it in its title.
fn fact(value: &str) -> Markup {
    let is_hash = value.len() == 64 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    html! {
        @if is_hash { dd title=(value) { code { (value[..12]) "…" } } } @else { dd { (text::name(value)) } }
    }
}

fn summary(page: &EvaluationPage, space: &str) -> Markup {
    let record = page.record;
    let tiers: BTreeSet<u64> = page
        .figures
        .iter()
        .filter(|figure| figure.metric == "tier" && figure.space == space)
        .filter_map(|figure| figure.value.map(|tier| tier as u64))
        .collect();
    let smallest = find(page.figures, "", space, "smallest_difference").and_then(|figure| figure.value);
    html! {
        strong { (counted(record.targets.len() as u64, "target")) } " on "
        strong { (counted(record.pool.images, "image")) } " of "
        (count(record.pool.category_count)) " categories"
        @if !tiers.is_empty() { ", in " strong { (counted(tiers.len() as u64, "tier")) } }
        "."
        @if let Some(smallest) = smallest {
            " These images can show a difference of " (format!("{:.1}", smallest * 100.0))
            " points for half of the pairs of targets; targets of one tier are not parted."
        }
    }
}

fn warnings(page: &EvaluationPage) -> Vec<String> {
    let record = page.record;
    let mut warnings = Vec::new();
    let spaces: BTreeSet<&str> = record.targets.iter().map(|target| target.class_space.as_str()).collect();
    if spaces.len() > 1 {
        let spaces: Vec<&str> = spaces.into_iter().collect();
        warnings.push(format!(
            "The targets speak over different lists of classes ({}). A choice among fewer classes is easier: compare \
             targets of one list, or by the label space masked.",
            spaces.join(", ")
        ));
    }
    if record.pool.left_out > 0 {
        warnings.push(format!(
            "{} of the pool's folder have no label and are no part of these figures; left-out.csv lists them.",
            counted(record.pool.left_out, "file")
        ));
    }
    let lost: BTreeSet<&str> = page.lost.iter().map(|lost| lost.path.as_str()).collect();
    if !lost.is_empty() {
        warnings.push(format!(
            "{} could not be scored by every target and count as wrong there; they are listed below.",
            counted(lost.len() as u64, "image")
        ));
    }
    warnings
}

fn facts(page: &EvaluationPage, space: &str) -> Vec<(&'static str, String)> {
    let record = page.record;
    let pool = &record.pool;
    let mut facts = vec![("Pool", pool.layout.clone()), ("Label space", space.to_owned())];
    facts.push(("Categories", format!("{} ({})", pool.categories, count(pool.category_count))));
    facts.push(("Images' hash", pool.images_sha256.to_string()));
    facts.extend(pool.sums_sha256.map(|sums| ("SHA256SUMS", sums.to_string())));
    facts.extend(pool.prepared_px.map(|px| ("Not resized again", format!("{px} px"))));
    facts.extend(record.clean.as_ref().map(|clean| ("Clean twin", clean.name.clone())));
    facts.extend(record.ood.as_ref().map(|ood| ("Out of distribution", ood.name.clone())));
    facts.extend(record.baseline.as_ref().map(|baseline| ("Baseline", baseline.clone())));
    facts.push(("Made by", record.tool.clone()));
    facts
}

fn footer() -> Markup {
    html! {
        footer {
            p {
                "Intervals are at 95 %. Of these images: Wilson, or Clopper-Pearson at none and all. Of objects like "
                "these: the variance by clusters of categories and nuisances. Tiers: the best target anchors the "
                "first; all that paired tests with Holm's correction cannot part from it join. Images that a target "
                "could not score count as wrong. Surrogates took part in choosing the images: they have no rank. "
                "results.parquet has every figure. This page is one file and loads nothing."
            }
        }
    }
}
