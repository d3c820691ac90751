//! Task sheets as files for other tools: tasks and questions in, bytes out.
//!
//! Holds always: this module does not know which task is a sentinel, so that no file can reveal it; every text is
//! escaped for its format.

mod label_studio;
mod plain;
mod prolific;
mod readme;

use base64::{Engine, engine::general_purpose::STANDARD};

pub use label_studio::{label_studio_config, label_studio_tasks};
pub use plain::{csv, jsonl};
pub use prolific::{prolific_csv, prolific_instructions};
pub use readme::readme;

/// One task, as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskLine {
    /// The name of its sheet.
    pub batch: String,
    /// Position on the sheet, from 1.
    pub position: u32,
    /// Its name.
    pub task: String,
    /// Where the image is: a path relative to the file, or a URL.
    pub image: String,
    /// The category's name.
    pub category: String,
    /// A short explanation of the category.
    pub gloss: Option<String>,
    /// Id and text of each question, with the category filled in.
    pub questions: Vec<(String, String)>,
}

/// The answers that tools offer, as (value in files, text for people).
pub const CHOICES: [(&str, &str); 3] = [("yes", "Yes"), ("no", "No"), ("not_sure", "Not sure")];

/// An image as a URI for a page.
pub fn jpeg_uri(jpeg: &[u8]) -> String {
    format!("data:image/jpeg;base64,{}", STANDARD.encode(jpeg))
}

/// A cell that a spreadsheet does not read as a formula (OWASP, "CSV injection").
fn cell(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

/// Rows as CSV (RFC 4180, line feeds).
fn rows_as_csv<'a>(rows: impl IntoIterator<Item = Vec<std::borrow::Cow<'a, str>>>) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    for row in rows {
        // This cannot fail: it writes into memory, and all rows have the same number of cells.
        let _ = writer.write_record(row.iter().map(|cell| cell.as_ref()));
    }
    writer.into_inner().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines() -> Vec<TaskLine> {
        vec![TaskLine {
            batch: "b1".into(),
            position: 1,
            task: "9f".into(),
            image: "images/b1/9f.jpg".into(),
            category: "=cmd|' /C calc'!A0 <b>\"mug\"</b>,\nbig".into(),
            gloss: None,
            questions: vec![("use".into(), "Could it be \"used\" as <b>?".into())],
        }]
    }

    #[test]
    fn hostile_names_stay_inside_their_cell() {
        let text = String::from_utf8(csv(&lines())).unwrap();
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let row = reader.records().next().unwrap().unwrap();
        assert_eq!(&row[4], "'=cmd|' /C calc'!A0 <b>\"mug\"</b>,\nbig");
        assert_eq!(reader.headers().unwrap().len(), row.len());
    }

    #[test]
    fn every_json_line_is_one_line_and_reads_back() {
        let text = String::from_utf8(jsonl(&lines())).unwrap();
        assert_eq!(text.lines().count(), 1);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["category"], lines()[0].category);
        let tasks: serde_json::Value = serde_json::from_slice(&label_studio_tasks(&lines())).unwrap();
        assert_eq!(tasks[0]["data"]["question_use"], lines()[0].questions[0].1);
    }

    #[test]
    fn label_studio_gets_one_choice_for_each_question() {
        let config = label_studio_config(&["recognise".to_owned(), "use".to_owned()]);
        assert_eq!(config.matches("<Choices name=").count(), 2);
        assert_eq!(config.matches("<Choice value=\"not_sure\"").count(), 2);
    }

    #[test]
    fn prolific_shows_no_name_and_groups_by_sheet() {
        let text = String::from_utf8(prolific_csv(&lines())).unwrap();
        assert!(text.starts_with("image,category,gloss,META_TASK,META_TASK_GROUP_ID\n"), "{text}");
        let instructions: serde_json::Value =
            serde_json::from_slice(&prolific_instructions(&[("use".to_owned(), "Use it?".to_owned())])).unwrap();
        assert_eq!(instructions[0]["description"], "Use it? [use]");
    }
}
