//! How names and phrases from the data are written on the page.
//!
//! Does not decide what is shown. Holds always: a text from the data is escaped and cannot turn the direction of the
//! text around it, because names come from outside.

use maud::{Markup, html};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// A name from the data: escaped, isolated from the direction of its surroundings, breakable after `_ / - .`, but not
/// after a `.` with which a word begins (`.tif`).
pub fn name(text: &str) -> Markup {
    let begins_word = |piece: &str| piece == "." || piece.ends_with(" .");
    html! {
        bdi {
            @for piece in text.split_inclusive(['_', '/', '-', '.']) {
                (piece) @if !begins_word(piece) { wbr; }
            }
        }
    }
}

/// A phrase from the data, such as a class or a reason: escaped and isolated, breakable at its spaces.
pub fn phrase(text: &str) -> Markup {
    html! { bdi { (text) } }
}

/// A hash: its first twelve letters, and all of them when the pointer is over it.
pub fn hash(text: &str) -> Markup {
    let short: String = text.chars().take(12).collect();
    html! { code title=(text) { (phrase(&short)) @if short.len() < text.len() { "…" } } }
}

/// Everything but letters, digits, `-`, `_` and `.`.
const NOT_IN_A_FRAGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// Text for a URL's fragment, with `%XX` for the bytes that cannot be in one.
pub fn fragment_value(text: &str) -> String {
    utf8_percent_encode(text, NOT_IN_A_FRAGMENT).to_string()
}
