//! Single values in the text of JSON, JSON lines and TOML: where each of them stands, and the same text with one of
//! them changed.
//!
//! Edits the text, not what was read from it, so that everything else keeps its bytes: a comment that vouches for the
//! rest stays there. Holds always: the changed text is still valid and says something else.

use std::ops::Range;

use serde_json::Value;

/// What the text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    Json,
    JsonLines,
    Toml,
}

impl Syntax {
    /// Of a file with this name, if it is one of these.
    pub fn of(name: &str) -> Option<Self> {
        match name.rsplit_once('.')?.1 {
            "json" => Some(Self::Json),
            "jsonl" => Some(Self::JsonLines),
            "toml" => Some(Self::Toml),
            _ => None,
        }
    }
}

/// The places of all strings, numbers and truth values that are not keys; quotes are part of a string.
pub fn values(text: &str, syntax: Syntax) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = body(text, syntax);
    while at < bytes.len() {
        let starts_line = at == 0 || bytes[at - 1] == b'\n';
        let end = match bytes[at] {
            // A comment, or the name of a table.
            b'#' if syntax == Syntax::Toml => line_end(bytes, at),
            b'[' if syntax == Syntax::Toml && starts_line => line_end(bytes, at),
            b'"' => string_end(bytes, at),
            b'\'' if syntax == Syntax::Toml => {
                at + 2 + bytes[at + 1..].iter().take_while(|&&byte| byte != b'\'').count()
            }
            byte if is_word(byte) => at + bytes[at..].iter().take_while(|&&byte| is_word(byte)).count(),
            _ => {
                at += 1;
                continue;
            }
        };
        let is_value = match bytes[at] {
            b'"' | b'\'' => true,
            b'#' | b'[' => false,
            _ => matches!(&text[at..end], "true" | "false") || text[at..end].parse::<f64>().is_ok(),
        };
        if is_value && !is_key(bytes, end) {
            found.push(at..end);
        }
        at = end;
    }
    found
}

/// The text with this value changed: a number is one more, a truth value the other one, a string has one other
/// character.
pub fn changed(text: &str, place: &Range<usize>, syntax: Syntax) -> String {
    let value = &text[place.clone()];
    let new = match value {
        "true" => "false".to_owned(),
        "false" => "true".to_owned(),
        _ if value.starts_with(['"', '\'']) => other_string(value),
        _ => match value.parse::<i128>() {
            Ok(number) => (number + 1).to_string(),
            Err(_) => format!("{:?}", value.parse::<f64>().expect("it is a number") + 1.0),
        },
    };
    let start = body(text, syntax);
    let text = format!("{}{new}{}", &text[..place.start], &text[place.end..]);
    check(&text[start..], syntax).unwrap_or_else(|problem| panic!("{value} -> {new}: {problem}"));
    text
}

/// Where the syntax begins: behind the first line if that is something else, such as a hash of the rest.
fn body(text: &str, syntax: Syntax) -> usize {
    let second = text.find('\n').map_or(0, |end| end + 1);
    let valid = [0, second].into_iter().find(|&start| check(&text[start..], syntax).is_ok());
    valid.unwrap_or_else(|| panic!("this is no {syntax:?}: {}", text.lines().next().unwrap_or_default()))
}

fn check(text: &str, syntax: Syntax) -> Result<(), String> {
    let json = |text: &str| serde_json::from_str::<Value>(text).map(drop).map_err(|e| e.to_string());
    match syntax {
        Syntax::Json => json(text),
        Syntax::JsonLines => text.lines().try_for_each(json),
        Syntax::Toml => toml::from_str::<toml::Table>(text).map(drop).map_err(|e| e.to_string()),
    }
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    at + bytes[at..].iter().take_while(|&&byte| byte != b'\n').count()
}

/// Behind the closing quotes of the string that begins here.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let quotes: &[u8] = if bytes[start..].starts_with(b"\"\"\"") { b"\"\"\"" } else { b"\"" };
    let mut at = start + quotes.len();
    while at < bytes.len() && !bytes[at..].starts_with(quotes) {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + quotes.len()).min(bytes.len())
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+' | b'.')
}

/// Whether what ends here is a key.
fn is_key(bytes: &[u8], end: usize) -> bool {
    let next = bytes[end..].iter().find(|byte| !matches!(byte, b' ' | b'\t'));
    matches!(next, Some(b':' | b'=' | b'.'))
}

/// Another character in the middle of the string, or one in an empty string.
fn other_string(quoted: &str) -> String {
    let bytes = quoted.as_bytes();
    let middle = bytes.len() / 2;
    // What follows a backslash means something else.
    let free = |at: &usize| bytes[*at].is_ascii_alphanumeric() && !bytes[at.saturating_sub(5)..*at].contains(&b'\\');
    let Some(at) = (middle..bytes.len()).chain((0..middle).rev()).find(free) else {
        return format!("{}x{}", &quoted[..1], &quoted[1..]);
    };
    let new = match bytes[at] {
        b'9' => b'0',
        // Stays a digit of a hash.
        b'f' => b'a',
        b'z' | b'Z' => bytes[at] - 1,
        other => other + 1,
    };
    format!("{}{}{}", &quoted[..at], char::from(new), &quoted[at + 1..])
}

#[test]
fn every_value_is_found_and_no_key() {
    let check = |text: &str, syntax: Syntax, expected: &[&str]| {
        let found: Vec<String> = values(text, syntax).iter().map(|place| changed(text, place, syntax)).collect();
        assert_eq!(found, expected, "{text}");
    };
    check(
        r#"{"a": 1, "b": ["x", true]}"#,
        Syntax::Json,
        &[r#"{"a": 2, "b": ["x", true]}"#, r#"{"a": 1, "b": ["y", true]}"#, r#"{"a": 1, "b": ["x", false]}"#],
    );
    check("# seal 12\n[a.b]\nc = -0.5 # 7\n", Syntax::Toml, &["# seal 12\n[a.b]\nc = 0.5 # 7\n"]);
    check("d = { e = \"\\n9\" }\n", Syntax::Toml, &["d = { e = \"x\\n9\" }\n"]);
    check(
        "f = [\n    \"a=b\",\n]\n12 = false",
        Syntax::Toml,
        &["f = [\n    \"a=c\",\n]\n12 = false", "f = [\n    \"a=b\",\n]\n12 = true"],
    );
    check("b4f5\n{\"a\":1}\n", Syntax::Json, &["b4f5\n{\"a\":2}\n"]);
    check("{\"a\":1}\n{\"a\":\"\"}\n", Syntax::JsonLines, &["{\"a\":2}\n{\"a\":\"\"}\n", "{\"a\":1}\n{\"a\":\"x\"}\n"]);
}
