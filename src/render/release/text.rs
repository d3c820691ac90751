//! How data is written inside Markdown, YAML and JSON, so that it stays data.
//!
//! Does not decide what is written. Holds always: no text ends the value that it is in, starts a block or a link, acts
//! as markup, or turns the direction of the text after it; YAML and JSON give back exactly what went in.

use serde::Serialize;

use crate::domain::{is_date, is_web_address};

/// Whether a character is invisible: a control, a mark of direction, a tag or a non-character.
///
/// Joiners (U+200C, U+200D) do not count as invisible, because Persian and Indic names and emoji need them.
pub fn is_invisible(c: char) -> bool {
    let is_format = matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{feff}');
    let is_mark = matches!(c, '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}');
    let is_other = matches!(c, '\u{fffe}' | '\u{ffff}' | '\u{e0000}'..='\u{e007f}');
    c.is_control() || is_format || is_mark || is_other
}

/// The text on one line: white space as single spaces, invisible characters as `[U+202E]`.
pub fn visible(text: &str) -> String {
    let words: Vec<String> = text.split(char::is_whitespace).filter(|word| !word.is_empty()).map(shown).collect();
    words.join(" ")
}

fn shown(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    for c in word.chars() {
        if is_invisible(c) {
            out.push_str(&format!("[U+{:04X}]", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    out
}

/// Text for a paragraph, a list or a cell of GitHub's Markdown: no markup, no link, one line.
pub fn markdown(text: &str) -> String {
    let shown: Vec<char> = visible(text).chars().collect();
    let mut out = String::with_capacity(shown.len() + 8);
    for (at, &c) in shown.iter().enumerate() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            // A backslash is not enough inside a table.
            '|' => out.push_str("&#124;"),
            c => {
                if is_markup(&shown, at) {
                    out.push('\\');
                }
                out.push(c);
            }
        }
    }
    out
}

/// Whether the character at `at` could act as markup at that position.
fn is_markup(text: &[char], at: usize) -> bool {
    let (before, after) = (&text[..at], text.get(at + 1).copied());
    let in_word = before.last().is_some_and(|c| c.is_alphanumeric()) && after.is_some_and(char::is_alphanumeric);
    match text[at] {
        '\\' | '`' | '*' | '[' | ']' | '~' | '$' | '#' | '@' => true,
        '_' => !in_word,
        // Bare addresses become links automatically.
        ':' => after.is_some_and(|c| !c.is_whitespace()),
        '.' if after.is_some_and(char::is_alphabetic) => true,
        // A number or a sign at the start of a line could begin a list or underline a heading.
        '.' | ')' => at > 0 && before.iter().all(char::is_ascii_digit) && after.is_none_or(char::is_whitespace),
        '-' | '+' | '=' => at == 0,
        _ => false,
    }
}

/// An id, a hash or a path as a code span, or as plain [`markdown`] if it contains a character that could end the span.
pub fn code(text: &str) -> String {
    let shown = visible(text);
    if shown.is_empty() || shown.contains(['`', '|', '\\']) { markdown(text) } else { format!("`{shown}`") }
}

/// A row of a table in GitHub's Markdown; the cells are already Markdown.
pub fn row(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

/// The first lines of a table; columns whose name ends in `#` hold numbers.
pub fn table_head(columns: &[&str]) -> String {
    let names: Vec<String> = columns.iter().map(|column| column.trim_end_matches('#').to_owned()).collect();
    let rules: Vec<String> =
        columns.iter().map(|column| if column.ends_with('#') { "--:" } else { "---" }.to_owned()).collect();
    row(&names) + &row(&rules)
}

/// A scalar of YAML in double quotes: on one line, printable, with the same meaning in YAML 1.1 and 1.2.
pub fn yaml(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match (c, u32::from(c)) {
            ('"' | '\\', _) => out.extend(['\\', c]),
            ('\n', _) => out.push_str("\\n"),
            (c, code) if is_invisible(c) => out.push_str(&match code {
                0..=0xff => format!("\\x{code:02x}"),
                0x100..=0xffff => format!("\\u{code:04x}"),
                _ => format!("\\U{code:08x}"),
            }),
            (c, _) => out.push(c),
        }
    }
    out.push('"');
    out
}

/// JSON in ASCII only, for readers that use the machine's own encoding or break lines at U+2028.
pub fn ascii(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let mut units = [0; 2];
    for c in json.chars() {
        if c.is_ascii() && c != '\u{7f}' {
            out.push(c);
            continue;
        }
        // Beyond ASCII, characters are in strings only, where an escape may replace them.
        for unit in c.encode_utf16(&mut units) {
            out.push_str(&format!("\\u{unit:04x}"));
        }
    }
    out
}

/// A whole JSON document, indented.
pub fn json_document(value: &impl Serialize) -> Vec<u8> {
    // This cannot fail: it writes into memory, and all keys are text.
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    (ascii(&text) + "\n").into_bytes()
}

/// The date if it is valid: `YYYY-MM-DD` in the Gregorian calendar.
pub fn iso_date(date: Option<&str>) -> Option<&str> {
    date.filter(|date| is_date(date))
}

/// The address if it is `http` or `https` and has no characters that would end a link or a field.
pub fn web_url(url: Option<&str>) -> Option<&str> {
    url.map(str::trim).filter(|url| is_web_address(url))
}

/// The texts that are not empty, each once, in their order.
pub fn distinct(texts: &[String]) -> Vec<&str> {
    let mut kept: Vec<&str> = Vec::new();
    for text in texts.iter().map(|text| text.trim()) {
        if !text.is_empty() && !kept.contains(&text) {
            kept.push(text);
        }
    }
    kept
}
