//! The requests of people's pages: the page, the sheet, images, and the answers that they send.

use std::collections::HashSet;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::clock::now_ms;
use super::desk::NextSheet;
use super::shared::{App, Shared, failed, lock, refused};
use crate::domain::Answer;
use crate::render::annotate as page;
use crate::store::{BallotChange, StoreError};

/// `GET /`: the page, for a person with a session.
pub(super) async fn start(State(app): State<App>, headers: HeaderMap) -> Response {
    match app.session(&headers) {
        Some(name) => Html(page::app_page(&app.csrf(&name))).into_response(),
        None => refused(StatusCode::UNAUTHORIZED, "Who are you?", "Open the personal link that you were given."),
    }
}

/// `GET /api/sheet`: the person's sheet with the answers so far; 204 if no sheet is left.
pub(super) async fn sheet(State(app): State<App>, headers: HeaderMap) -> Response {
    let Some(name) = app.session(&headers) else { return StatusCode::UNAUTHORIZED.into_response() };
    // A task of its own outlives the request: somebody who goes away while images are made has the sheet all the same.
    let given = tokio::spawn({
        let app = app.clone();
        async move { app.sheet_for(&name).await }
    });
    match given.await.unwrap_or_else(|error| Err(error.to_string())) {
        Ok(Some(sheet)) => Json(sheet).into_response(),
        Ok(None) => StatusCode::NO_CONTENT.into_response(),
        Err(problem) => failed(&app, problem),
    }
}

impl Shared {
    /// Makes the images of a sheet, if that was not done ahead.
    async fn prepare(&self, sheet: usize) -> Result<(), String> {
        let images = self.images.clone();
        tokio::task::spawn_blocking(move || images.prepare(sheet)).await.map_err(|error| error.to_string())?
    }

    async fn sheet_for(&self, name: &str) -> Result<Option<serde_json::Value>, String> {
        let now = now_ms();
        let work = lock(&self.desk).next(name, now);
        let at = match work {
            NextSheet::None => return Ok(None),
            NextSheet::Has(at) => {
                self.prepare(at).await?;
                // Once more, in case that the first time failed.
                let given = BallotChange::Given { person: name.to_owned(), batch: self.sheets[at].batch.clone() };
                self.writer.save(given).await?;
                at
            }
            NextSheet::New(at) => {
                // Nobody is given a sheet whose images could not be made.
                if let Err(problem) = self.prepare(at).await {
                    lock(&self.desk).forget(name, at);
                    return Err(problem);
                }
                let given = BallotChange::Given { person: name.to_owned(), batch: self.sheets[at].batch.clone() };
                if let Err(problem) = self.writer.save(given).await {
                    lock(&self.desk).forget(name, at);
                    return Err(problem);
                }
                self.ahead.glance();
                at
            }
        };
        let mut sheet = self.sheets[at].clone();
        sheet.person = Some(name.to_owned());
        let answers = lock(&self.ballots).sheet(name, &sheet.batch).map_err(|error| error.to_string())?;
        for (task, question, answer) in answers {
            if let Some(found) = sheet.tasks.iter_mut().find(|found| found.task == task) {
                found.answers.insert(question, answer);
            }
        }
        let mut json = json!(sheet);
        json["sheets_done"] = json!(lock(&self.desk).finished(name));
        Ok(Some(json))
    }
}

/// An answer as the page sends it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SentAnswer {
    batch: String,
    task: String,
    question: String,
    /// `null` withdraws the answer.
    answer: Option<Answer>,
}

/// `POST /api/answers`: 204 once the answer is on the disk.
pub(super) async fn answer(State(app): State<App>, headers: HeaderMap, Json(sent): Json<SentAnswer>) -> Response {
    let name = match app.sender(&headers) {
        Ok(name) => name,
        Err(status) => return status.into_response(),
    };
    if let Err(problem) = app.fits(&name, &sent) {
        return (StatusCode::BAD_REQUEST, problem).into_response();
    }
    let SentAnswer { batch, task, question, answer } = sent;
    let answer = answer.map(|answer| answer.name().to_owned());
    match app.writer.save(BallotChange::Answer { person: name, batch, task, question, answer }).await {
        Ok(true) => StatusCode::NO_CONTENT.into_response(),
        Ok(false) => (StatusCode::CONFLICT, "this sheet is finished: an answer can be changed, but not taken back")
            .into_response(),
        Err(problem) => failed(&app, problem),
    }
}

