//! The owner's overview: the progress of sheets and people, their agreement, and a form to invite another person.
//!
//! Does not compute: the caller has computed the shares of agreement. Holds always: it shows no single image or answer,
//! because the owner may judge images too.

use maud::{Markup, html};

use super::page;
use crate::render::numbers::{DASH, percent};

/// Everything that the overview shows. Lists keep their order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Owner {
    /// Heading, for example the name of the run.
    pub title: String,
    /// One row for each sheet.
    pub sheets: Vec<OwnerSheet>,
    /// One row for each invited person.
    pub people: Vec<OwnerPerson>,
    /// Questions with the share in [0, 1] of equal pairs of answers; `None` while there is no pair.
    pub agreement: Vec<(String, Option<f64>)>,
    /// Answers given.
    pub answers: u64,
    /// The number of answers when every sheet is finished by the wanted number of people.
    pub answers_wanted: u64,
    /// The token that the form sends back.
    pub csrf: String,
}

/// The progress of one sheet.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OwnerSheet {
    /// The sheet's name.
    pub batch: String,
    /// How many people should judge it.
    pub people_wanted: u64,
    /// How many have finished it.
    pub people_done: u64,
    /// How many have it and have not finished.
    pub people_working: u64,
}

/// One invited person.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OwnerPerson {
    /// Name or code.
    pub name: String,
    /// Answers given.
    pub answers: u64,
    /// Sheets finished.
    pub sheets_done: u64,
    /// When the person was last seen, in words.
    pub last_seen: String,
    /// The person's own link.
    pub link: String,
}

/// The whole page.
pub fn page(owner: &Owner) -> Markup {
    let title = if owner.title.is_empty() { "Annotation" } else { &owner.title };
    let body = html! {
        main.overview {
            header { p.kind { "Annotation" } h1 { bdi { (title) } } p { a href="" { "Refresh" } } }
            (progress(owner))
            (people(&owner.people))
            (invite(&owner.csrf))
            (sheets(&owner.sheets))
            (agreement(&owner.agreement))
        }
    };
    page::document(title, &page::linked_style(), &body)
}

fn progress(owner: &Owner) -> Markup {
    let (done, wanted) = (owner.answers.min(owner.answers_wanted), owner.answers_wanted);
    let finished = owner.sheets.iter().filter(|sheet| sheet.people_done >= sheet.people_wanted).count();
    html! {
        p.figures {
            b { (owner.answers) } " of " (wanted) " answers, "
            b { (finished) } " of " (owner.sheets.len()) " sheets finished"
        }
        progress aria-label="Answers given" value=(done) max=(wanted.max(1)) { (done) " of " (wanted) }
    }
}

fn people(people: &[OwnerPerson]) -> Markup {
    html! {
        h2 { "People" }
        @if people.is_empty() { p { "Nobody is invited yet." } }
        @else {
            p { "Anyone who has a link can answer under the name beside it. Send each person only their own link." }
            div.scroll tabindex="0" role="group" aria-label="People" {
                table {
                    thead { tr {
                        th { "Name" } th.number { "Answers" } th.number { "Sheets done" } th { "Last seen" }
                        th { "Link to send" }
                    } }
                    tbody { @for person in people { (person_row(person)) } }
                }
            }
        }
    }
}

fn person_row(person: &OwnerPerson) -> Markup {
    html! {
        tr {
            th scope="row" { bdi { (person.name) } }
            td.number { (person.answers) }
            td.number { (person.sheets_done) }
            td.seen { (person.last_seen) }
            td.link { input readonly value=(person.link) aria-label={ "Link for " (person.name) }; }
        }
    }
}

fn invite(csrf: &str) -> Markup {
    html! {
        form.invite method="post" action="/owner/people" {
            input type="hidden" name="csrf" value=(csrf);
            label for="invited" { "Invite a person" }
            input #invited name="name" required maxlength="80" autocomplete="off" placeholder="Name or code";
            button.main type="submit" { "Add" }
        }
    }
}

fn sheets(sheets: &[OwnerSheet]) -> Markup {
    html! {
        h2 { "Sheets" }
        @if sheets.is_empty() { p { "There are no sheets." } }
        @else {
            div.scroll tabindex="0" role="group" aria-label="Sheets" {
                table {
                    thead { tr {
                        th { "Sheet" } th.number { "Finished by" } th.number { "Wanted" } th.number { "At work" }
                        th { "State" }
                    } }
                    tbody { @for sheet in sheets { (sheet_row(sheet)) } }
                }
            }
        }
    }
}

fn sheet_row(sheet: &OwnerSheet) -> Markup {
    html! {
        tr {
            th scope="row" { bdi { (sheet.batch) } }
            td.number { (sheet.people_done) }
            td.number { (sheet.people_wanted) }
            td.number { (sheet.people_working) }
            td { (state(sheet)) }
        }
    }
}

fn state(sheet: &OwnerSheet) -> &'static str {
    match sheet {
        sheet if sheet.people_done >= sheet.people_wanted => "finished",
        sheet if sheet.people_done + sheet.people_working > 0 => "under way",
        _ => "not begun",
    }
}

fn agreement(agreement: &[(String, Option<f64>)]) -> Markup {
    html! {
        @if !agreement.is_empty() {
            h2 { "Agreement" }
            p { "How often two people gave the same answer to the same question about the same image." }
            div.scroll tabindex="0" role="group" aria-label="Agreement" {
                table {
                    thead { tr { th { "Question" } th.number { "Same answer" } } }
                    tbody {
                        @for (question, share) in agreement { tr {
                            th scope="row" { bdi { (question) } }
                            td.number { (share.map_or_else(|| DASH.to_owned(), percent)) }
                        } }
                    }
                }
            }
        }
    }
}
