//! Images on which targets fail: wrong by all, by one only, most confident; and the images without a prediction.
//!
//! Holds always: a card says what every target said, so that it can be read without the rest of the page.

use base64::{Engine, engine::general_purpose::STANDARD};
use maud::{Markup, html};

use super::super::parts::charts;
use super::super::parts::tables::{folded_table, head};
use super::super::parts::text::{name, phrase};
use super::super::parts::viewer::viewer;
use super::data::{Answered, Card, EvaluationPage, Group};
use super::section::section;
use crate::render::numbers::{count, probability};

/// Answers of a card that are not folded.
const ANSWERS: usize = 6;
/// Rows of images without a prediction that are shown; all are in results.json.
const LOST: usize = 500;

/// The section; absent without images.
pub fn gallery(page: &EvaluationPage) -> Option<Markup> {
    if page.gallery.iter().all(|group| group.cards.is_empty()) {
        return None;
    }
    let body = html! {
        @for group in page.gallery.iter().filter(|group| !group.cards.is_empty()) { (self::group(group)) }
        p.nothing id="no-card" hidden {
            "None of the images here parts these two targets; " code { "hardset compare" } " shows those that do."
        }
        (viewer())
    };
    let note = "Each card gives the true category, and what each target said with its probability. Keys: j and k go to \
                the next and previous image, Enter opens it, Esc closes it.";
    section("images", "The images", note, body)
}

fn group(group: &Group) -> Markup {
    let shown = group.cards.len() as u64;
    html! {
        section.group id=(group.id) aria-labelledby={ (group.id) "-title" } {
            h3 id={ (group.id) "-title" } {
                (group.title) " "
                span.count { @if shown < group.images { (count(shown)) " of " } (count(group.images)) }
            }
            p.note { (group.note) }
            ul.cards { @for card in &group.cards { (self::card(card)) } }
        }
    }
}

fn card(card: &Card) -> Markup {
    let right: Vec<&str> =
        card.answers.iter().filter(|answer| answer.correct).map(|answer| answer.target.as_str()).collect();
    let wrong = card.answers.len() - right.len();
    let (first, rest) = card.answers.split_at(ANSWERS.min(card.answers.len()));
    html! {
        li.card data-right=(serde_json::json!(right)) {
            button.open type="button" aria-label={ "Larger view: " (card.category) ", " (card.path) } {
                (thumbnail(&card.thumbnail_jpeg, &format!("{}: {}", card.category, card.path)))
            }
            div.words {
                h4 { (phrase(&card.category)) }
                p.badges { span.failed { (wrong) " of " (card.answers.len()) " wrong" } }
                (origin(&card.path, card.kind.as_deref(), card.nuisance.as_deref()))
                ul.verdicts { @for answer in first { (self::answer(answer)) } }
                @if !rest.is_empty() {
                    details { summary { "The other " (rest.len()) } ul.verdicts { @for one in rest { (answer(one)) } } }
                }
            }
        }
    }
}

fn answer(answer: &Answered) -> Markup {
    let (class, mark, word) = if answer.correct { ("right", "✓", "right: ") } else { ("wrong", "✗", "wrong: ") };
    html! {
        li class=(class) {
            span.mark aria-hidden="true" { (mark) }
            span.predicted { span.hidden { (word) } (phrase(&answer.said)) }
            span.prob { (probability(answer.prob)) }
            (charts::probability_bar(answer.prob, answer.true_prob))
            span.who { (phrase(&answer.target)) }
        }
    }
}

/// A picture, or a word in its place.
pub fn thumbnail(jpeg: &[u8], alt: &str) -> Markup {
    html! {
        @if jpeg.is_empty() { span.missing { "no picture" } }
        @else {
            img src={ "data:image/jpeg;base64," (STANDARD.encode(jpeg)) } alt=(alt) loading="lazy" decoding="async";
        }
    }
}

/// Nuisance and path.
pub fn origin(path: &str, kind: Option<&str>, nuisance: Option<&str>) -> Markup {
    html! {
        p.origin {
            @if let Some(kind) = kind {
                (phrase(kind))
                @if let Some(nuisance) = nuisance { ": " (phrase(nuisance)) }
                br;
            }
            (name(path))
        }
    }
}

/// The images without a prediction.
pub fn lost(page: &EvaluationPage) -> Option<Markup> {
    if page.lost.is_empty() {
        return None;
    }
    let row = |lost: &super::data::Lost| {
        html! { th scope="row" { (name(&lost.path)) } td { (name(&lost.target)) } td { (phrase(&lost.reason)) } }
    };
    let rows: Vec<Markup> = page.lost.iter().take(LOST).map(row).collect();
    let note = format!(
        "{} pairs of an image and a target. They count as wrong; all are in results.json of each target.",
        count(page.lost.len() as u64)
    );
    section("lost", "Not scored", &note, folded_table("Not scored", &head(&["Image", "Target", "Reason"]), &rows, 20))
}
