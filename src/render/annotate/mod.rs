//! The page on which people look at one image after another and answer questions, and its owner's overview.
//!
//! Does not choose images, know the truth about them, store answers or serve requests. One script serves two kinds of
//! page: a page from disk that carries its sheet ([`sheet_page`]), and a page that asks a server ([`app_page`]).
//!
//! Holds always: a sheet has no field for the source of an image or the expected answer, so that no page can reveal a
//! sentinel; all data enters the pages as text; the same input gives the same bytes.

mod owner;
mod page;
mod words;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Serialize, Serializer, ser::SerializeStruct};

pub use owner::{Owner, OwnerPerson, OwnerSheet};

/// Version of the sheet's JSON; the answers that a page from disk saves are `hardset-answers-1`.
const SHEET_FORMAT: &str = "hardset-sheet-1";

/// One person's task sheet. As JSON: `{"format":"hardset-sheet-1","batch":…,"person":…,"questions":…,"tasks":…}`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sheet {
    /// The sheet's name, unique among the sheets that one browser may see.
    pub batch: String,
    /// The person; `None` if the page asks for a name or code.
    pub person: Option<String>,
    /// The questions about every image, in this order.
    pub questions: Vec<SheetQuestion>,
    /// The images, in this order.
    pub tasks: Vec<SheetTask>,
}

/// A question that is asked of every image of a sheet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SheetQuestion {
    /// Its id in the answers.
    pub id: String,
    /// The wording; `{category}` stands for the category's name.
    pub text: String,
}

/// One image to judge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SheetTask {
    /// Its opaque name in the answers; unique on the sheet.
    pub task: String,
    /// A `data:` URI, or, for [`app_page`], a URL of the same server.
    pub image: String,
    /// Readable name of the category that the questions ask about.
    pub category: String,
    /// A short explanation of the category.
    pub gloss: Option<String>,
    /// Answers given so far: question id to `yes`, `no` or `not_sure`.
    pub answers: BTreeMap<String, String>,
}

impl Serialize for Sheet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Sheet", 5)?;
        fields.serialize_field("format", SHEET_FORMAT)?;
        fields.serialize_field("batch", &self.batch)?;
        fields.serialize_field("person", &self.person)?;
        fields.serialize_field("questions", &self.questions)?;
        fields.serialize_field("tasks", &self.tasks)?;
        fields.end()
    }
}

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

/// A page with one message, such as "this link is not valid"; style from `/style.css`, no script.
pub fn message_page(title: &str, text: &str) -> String {
    page::message(title, text).into_string()
}

/// The script of `/app.js` and of [`sheet_page`], with line feeds even if the checkout has CRLF.
pub fn script() -> String {
    [include_str!("keeper.js"), include_str!("app.js")].concat().replace("\r\n", "\n")
}

/// The style of `/style.css` and of [`sheet_page`].
pub fn style() -> String {
    include_str!("style.css").replace("\r\n", "\n")
}
