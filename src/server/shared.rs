//! What all requests share: sheets, database, people, limits; and the two responses that any request may get.
//!
//! Holds always: the response to a failure does not name the cause, because people who answer must not see paths or
//! images of the run; the owner is told instead.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};

use super::ahead::Ahead;
use super::desk::Desk;
use super::images::Images;
pub(super) use super::locked::lock;
use super::rate::RateLimiter;
use super::writer::Writer;
use crate::domain::Secret;
use crate::render::annotate::{self as page, Sheet};
use crate::store::Ballots;

/// The state that all requests share.
pub(super) struct Shared {
    pub title: String,
    pub sheets: Vec<Sheet>,
    pub by_batch: HashMap<String, usize>,
    pub by_task: HashMap<String, usize>,
    pub wanted: Vec<u32>,
    pub images: Arc<dyn Images>,
    pub ahead: Ahead,
    pub secret: Secret,
    /// The database, for reading and for rare changes.
    pub ballots: Mutex<Ballots>,
    /// Saves answers and which sheets are given out.
    pub writer: Writer,
    pub desk: Arc<Mutex<Desk>>,
    pub people: Mutex<HashMap<String, String>>,
    pub rate: Mutex<RateLimiter>,
    /// Problems that only the owner is told.
    pub trouble: Mutex<Vec<String>>,
    pub hosts: Vec<String>,
    pub base: String,
    /// Names of the person's and of the owner's cookie.
    pub cookies: [String; 2],
    pub script: String,
    pub style: String,
}

pub(super) type App = Arc<Shared>;

/// A page that says why a request is refused, and what to do.
pub(super) fn refused(status: StatusCode, title: &str, text: &str) -> Response {
    (status, Html(page::message_page(title, text))).into_response()
}

/// The response to a failure, which does not reveal the cause; the page tries again by itself.
pub(super) fn failed(app: &Shared, problem: impl ToString) -> Response {
    let mut trouble = lock(&app.trouble);
    let problem = problem.to_string();
    if !trouble.contains(&problem) {
        trouble.push(problem);
    }
    (StatusCode::SERVICE_UNAVAILABLE, "This does not work at the moment. Nothing is lost; try again.").into_response()
}
