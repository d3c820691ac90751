//! The hard images: filters, two groups of cards, and the empty dialogs that the script fills.
//!
//! Does not embed any JSON: the script reads the text and `data-` attributes of the cards.
//! Holds always: a card is in exactly one group; the order in the file is the script's default order (most failures
//! first, then the lowest mean probability of the true class, then the id).

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::STANDARD};
use maud::{Markup, html};

use super::super::parts::text::{name, phrase};
use super::super::parts::viewer::viewer;
use super::super::parts::{charts, tables};
use super::data::{Card, ModelPrediction, Report};
use crate::render::numbers::{count, counted, probability};

/// The section with everything about single images.
pub fn gallery(report: &Report) -> Markup {
    let body = if report.cards.is_empty() { empty(report) } else { full(&report.cards, report.cards_left_out) };
    tables::section("gallery", "The images", "", body)
}

/// Pictures of a strip.
const STRIP: usize = 8;

/// Some hard images before the tables, of as many categories as there are; nothing without images. The section about
/// single images says everything about them.
pub fn strip(cards: &[Card]) -> Markup {
    let mut seen = BTreeSet::new();
    let with_picture = ordered(cards).into_iter().filter(|card| !card.thumbnail_jpeg.is_empty());
    let (first, again): (Vec<&Card>, Vec<&Card>) = with_picture.partition(|card| seen.insert(card.category.as_str()));
    let shown: Vec<&Card> = first.into_iter().chain(again).take(STRIP).collect();
    html! {
        @if !shown.is_empty() {
            ul.glance aria-label="Some of the hard images" {
                @for card in shown {
                    li { a href="#gallery" { figure {
                        img src={ "data:image/jpeg;base64," (STANDARD.encode(&card.thumbnail_jpeg)) }
                            alt={ (card.label) ": " (card.file) } decoding="async";
                        figcaption { (phrase(&card.label)) }
                    } } }
                }
            }
        }
    }
}

fn empty(report: &Report) -> Markup {
    html! {
        p.nothing {
            @if report.hard_items == 0 {
                "No image is hard under this rule, because no image makes enough surrogates fail. That is a result \
                 too. "
                "A larger or more unusual pool may have hard images, and a rule that asks for fewer failures finds \
                 more."
            } @else { (counted(report.hard_items, "hard image")) ", but this page shows no images." }
        }
    }
}

/// Most failures first, then the lowest mean probability of the true class, then the id.
fn ordered(cards: &[Card]) -> Vec<&Card> {
    let mut ordered: Vec<&Card> = cards.iter().collect();
    ordered.sort_by(|a, b| {
        b.n_failed
            .cmp(&a.n_failed)
            .then(mean_true_prob(a).total_cmp(&mean_true_prob(b)))
            .then_with(|| a.item_id.cmp(&b.item_id))
    });
    ordered
}

fn full(cards: &[Card], left_out: u64) -> Markup {
    let (agree, scatter): (Vec<&Card>, Vec<&Card>) = ordered(cards).into_iter().partition(|card| card.suspect_label);
    html! {
        p.note {
            "Each card gives the true class, then the prediction of each surrogate: the bar is the probability of the "
            "predicted class, and the tick on it is the probability of the true class."
            @if left_out > 0 {
                " " (counted(left_out, "further hard image"))
                " left out to keep the page small; see manifest.parquet."
            }
        }
        (filters(cards))
        (group("scatter", "Surrogates scatter",
            "Hard images proper: the failing surrogates mostly give different wrong answers.", &scatter))
        (group("agree", "Surrogates agree on one wrong class: check the label",
            "Two or more surrogates fail, and at least three quarters of them give the same answer. Often the label is \
             wrong, or two classes are in the picture.", &agree))
        p.nothing id="none" hidden { "No image matches these filters. " button type="button" data-reset { "Show all" } }
        (viewer())
        (help())
    }
}

/// The controls; hidden until the script runs.
fn filters(cards: &[Card]) -> Markup {
    let categories: BTreeSet<&str> = cards.iter().map(|card| card.category.as_str()).collect();
    let failures: BTreeSet<u32> = cards.iter().map(|card| card.n_failed).collect();
    let kinds: BTreeSet<&str> =
        cards.iter().filter_map(|card| card.made_from.as_ref()).map(|made| made.kind.as_str()).collect();
    html! {
        form.filters id="filters" role="search" aria-label="Filter the images" autocomplete="off" hidden {
            label { span { "Search " kbd { "/" } } input type="search" name="q" placeholder="class, file, prediction \
                                                                                             …"; }
            label { span { "Category" } input name="cat" list="categories" placeholder="all"; }
            datalist id="categories" { @for category in &categories { option value=(category) {} } }
            label hidden[kinds.len() < 2] { span { "Nuisance" } select name="kind" {
                option value="" { "any" }
                @for kind in &kinds { option value=(kind) dir="auto" { (kind) } }
            } }
            label { span { "Failures" } select name="n" {
                option value="" { "any" }
                @for n in failures.iter().rev() { option value=(n) { (n) } }
            } }
            label { span { "Group" } select name="group" {
                option value="" { "all" }
                option value="scatter" { "scatter" }
                option value="agree" { "agree on one class" }
            } }
            label { span { "Sort" } select name="sort" {
                option value="" { "most failures" }
                option value="p" { "lowest true probability" }
                option value="cat" { "category" }
            } }
            div.state {
                output id="shown" aria-live="polite" { (counted(cards.len() as u64, "image")) }
                button type="button" data-reset { "Reset" }
                button type="button" data-help { "Keys " kbd { "?" } }
            }
        }
    }
}

