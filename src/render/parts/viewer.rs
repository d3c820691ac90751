//! The dialog that shows one image larger.
//!
//! Knows no page; each page's script fills it, by the names that stand here.

use maud::{Markup, html};

/// The empty dialog.
pub fn viewer() -> Markup {
    html! {
        dialog id="viewer" aria-label="Larger view" {
            div.bar-top {
                button type="button" data-step="-1" { "← Previous" }
                button type="button" data-step="1" { "Next →" }
                span.place {}
                button type="button" data-close { "Close " kbd { "Esc" } }
            }
            div.view {}
        }
    }
}