impl Shared {
    /// The person who sends a change.
    fn sender(&self, headers: &HeaderMap) -> Result<String, StatusCode> {
        let name = self.session(headers).ok_or(StatusCode::UNAUTHORIZED)?;
        let csrf = headers.get("x-csrf-token").and_then(|value| value.to_str().ok()).unwrap_or_default();
        self.comes_from_our_page(headers, &name, csrf).then_some(name).ok_or(StatusCode::FORBIDDEN)
    }

    /// Why the answer does not fit the sheet of this person, as an error.
    fn fits(&self, name: &str, sent: &SentAnswer) -> Result<(), &'static str> {
        let at = *self.by_batch.get(&sent.batch).ok_or("there is no such sheet")?;
        if self.by_task.get(&sent.task) != Some(&at) {
            return Err("there is no such task on this sheet");
        }
        if !self.sheets[at].questions.iter().any(|question| question.id == sent.question) {
            return Err("there is no such question");
        }
        lock(&self.desk).has(name, at).then_some(()).ok_or("this sheet is not yours")
    }
}

/// A finished sheet.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Finished {
    batch: String,
}

/// `POST /api/finish`: marks a sheet as finished, if it has every answer.
pub(super) async fn finish(State(app): State<App>, headers: HeaderMap, Json(sent): Json<Finished>) -> Response {
    let name = match app.sender(&headers) {
        Ok(name) => name,
        Err(status) => return status.into_response(),
    };
    let Some(&at) = app.by_batch.get(&sent.batch).filter(|&&at| lock(&app.desk).has(&name, at)) else {
        return (StatusCode::BAD_REQUEST, "this sheet is not yours").into_response();
    };
    let all = app.sheets[at].tasks.len() * app.sheets[at].questions.len();
    let missing = |count: usize| {
        let text = format!("{count} of {all} answers to this sheet are missing; answer every question, then finish");
        (StatusCode::CONFLICT, text).into_response()
    };
    match app.missing(&name, at) {
        Ok(0) => {}
        Ok(_) if lock(&app.desk).is_finished(&name, at) => return StatusCode::NO_CONTENT.into_response(),
        Ok(count) => return missing(count),
        Err(problem) => return failed(&app, problem),
    }
    let finished = BallotChange::Finished { person: name.clone(), batch: sent.batch, answers: all as u64 };
    match app.writer.save(finished).await {
        Ok(true) => {
            lock(&app.desk).finish(&name, at);
            StatusCode::NO_CONTENT.into_response()
        }
        // An answer was withdrawn in between.
        Ok(false) => missing(1),
        Err(problem) => failed(&app, problem),
    }
}

impl Shared {
    /// How many answers of a person to a sheet are missing.
    fn missing(&self, name: &str, at: usize) -> Result<usize, StoreError> {
        let sheet = &self.sheets[at];
        let answers = lock(&self.ballots).sheet(name, &sheet.batch)?;
        let given: HashSet<(&str, &str)> = answers.iter().map(|(task, question, _)| (&**task, &**question)).collect();
        let is_missing = |task: &str| {
            sheet.questions.iter().filter(|question| !given.contains(&(task, question.id.as_str()))).count()
        };
        Ok(sheet.tasks.iter().map(|task| is_missing(&task.task)).sum())
    }
}

/// `GET /images/<task>.jpg`: the image, for a person who has the task's sheet.
pub(super) async fn image(State(app): State<App>, headers: HeaderMap, Path(file): Path<String>) -> Response {
    let nothing = || StatusCode::NOT_FOUND.into_response();
    let Some(task) = file.strip_suffix(".jpg").map(str::to_owned) else { return nothing() };
    let Some(name) = app.session(&headers) else { return StatusCode::UNAUTHORIZED.into_response() };
    if !app.by_task.get(&task).is_some_and(|&at| lock(&app.desk).has(&name, at)) {
        return nothing();
    }
    // Reading takes long on some disks and would block the threads that serve requests.
    let images = app.images.clone();
    let made = tokio::task::spawn_blocking(move || images.jpeg(&task)).await;
    match made {
        Ok(Ok(jpeg)) => {
            let headers = [(header::CONTENT_TYPE, "image/jpeg"), (header::CACHE_CONTROL, "private, max-age=86400")];
            (headers, jpeg).into_response()
        }
        Ok(Err(problem)) => failed(&app, problem),
        Err(error) => failed(&app, error),
    }
}
