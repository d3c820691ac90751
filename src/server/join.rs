//! Personal links: `/join/<token>` starts the session of the link's person.
//!
//! Holds always: who is logged in stays so until they themselves say otherwise, because a link that another site makes
//! a browser follow would else put somebody's answers under another name.

use axum::Form;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::shared::{App, Shared, refused};
use crate::render::annotate as page;

/// `GET /join/<token>`: starts a session for the person of this link, or asks somebody else who is logged in.
pub(super) async fn join(State(app): State<App>, headers: HeaderMap, Path(token): Path<String>) -> Response {
    let Some(name) = app.person(&token) else {
        return refused(StatusCode::FORBIDDEN, "This link is not valid", "Ask for a new one, and copy it whole.");
    };
    // A picture or a frame of another page is nobody's step.
    if says(&headers, "sec-fetch-dest").is_some_and(|what| what != "document") {
        return refused(StatusCode::FORBIDDEN, "Not opened", "Open your personal link in a tab of its own.");
    }
    match app.session(&headers) {
        Some(now) if now == name => Redirect::to("/").into_response(),
        Some(now) if !app.is_own_step(&headers) => {
            let csrf = app.csrf(&now);
            Html(page::switch_page(&page::Switch { now: &now, other: &name, token: &token, csrf: &csrf }))
                .into_response()
        }
        _ => app.begin(&name),
    }
}

/// The form that asks.
#[derive(Deserialize)]
pub(super) struct Switch {
    token: String,
    csrf: String,
}

/// `POST /join`: the person who is logged in goes on as somebody else.
pub(super) async fn switch(State(app): State<App>, headers: HeaderMap, Form(sent): Form<Switch>) -> Response {
    let is_asked = app.session(&headers).is_some_and(|now| app.comes_from_our_page(&headers, &now, &sent.csrf));
    match app.person(&sent.token).filter(|_| is_asked) {
        Some(name) => app.begin(&name),
        None => refused(StatusCode::FORBIDDEN, "Nothing has changed", "Open your personal link again."),
    }
}

impl Shared {
    fn begin(&self, name: &str) -> Response {
        ([(header::SET_COOKIE, self.person_cookie(name))], Redirect::to("/")).into_response()
    }

    /// Whether the browser says that the person asked for this address (typed it, took it from another program) or came
    /// from a page of this server. One that says nothing may have been sent here by any site.
    fn is_own_step(&self, headers: &HeaderMap) -> bool {
        let site = says(headers, "sec-fetch-site").is_some_and(|site| site == "none" || site == "same-origin");
        let ours = |name| says(headers, name).is_none_or(|from| self.is_ours(from));
        site && ours("origin") && ours("referer")
    }
}

fn says<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}
