//! The frames of the pages: head, the screens that the script shows one at a time, and the message page.
//!
//! Contains no image: the script fills the screens from the sheet. Holds always: the page from disk and the page for a
//! server have the same screens; only the first has inline style and script, named by hash in its policy.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::super::policy;
use super::sheet::Sheet;
use super::static_files::{script, style};
use super::words;

const TITLE: &str = "Images to judge";

/// The page from disk.
pub fn sheet(sheet: &Sheet) -> Markup {
    let (style, script) = (style(), script());
    let head = html! {
        meta http-equiv="Content-Security-Policy" content=(policy::policy(&style, &script));
        link rel="icon" href="data:,";
        style { (PreEscaped(style)) }
    };
    let tail = html! {
        script #sheet-data type="application/json" { (PreEscaped(json(sheet))) }
        script { (PreEscaped(script)) }
    };
    document(TITLE, &head, &html! { (screens(true)) (tail) })
}

/// The sheet as JSON that cannot end its element: `<` is written as an escape, which means the same in JSON.
fn json(sheet: &Sheet) -> String {
    // A sheet consists of strings, so writing it cannot fail.
    serde_json::to_string(sheet).unwrap_or_default().replace('<', "\\u003c")
}

/// The page for a server.
pub fn app(csrf: &str) -> Markup {
    let head = html! {
        meta name="csrf" content=(csrf);
        (linked_style())
        script src="/app.js" defer {}
    };
    document(TITLE, &head, &screens(false))
}

/// A page with one message.
pub fn message(title: &str, text: &str) -> Markup {
    let body = html! { main.plain { h1 { bdi { (title) } } p { bdi { (text) } } } };
    document(title, &linked_style(), &body)
}

/// What the page says that asks who somebody is.
#[derive(Debug, Clone, Copy)]
pub struct Switch<'a> {
    /// The person who is logged in.
    pub now: &'a str,
    /// The person of the link.
    pub other: &'a str,
    /// The link's token.
    pub token: &'a str,
    /// The token that the form sends back.
    pub csrf: &'a str,
}

/// The page that asks somebody who is logged in and has opened another person's link.
pub fn switch(switch: &Switch) -> Markup {
    let title = "Who are you?";
    let body = html! {
        main.plain {
            h1 { (title) }
            p { "This browser answers as " b { bdi { (switch.now) } } ". The link that was opened is that of "
                b { bdi { (switch.other) } } ". If you did not open it yourself, stay who you are." }
            p { a href="/" { "Stay " bdi { (switch.now) } } }
            form method="post" action="/join" {
                input type="hidden" name="token" value=(switch.token);
                input type="hidden" name="csrf" value=(switch.csrf);
                button type="submit" { "Go on as " bdi { (switch.other) } }
            }
        }
    };
    document(title, &linked_style(), &body)
}

/// The style as a server serves it.
pub fn linked_style() -> Markup {
    html! { link rel="stylesheet" href="/style.css"; }
}

/// A whole document; `head` is added to the head that all pages share.
pub fn document(title: &str, head: &Markup, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                meta name="referrer" content="same-origin";
                title { (title) }
                (head)
            }
            body { (body) }
        }
    }
}

/// The screens that the script shows, hides and fills.
fn screens(asks_name: bool) -> Markup {
    html! {
        noscript { p.plain { "This page needs JavaScript. Please switch it on and load the page again." } }
        (top())
        main #app {
            section #loading { p { "Loading …" } }
            section #name hidden { @if asks_name { (name_form()) } }
            section #sheet hidden { (one_image()) }
            section.plain #end hidden { (end()) }
            section.plain #message hidden { h1 #message-title tabindex="-1" {} p #message-text {} }
        }
        (words::instructions())
        (words::help())
        (words::zoom())
        div.hidden #announcer role="status" aria-live="polite" {}
    }
}

fn top() -> Markup {
    html! {
        header #top {
            div #progress-box hidden {
                p.progress-text { span #place-kind {} span #place {} }
                progress #progress aria-label="Images answered" value="0" max="1" {}
            }
            p #status role="status" aria-live="polite" {}
            div.tools {
                span #who {}
                button #rename type="button" hidden { "Not you?" }
                button #show-instructions type="button" { "Instructions" kbd aria-hidden="true" { "i" } }
                button #show-help type="button" { "Keys" kbd aria-hidden="true" { "h" } }
                button #save type="button" hidden { "Save answers" }
            }
        }
    }
}

fn name_form() -> Markup {
    html! {
        form.plain #name-form {
            h1 { "Images to judge" }
            p { "Your answers stay in this browser until you save them as a file." }
            label for="person" { "Your name or code" }
            input #person name="person" required maxlength="80"
                autocomplete="off" autocapitalize="off" spellcheck="false";
            p { button.main type="submit" { "Begin" } }
        }
    }
}

fn one_image() -> Markup {
    html! {
        h1.hidden { (TITLE) }
        div #frame {
            button #picture type="button" title="Enlarge (z)" { img alt="Image to judge"; span.hidden { ", enlarge" } }
            p.over #waiting hidden { "Loading the image …" }
            div.over #broken hidden role="alert" {
                p { "This image could not be loaded. You can try again, or go on and come back to it." }
                button #retry type="button" { "Try again" }
            }
        }
        div #panel {
            div #questions {}
            nav #moves aria-label="Images" {
                button #back type="button" { span aria-hidden="true" { "← " } "Back" }
                button #undo type="button" { "Undo" kbd aria-hidden="true" { "u" } }
                button #forward type="button" { "Forward" span aria-hidden="true" { " →" } }
            }
        }
    }
}

fn end() -> Markup {
    html! {
        h1 tabindex="-1" { "End of the sheet" }
        p #summary {}
        div #open hidden {
            p { "Go to an image that is not fully answered:" }
            ul #open-list {}
        }
        p.choices {
            button #finish type="button" { "Finish" }
            button #end-back type="button" { "Back to the images" }
        }
        p #end-note role="status" {}
    }
}
