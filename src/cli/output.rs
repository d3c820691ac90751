//! What a command prints when it is done: text for people, the same facts as JSON for programs.

use serde_json::Value;

/// A command's result.
pub struct Output {
    /// For people.
    pub text: String,
    /// For programs.
    pub json: Value,
    /// Items that were lost: exit code 3 if any.
    pub lost: u64,
}

impl Output {
    /// A result without lost items.
    pub fn new(text: impl Into<String>, json: Value) -> Self {
        Self { text: text.into(), json, lost: 0 }
    }
}

/// `part` of `whole` in per cent, with one decimal; `-` of nothing.
pub fn percent(part: u64, whole: u64) -> String {
    match whole {
        0 => "-".to_owned(),
        whole => format!("{:.1} %", 100.0 * part as f64 / whole as f64),
    }
}
