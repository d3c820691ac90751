//! One task as every file of tasks has it, and the answers that all tools offer.
//!
//! Holds always: nothing here says whether a task is a sentinel, because files of tasks are handed to annotators.

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
