//! What a command prints at its end: text for people, the same facts as JSON for programs.
//!
//! Does not decide where it is printed: `session` does.

use serde_json::Value;

use super::error::SOME_LOST;

/// A command's result.
pub struct Output {
    /// For people.
    pub text: String,
    /// For programs.
    pub json: Value,
    /// Exit code.
    pub code: u8,
}

impl Output {
    /// A result with exit code 0.
    pub fn new(text: impl Into<String>, json: Value) -> Self {
        Self { text: text.into(), json, code: 0 }
    }

    /// The same result, with exit code 3 if any item was lost.
    pub fn lost(self, items: u64) -> Self {
        Self { code: if items > 0 { SOME_LOST } else { self.code }, ..self }
    }
}

/// A size in the largest unit that leaves at least one of it.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..1_048_576 => format!("{} KiB", bytes >> 10),
        1_048_576..1_073_741_824 => format!("{} MiB", bytes >> 20),
        _ => format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30)),
    }
}
