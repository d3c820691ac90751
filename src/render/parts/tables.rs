//! The common parts of tables: a titled section, a box that scrolls, a table whose tail is folded.
//!
//! Knows no record. Holds always: a wide table scrolls inside its own box, which the keyboard can reach.

use maud::{Markup, html};

use crate::render::numbers::count;

/// A section with its anchor, its heading and a note that explains how to read it.
pub fn section(id: &str, title: &str, note: &str, body: Markup) -> Markup {
    html! {
        section id=(id) aria-labelledby={ (id) "-title" } {
            h2 id={ (id) "-title" } { (title) }
            @if !note.is_empty() { p.note { (note) } }
            (body)
        }
    }
}

/// A table in its own scrolling box. `label` names the box to screen readers.
pub fn table(label: &str, head: &Markup, rows: &[Markup]) -> Markup {
    html! {
        div.scroll role="region" aria-label=(label) tabindex="0" {
            table { thead { tr { (head) } } tbody { @for row in rows { tr { (row) } } } }
        }
    }
}

/// A table whose first `shown` rows are visible and whose other rows are folded under a line with their number.
pub fn folded_table(label: &str, head: &Markup, rows: &[Markup], shown: usize) -> Markup {
    let (first, rest) = rows.split_at(shown.min(rows.len()));
    html! {
        (table(label, head, first))
        @if !rest.is_empty() {
            details {
                summary { "The other " (count(rest.len() as u64)) }
                (table(&format!("{label}, the rest"), head, rest))
            }
        }
    }
}

/// The head's cells: a trailing `#` on a title makes a column of numbers.
pub fn head(titles: &[&str]) -> Markup {
    html! {
        @for title in titles {
            @if let Some(title) = title.strip_suffix('#') { th.number scope="col" { (title) } }
            @else { th scope="col" { (title) } }
        }
    }
}
