//! The page of two targets: their difference, by kind, and the images on which they differ.

use maud::{Markup, html};

use super::super::parts::tables::{head, section, table};
use super::super::parts::viewer::viewer;
use super::super::parts::{Frame, document, text};
use super::data::{ComparePage, Flip, KindRow};
use super::gallery::{origin, thumbnail};
use crate::render::numbers::{count, probability, share};

/// The whole document.
pub fn page(page: &ComparePage) -> Markup {
    let (a, b) = (&page.row.a, &page.row.b);
    let body = html! {
        a.skip href="#only-a" { "Skip to the images" }
        (header(page))
        main {
            @if !page.kinds.is_empty() { (kinds(page)) }
            (side("only-a", &format!("Only {a} is right"), &page.only_a, page.row.only_a, page))
            (side("only-b", &format!("Only {b} is right"), &page.only_b, page.row.only_b, page))
        }
        (viewer())
        footer { p { "All other images are right by both or wrong by both. This page is one file and loads nothing." } }
    };
    let frame = Frame {
        title: format!("{a} and {b} – comparison"),
        style: include_str!("style.css"),
        script: include_str!("script.js"),
    };
    document(&frame, &body)
}

fn header(page: &ComparePage) -> Markup {
    let row = page.row;
    let points = |share: f64| format!("{:+.1}", share * 100.0).replace('-', "−");
    let p = |p: f64| if p < 0.001 { "< 0.001".to_owned() } else { format!("= {p:.3}") };
    html! {
        header.top {
            p.kind { "Comparison of two targets on " (text::phrase(&page.record.pool.name)) }
            h1 { (text::phrase(&row.a)) " and " (text::phrase(&row.b)) }
            p.summary {
                "The first is " strong { (points(row.difference)) " points" }
                @if let (Some(low), Some(high)) = (row.low, row.high) {
                    " (" (points(low)) " to " (points(high)) ")"
                }
                " from the second on " (count(row.n)) " images (" (row.space) "). "
                (equivalence(page))
            }
            dl.facts {
                div { dt { "Only the first right" } dd { (count(row.only_a)) } }
                div { dt { "Only the second right" } dd { (count(row.only_b)) } }
                div { dt { "These images: exact McNemar" } dd { "p " (p(row.p_mcnemar)) } }
                @if let Some(cluster) = row.p_cluster {
                    div { dt { "Objects like these: clusters" } dd { "p " (p(cluster)) } }
                }
            }
        }
    }
}

fn equivalence(page: &ComparePage) -> String {
    let margin = page.margin * 100.0;
    match page.row.equivalent_within {
        Some(within) if within <= page.margin => format!("They are equivalent within {margin:.1} points."),
        Some(within) => format!(
            "They are not shown to be equivalent within {margin:.1} points; within {:.1} they are.",
            within * 100.0
        ),
        None => format!("They are not shown to be equivalent within {margin:.1} points."),
    }
}

fn kinds(page: &ComparePage) -> Markup {
    let row = |row: &KindRow| {
        html! {
            th scope="row" { (text::phrase(&row.kind)) }
            td.number { (count(row.images)) }
            td.number { (share(row.right_a, row.images)) }
            td.number { (share(row.right_b, row.images)) }
            td.number { (count(row.only_a)) }
            td.number { (count(row.only_b)) }
        }
    };
    let rows: Vec<Markup> = page.kinds.iter().map(row).collect();
    let head = head(&["Kind", "Images#", "First#", "Second#", "Only the first#", "Only the second#"]);
    section("kinds", "By kind of nuisance", "", table("By kind", &head, &rows))
}

fn side(id: &str, title: &str, flips: &[Flip], all: u64, page: &ComparePage) -> Markup {
    let shown = flips.len() as u64;
    let note = if shown < all { format!("{} of {} images.", count(shown), count(all)) } else { String::new() };
    section(
        id,
        title,
        &note,
        html! {
            @if flips.is_empty() { p.nothing { "No image." } }
            ul.cards { @for flip in flips { (card(flip, page)) } }
        },
    )
}

fn card(flip: &Flip, page: &ComparePage) -> Markup {
    let (a, b) = (&page.row.a, &page.row.b);
    html! {
        li.card {
            button.open type="button" aria-label={ "Larger view: " (flip.category) ", " (flip.path) } {
                (thumbnail(&flip.thumbnail_jpeg, &format!("{}: {}", flip.category, flip.path)))
            }
            div.words {
                h4 { (text::phrase(&flip.category)) }
                (origin(&flip.path, flip.kind.as_deref(), flip.nuisance.as_deref()))
                dl.said {
                    div { dt { (text::name(a)) } dd { (text::phrase(&flip.said_by_a)) " " (probability(flip.prob_a)) } }
                    div { dt { (text::name(b)) } dd { (text::phrase(&flip.said_by_b)) " " (probability(flip.prob_b)) } }
                }
            }
        }
    }
}
