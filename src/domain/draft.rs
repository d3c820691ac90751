//! A surrogate's TOML that a program drafts: keys with their values, where each comes from, and what is still a
//! question.
//!
//! Data only: `render::draft` writes it down. Holds always: a value that no file and no picture vouches for has a
//! question, because a guess that looks like knowledge is a wrong benchmark.

/// A draft.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draft {
    /// Lines about the whole, at its top.
    pub about: Vec<String>,
    /// Its tables, in order.
    pub tables: Vec<DraftTable>,
}

/// A table of a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftTable {
    /// Its name; empty for the keys before the first table.
    pub name: &'static str,
    /// Its keys.
    pub lines: Vec<DraftLine>,
}

/// A key of a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftLine {
    /// The key.
    pub key: &'static str,
    /// Its value, as TOML.
    pub value: String,
    /// Where it comes from, if that is worth a line.
    pub notes: Vec<String>,
    /// What nobody knows about it: the question, what was taken, the alternatives.
    pub questions: Vec<String>,
}

impl DraftLine {
    /// A key of which everything is known.
    pub fn new(key: &'static str, value: impl Into<String>) -> Self {
        Self { key, value: value.into(), notes: Vec::new(), questions: Vec::new() }
    }

    /// The same with where it comes from.
    #[must_use]
    pub fn noting(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// The same with questions.
    #[must_use]
    pub fn asking(mut self, questions: impl IntoIterator<Item = String>) -> Self {
        self.questions.extend(questions);
        self
    }
}

impl Draft {
    /// All questions as (key, question); the key with its table, `input.mean`.
    pub fn questions(&self) -> Vec<(String, &str)> {
        let mut found = Vec::new();
        for table in &self.tables {
            for line in &table.lines {
                let key =
                    if table.name.is_empty() { line.key.to_owned() } else { format!("{}.{}", table.name, line.key) };
                found.extend(line.questions.iter().map(|question| (key.clone(), question.as_str())));
            }
        }
        found
    }
}
