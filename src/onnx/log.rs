//! The last lines about errors in ONNX Runtime's log.
//!
//! The library's own lines would break the progress display, so they are kept here. Often only they name the cause of
//! an error: the status is "Failed to load shared library", and the log says which (microsoft/onnxruntime issue 17801).

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use super::plain::plain;

/// Lines that are kept.
const KEPT: usize = 4;

static LINES: Mutex<VecDeque<String>> = Mutex::new(VecDeque::new());

/// Keeps a line.
pub fn keep(line: &str) {
    let line = line.trim();
    let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    if lines.back().is_some_and(|last| last == line) {
        return;
    }
    if lines.len() == KEPT {
        lines.pop_front();
    }
    lines.push_back(line.to_owned());
}

/// Forgets the kept lines, because the next call has nothing to do with them.
pub fn clear() {
    LINES.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

/// `problem` followed by the kept lines that are not part of it.
pub fn explained(problem: &str) -> String {
    let lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    joined(problem, lines.iter().map(String::as_str))
}

fn joined<'a>(problem: &str, lines: impl Iterator<Item = &'a str>) -> String {
    let mut text = plain(problem);
    for line in lines.map(plain) {
        if !text.contains(&line) {
            text += &format!(" [ONNX Runtime's log: {line}]");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::joined;

    #[test]
    fn an_error_is_given_with_the_lines_that_say_more() {
        let lines = ["Failed to load library x.so with error: libcublasLt.so.13: cannot open", "no session"];
        let text = joined("no session\n", lines.into_iter());
        assert_eq!(text, format!("no session [ONNX Runtime's log: {}]", lines[0]));
        assert_eq!(joined("no session; expr=count ; ", std::iter::empty()), "no session; expr=count");
    }
}
