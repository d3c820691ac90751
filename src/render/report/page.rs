//! The frame of the page: head, summary, table of contents, sections in reading order, footer.
//!
//! Does not lay out tables or cards. Holds always: the policy in the head names the style and the script of the page,
//! with line ends as a browser reads them.

use maud::{Markup, html};

use super::super::parts::{Frame, document, text};
use super::data::Report;
use super::{gallery, groups, people, sections};
use crate::render::numbers::{count, counted, share};

/// The whole document.
pub fn page(report: &Report) -> Markup {
    let frame =
        Frame { title: format!("{} – hard set report", title(report)), style: "", script: include_str!("script.js") };
    let body = html! {
        a.skip href="#gallery" { "Skip to the images" }
        (header(report))
        (contents(report))
        main {
            (gallery::strip(&report.cards))
            (main_sections(report))
        }
        (footer())
    };
    document(&frame, &body)
}

fn header(report: &Report) -> Markup {
    html! {
        header.top {
            p.kind { "Hard set report" }
            h1 { (text::phrase(title(report))) }
            p.summary { (summary(report)) }
            @if !report.warnings.is_empty() {
                div.warnings role="note" {
                    h2 { "Before you trust these figures" }
                    ul { @for warning in &report.warnings { li { (text::phrase(warning)) } } }
                }
            }
            @if !report.facts.is_empty() {
                dl.facts {
                    @for (name, value) in &report.facts {
                        div { dt { (text::phrase(name)) } dd { (text::name(value)) } }
                    }
                }
            }
        }
    }
}

/// The key figures in one sentence.
fn summary(report: &Report) -> Markup {
    let all = report.surrogates.len() as u64;
    let surrogates = counted(all, "surrogate");
    let who = match report.hard_from_failures {
        Some(needed) if u64::from(needed) < all => format!("At least {needed} of the {surrogates} fail together"),
        _ if all == 1 => format!("The {surrogates} fails"),
        _ => format!("The {surrogates} fail together"),
    };
    html! {
        @if report.pool_items == 0 { "This run has no images yet" }
        @else {
            (who) " on "
            strong { (count(report.hard_items)) " of " (counted(report.pool_items, "image")) }
            " (" (share(report.hard_items, report.pool_items)) ")"
        }
        "; " (were(report.dropped_items, "was", "were")) " dropped, and "
        (were(report.near_ties, "is a near tie", "are near ties")) "."
    }
}

/// A count of images with the verb that fits it.
fn were(images: u64, one: &str, many: &str) -> String {
    format!("{} {}", counted(images, "image"), if images == 1 { one } else { many })
}

/// The heading, which is never empty, because a page without a title has a blank tab.
fn title(report: &Report) -> &str {
    if report.title.is_empty() { "Untitled run" } else { &report.title }
}

/// Anchors and their short titles, in the order of the page.
const CONTENTS: [(&str, &str); 11] = [
    ("accuracy", "Accuracy"),
    ("targets", "Targets"),
    ("failures", "Failures"),
    ("agreement", "Agreement"),
    ("leave-one-out", "Leave one out"),
    ("confusions", "Confusions"),
    ("categories", "Categories"),
    ("nuisances", "Nuisances"),
    ("people", "People"),
    ("gallery", "Images"),
    ("dropped", "Dropped"),
];

fn contents(report: &Report) -> Markup {
    let is_there = |anchor: &str| match anchor {
        "people" => report.people.is_some(),
        "targets" => !report.targets.is_empty(),
        "nuisances" => !report.nuisances.is_empty(),
        _ => true,
    };
    html! {
        nav.contents aria-label="Sections" {
            ul {
                @for (anchor, title) in CONTENTS.iter().filter(|(anchor, _)| is_there(anchor)) {
                    li { a href={ "#" (anchor) } { (title) } }
                }
            }
        }
    }
}

fn main_sections(report: &Report) -> Markup {
    html! {
        (sections::accuracy(&report.surrogates))
        (groups::targets(&report.targets))
        (sections::failures(&report.failures_histogram, report.hard_from_failures))
        (sections::agreement(&report.agreement))
        (sections::leave_one_out(&report.leave_one_out))
        (sections::confusions(&report.confusions))
        (sections::categories(&report.categories))
        (groups::nuisances(&report.nuisances))
        (people::people(report.people.as_ref()))
        (gallery::gallery(report))
        (sections::dropped(&report.dropped, report.dropped_items))
    }
}

fn footer() -> Markup {
    html! {
        footer {
            p {
                "Proportions have 95 % Wilson intervals. The surrogates took part in choosing these images, so their "
                "scores on them are not results; compare only models that did not mine. This page is one file and \
                 loads "
                "nothing."
            }
        }
    }
}
