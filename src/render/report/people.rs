//! The section about people: verdicts, agreement, who took part, and the images on which they disagree.
//!
//! Does not compute a statistic. Holds always: people appear only as keyed hashes, because the page may be published.

use base64::{Engine, engine::general_purpose::STANDARD};
use maud::{Markup, html};

use super::super::parts::tables::{folded_table, head, section, table};
use super::super::parts::text::{name, phrase};
use super::data::{Disputed, Opinion, People, Person};
use crate::render::numbers::{DASH, coefficient, count, counted, percent, share};

/// Rows of the table of people that are visible from the start; the others are folded.
const SHOWN_ROWS: usize = 15;

/// The section, or nothing if there are no answers.
pub fn people(people: Option<&People>) -> Markup {
    let Some(people) = people else { return html! {} };
    let asked = people.accepted + people.rejected + people.undecided;
    let body = html! {
        p {
            strong { (count(people.accepted)) " of " (counted(asked, "image")) }
            " accepted (" (share(people.accepted, asked)) "), "
            (count(people.rejected)) " rejected, " (count(people.undecided)) " undecided. "
            (counted(people.assignments, "assignment")) ", "
            (count(people.set_aside)) " of them set aside because of their sentinels."
        }
        (opinions(&people.opinions))
        (table_of_people(&people.people))
        (disputed(&people.disputed))
    };
    section("people", "People", &people.rule, body)
}

fn opinions(opinions: &[Opinion]) -> Markup {
    let head = head(&["Question", "Votes#", "Pairs that agree#", "Krippendorff's alpha#", "95 % interval#"]);
    let row = |opinion: &Opinion| {
        html! {
            th scope="row" { (phrase(&opinion.question)) }
            td.number { (count(opinion.votes)) }
            td.number { (opinion.agreement.map_or_else(|| DASH.to_owned(), percent)) }
            td.number { (coefficient(opinion.alpha)) }
            td.number {
                @if let Some((low, high)) = opinion.interval {
                    (coefficient(Some(low))) " to " (coefficient(Some(high)))
                } @else { (DASH) }
            }
        }
    };
    table("Agreement of people", &head, &opinions.iter().map(row).collect::<Vec<_>>())
}

fn table_of_people(people: &[Person]) -> Markup {
    let head = head(&["Person", "Sheets#", "Set aside#", "Votes that count#", "Agrees with others#"]);
    let row = |person: &Person| {
        html! {
            th scope="row" { code { (name(&person.name)) } }
            td.number { (count(person.sheets)) }
            td.number { (count(person.set_aside)) }
            td.number { (count(person.votes)) }
            td.number { (person.agreement.map_or_else(|| DASH.to_owned(), percent)) }
        }
    };
    folded_table("People", &head, &people.iter().map(row).collect::<Vec<_>>(), SHOWN_ROWS)
}

fn disputed(disputed: &[Disputed]) -> Markup {
    html! {
        @if !disputed.is_empty() {
            h3 { "Disputed images" }
            p.note { "The images on which the valid votes are divided most evenly." }
            ul.disputed { @for image in disputed { li { (one(image)) } } }
        }
    }
}

fn one(image: &Disputed) -> Markup {
    html! {
        figure {
            @if image.thumbnail_jpeg.is_empty() { span.missing { "no thumbnail" } }
            @else {
                img src={ "data:image/jpeg;base64," (STANDARD.encode(&image.thumbnail_jpeg)) }
                    alt=(image.label) loading="lazy" decoding="async";
            }
            figcaption {
                strong { (phrase(&image.label)) } " · item " (name(&image.item_id)) " · " (image.verdict)
                @for (question, [no, unsure, yes]) in &image.votes {
                    br; (phrase(question)) ": " (count(*yes)) " yes, " (count(*no)) " no, " (count(*unsure)) " not sure"
                }
            }
        }
    }
}
