//! The owner's page: the progress of people, their agreement, and a form to add a person.

use std::collections::HashMap;

use axum::Form;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::clock::now_ms;
use super::shared::{App, Shared, failed, lock, refused};
use crate::domain::{Answer, RawAnswer, person_name};
use crate::render::annotate::{self as render, Owner, OwnerPerson, OwnerSheet};
use crate::stats::{Vote, VoteSet, percent_agreement};
use crate::store::{PersonProgress, StoreError};

const WHO: &str = "the owner";

/// `GET /owner/join/<token>`: starts the owner's session.
pub(super) async fn join(State(app): State<App>, Path(token): Path<String>) -> Response {
    if !app.owns(&token) {
        let text = "Copy the owner's link from where the server was started.";
        return refused(StatusCode::FORBIDDEN, "This link is not valid", text);
    }
    ([(header::SET_COOKIE, app.owner_cookie())], Redirect::to("/owner")).into_response()
}

/// `GET /owner`: the owner's page.
pub(super) async fn page(State(app): State<App>, headers: HeaderMap) -> Response {
    if !app.is_owner(&headers) {
        return refused(
            StatusCode::UNAUTHORIZED,
            "For the owner only",
            "Open the owner's link from where the server was started.",
        );
    }
    // Reading all answers would block the threads that serve requests.
    let of = app.clone();
    match tokio::task::spawn_blocking(move || of.overview()).await {
        Ok(Ok(owner)) => Html(render::owner_page(&owner)).into_response(),
        Ok(Err(error)) => failed(&app, error),
        Err(error) => failed(&app, error),
    }
}

/// The form to add a person.
#[derive(Deserialize)]
pub(super) struct NewPerson {
    name: String,
    csrf: String,
}

/// `POST /owner/people`: adds a person.
pub(super) async fn add(State(app): State<App>, headers: HeaderMap, Form(sent): Form<NewPerson>) -> Response {
    if !app.is_owner(&headers) || !app.comes_from_our_page(&headers, WHO, &sent.csrf) {
        return refused(
            StatusCode::FORBIDDEN,
            "Not saved",
            "Open the owner's page again and send the form from there.",
        );
    }
    let name = match person_name(&sent.name) {
        Ok(name) => name,
        Err(problem) => return refused(StatusCode::BAD_REQUEST, "Not saved", &format!("Try again: {problem}.")),
    };
    let added = lock(&app.ballots).add_people(std::slice::from_ref(&name), now_ms());
    match added {
        Ok(()) => {
            lock(&app.people).insert(app.secret.name("person id", &name), name);
            Redirect::to("/owner").into_response()
        }
        Err(error) => failed(&app, error),
    }
}

impl Shared {
    fn overview(&self) -> Result<Owner, StoreError> {
        let (people, answers) = {
            let ballots = lock(&self.ballots);
            (ballots.people()?, ballots.answers()?)
        };
        let wanted = self.sheets.iter().zip(&self.wanted);
        let answers_wanted =
            wanted.map(|(sheet, &people)| (sheet.tasks.len() * sheet.questions.len()) as u64 * u64::from(people)).sum();
        let now = now_ms();
        let person = |person: PersonProgress| OwnerPerson {
            link: self.link(&person.name),
            last_seen: person.seen_ms.map_or_else(|| "not yet".to_owned(), |seen| ago(now - seen)),
            answers: person.answers,
            sheets_done: person.finished,
            name: person.name,
        };
        Ok(Owner {
            title: self.title.clone(),
            sheets: self.progress(),
            people: people.into_iter().map(person).collect(),
            agreement: self.agreement(&answers),
            answers: answers.len() as u64,
            answers_wanted,
            csrf: self.csrf(WHO),
        })
    }

    fn progress(&self) -> Vec<OwnerSheet> {
        let desk = lock(&self.desk);
        let mut rows = Vec::with_capacity(self.sheets.len());
        for (at, sheet) in self.sheets.iter().enumerate() {
            let (people_done, people_working) = desk.progress(at);
            let people_wanted = u64::from(self.wanted[at]);
            rows.push(OwnerSheet { batch: sheet.batch.clone(), people_wanted, people_done, people_working });
        }
        rows
    }

    /// Percent agreement on each question, over all answers so far.
    fn agreement(&self, answers: &[RawAnswer]) -> Vec<(String, Option<f64>)> {
        let questions = self.sheets.first().map_or(&[][..], |sheet| &sheet.questions);
        let of = |question: &render::SheetQuestion| {
            let votes = answers.iter().filter(|given| given.question == question.id);
            (question.text.replace("{category}", "…"), percent_agreement(&votes_of(votes)))
        };
        questions.iter().map(of).collect()
    }
}

fn votes_of<'a>(given: impl Iterator<Item = &'a RawAnswer>) -> VoteSet {
    let (mut tasks, mut people) = (HashMap::new(), HashMap::new());
    let mut votes = Vec::new();
    for given in given {
        let (next_task, next_person) = (tasks.len() as u32, people.len() as u32);
        let task = *tasks.entry(given.task.as_str()).or_insert(next_task);
        let person = *people.entry(given.person.as_str()).or_insert(next_person);
        let label = Answer::ALL.iter().position(|answer| answer.name() == given.answer).unwrap_or_default() as u8;
        votes.push(Vote { task, person, label });
    }
    VoteSet { tasks: tasks.len(), people: people.len(), labels: Answer::ALL.len(), votes }
}

fn ago(ms: i64) -> String {
    match ms / 1000 {
        seconds @ ..60 => format!("{} s ago", seconds.max(0)),
        seconds @ 60..3600 => format!("{} min ago", seconds / 60),
        seconds @ 3600..86_400 => format!("{} h ago", seconds / 3600),
        seconds => format!("{} days ago", seconds / 86_400),
    }
}
