//! Task sheets as files for other tools: tasks and questions in, bytes out.
//!
//! Holds always: this module does not know which task is a sentinel, so that no file can reveal it; every text is
//! escaped for its format.

mod cells;
mod label_studio;
mod line;
mod plain;
mod prolific;
mod readme;

use base64::{Engine, engine::general_purpose::STANDARD};

pub use label_studio::{label_studio_config, label_studio_tasks};
pub use line::{CHOICES, TaskLine};
pub use plain::{csv, jsonl};
pub use prolific::{prolific_csv, prolific_instructions};
pub use readme::readme;

/// An image as a URI for a page.
pub fn jpeg_uri(jpeg: &[u8]) -> String {
    format!("data:image/jpeg;base64,{}", STANDARD.encode(jpeg))
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
