//! The page on which people look at one image after another and answer questions, and its owner's overview.
//!
//! Does not choose images, know the truth about them, store answers or serve requests. One script serves two kinds of
//! page: a page from disk that carries its sheet ([`sheet_page`]), and a page that asks a server ([`app_page`]).
//!
//! Holds always: a sheet has no field for the source of an image or the expected answer, so that no page can reveal a
//! sentinel; all data enters the pages as text; the same input gives the same bytes.

mod owner;
mod page;
mod sheet;
mod static_files;
mod words;

#[cfg(test)]
mod tests;

pub use owner::{Owner, OwnerPerson, OwnerSheet};
pub use page::Switch;
pub use sheet::{Sheet, SheetQuestion, SheetTask};
pub use static_files::{script, style};

/// A page that is one file: it works from disk without a network and saves the answers as a JSONL file.
///
/// Images must be `data:` URIs, because the page's policy does not let others load.
pub fn sheet_page(sheet: &Sheet) -> Vec<u8> {
    page::sheet(sheet).into_string().into_bytes()
}

/// The page for a server: style from `/style.css`, script from `/app.js`, nothing inline; the sheet from `/api/sheet`.
///
/// `csrf`: the token that the script sends back as `x-csrf-token`.
pub fn app_page(csrf: &str) -> String {
    page::app(csrf).into_string()
}

/// The overview of the person who runs the annotation; style from `/style.css`, no script.
pub fn owner_page(owner: &Owner) -> String {
    owner::page(owner).into_string()
}

/// The page that asks somebody who is logged in and has opened another person's link; style from `/style.css`, no
/// script.
pub fn switch_page(switch: &Switch) -> String {
    page::switch(switch).into_string()
}

/// A page with one message, such as "this link is not valid"; style from `/style.css`, no script.
pub fn message_page(title: &str, text: &str) -> String {
    page::message(title, text).into_string()
}
