//! What the pages of a run and of an evaluation share: tables, small figures, names, the style sheet.
//!
//! Knows no page. Holds always: the policy of a page names its style and script by hash, with line ends as a browser
//! reads them.

pub mod charts;
pub mod tables;
pub mod text;
pub mod viewer;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::policy;

/// The style that all pages share.
const STYLE: &str = include_str!("style.css");

/// The frame of a page.
pub struct Frame<'a> {
    /// The title of the tab.
    pub title: String,
    /// Further style.
    pub style: &'a str,
    /// The script.
    pub script: &'a str,
}

/// The whole document; `body` is all that is visible.
pub fn document(frame: &Frame, body: &Markup) -> Markup {
    // Browsers read CRLF as LF before they hash, so a checkout with CRLF must not change the policy.
    let style = format!("{STYLE}{}", frame.style).replace("\r\n", "\n");
    let script = frame.script.replace("\r\n", "\n");
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy::policy(&style, &script));
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="generator" content="hardset";
                title { (frame.title) }
                link rel="icon" href="data:,";
                style { (PreEscaped(&style)) }
            }
            body {
                (body)
                script { (PreEscaped(&script)) }
            }
        }
    }
}
