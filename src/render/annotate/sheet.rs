//! A task sheet as the page gets it, and its JSON.
//!
//! Holds always: there is no field for the source of an image or the expected answer, because a page must not be able
//! to reveal a sentinel.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer, ser::SerializeStruct};

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
    /// A `data:` URI, or, for [`super::app_page`], a URL of the same server.
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