fn group(id: &str, title: &str, note: &str, cards: &[&Card]) -> Markup {
    html! {
        @if !cards.is_empty() {
            section.group id=(id) aria-labelledby={ (id) "-title" } {
                h3 id={ (id) "-title" } { (title) " " span.count { (count(cards.len() as u64)) } }
                p.note { (note) }
                ul.cards { @for card in cards { (self::card(card)) } }
            }
        }
    }
}

fn card(card: &Card) -> Markup {
    html! {
        li.card data-failed=(card.n_failed) data-cat=(card.category)
            data-kind=[card.made_from.as_ref().map(|made| &made.kind)]
            data-p=(format!("{:.6}", mean_true_prob(card))) {
            button.open type="button" aria-label={ "Larger view: " (card.label) ", " (card.file) } { (thumbnail(card)) }
            div.words {
                h4 { (phrase(&card.label)) }
                (badges(card))
                (origin(card))
                ul.verdicts { @for prediction in &card.predictions { (model_prediction(prediction)) } }
                @if !card.targets.is_empty() {
                    p.apart { "Targets, which do not vote:" }
                    ul.verdicts { @for prediction in &card.targets { (model_prediction(prediction)) } }
                }
            }
        }
    }
}

fn thumbnail(card: &Card) -> Markup {
    let alt = format!("{}: {}", card.label, card.file);
    html! {
        @if card.thumbnail_jpeg.is_empty() { span.missing { "no thumbnail" } }
        @else {
            img src={ "data:image/jpeg;base64," (STANDARD.encode(&card.thumbnail_jpeg)) } alt=(alt)
                width=(card.width_px.max(1)) height=(card.height_px.max(1)) loading="lazy" decoding="async";
        }
    }
}

fn badges(card: &Card) -> Markup {
    html! {
        p.badges {
            span.failed { (card.n_failed) " of " (card.predictions.len()) " fail" }
            @if let Some((class, n)) = &card.agreed_wrong {
                @if *n > 1 { span { (n) " say " (phrase(class)) } }
            }
            @if card.suspect_label { span.suspect { "check the label" } }
            @if card.near_tie {
                span.tie title="a surrogate's two best classes are so close that another machine may swap them" {
                    "near tie"
                }
            }
        }
    }
}

/// The source of the image; parts that only the larger view shows have the class `full`.
fn origin(card: &Card) -> Markup {
    html! {
        p.origin {
            span.full {
                "Category " (phrase(&card.category)) " · item " (name(&card.item_id))
                " · " (card.width_px) " × " (card.height_px) " px" br;
            }
            @if let Some(made) = &card.made_from {
                @if !made.prompt.is_empty() { span.prompt { (phrase(&made.prompt)) } br; }
                @if !made.kind.is_empty() { (phrase(&made.kind)) ": " (phrase(&made.value)) br; }
            }
            (name(&card.file))
        }
    }
}

fn model_prediction(prediction: &ModelPrediction) -> Markup {
    let (class, mark, word) =
        if prediction.correct { ("right", "✓", "right: ") } else { ("wrong", "✗", "wrong: ") };
    html! {
        li class=(class) {
            span.mark aria-hidden="true" { (mark) }
            span.predicted { span.hidden { (word) } (phrase(&prediction.predicted)) }
            span.prob { (probability(prediction.prob)) }
            (charts::probability_bar(prediction.prob, prediction.true_prob))
            span.who { (phrase(&prediction.surrogate)) }
            span.truth { "true class " (probability(prediction.true_prob)) ", rank " (prediction.true_rank) }
        }
    }
}

/// Mean over the surrogates of the true class's probability; 1 for a card without predictions, which sorts it last.
fn mean_true_prob(card: &Card) -> f32 {
    match card.predictions.len() {
        0 => 1.0,
        k => card.predictions.iter().map(|prediction| prediction.true_prob).sum::<f32>() / k as f32,
    }
}

/// The keys and their effects, for the help dialog.
const KEYS: [(&str, &str); 6] = [
    ("/", "search"),
    ("j  k", "next and previous image, from anywhere on the page"),
    ("← → ↑ ↓", "neighbouring image, from an image"),
    ("Enter", "larger view"),
    ("Esc", "close, or leave the search field"),
    ("?", "this list"),
];

fn help() -> Markup {
    html! {
        dialog id="help" aria-labelledby="help-title" {
            h3 id="help-title" { "Keys" }
            dl.keys { @for (key, what) in KEYS { div { dt { kbd { (key) } } dd { (what) } } } }
            p { "Filters are kept in the address of the page: copy it to share the view." }
            label.switch { input type="checkbox" id="single-keys" checked; " Single-key shortcuts" }
            button type="button" data-close { "Close" }
        }
    }
}
