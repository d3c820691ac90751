//! Why a file of answers cannot be read. The caller adds the file's name, because the readers see bytes only.

/// Why a file of answers cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswersError {
    /// The file has no rows.
    #[error("it is empty")]
    Empty,
    /// The JSON is cut off or malformed.
    #[error("it is not JSON of answers: {0}; export it again, from Label Studio as JSON or JSON-MIN")]
    Json(String),
    /// The table lacks a column.
    #[error(
        "it has no column for {missing}; known names are {known}. A table of answers has a column for the task, \
         one for the person, and one for each question (or `question` and `answer`); its first line is `{header}`"
    )]
    Columns {
        /// What the column would hold.
        missing: &'static str,
        /// The names that such a column may have.
        known: String,
        /// The first line, as it was split, cut off.
        header: String,
    },
    /// The file is not a table of text.
    #[error("it is not a table: {0}")]
    Table(String),
}
