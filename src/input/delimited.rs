//! Tables as spreadsheets and people save them -> text and the character between cells.
//!
//! UTF-8 with or without a byte order mark, and UTF-16 (what Excel calls "Unicode text"); commas, semicolons, tabs, and
//! the line `sep=;` with which some programs say which. Knows no column: whoever wants some looks for them.
//! Holds always: text is never changed where it is unclear, because a path or a name with a wrong letter is another
//! one; line numbers are those of the file.

use std::borrow::Cow;

/// What may be between cells; the first of equals.
const DELIMITERS: [u8; 3] = [b',', b'\t', b';'];

/// A table that has not been split into cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delimited<'a> {
    text: Cow<'a, str>,
    /// Between cells.
    pub delimiter: u8,
    /// Lines of the file before the text.
    pub lines_before: u64,
}

/// Why bytes are not text; the caller says where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotText {
    /// Neither UTF-8 nor marked as UTF-16.
    #[error("the text is not UTF-8; save the file as \"CSV UTF-8\"")]
    Utf8 {
        /// From 1.
        line: u64,
    },
    /// UTF-16 with half a character.
    #[error("the text is not UTF-16 as the file's first bytes say; save the file as \"CSV UTF-8\"")]
    Utf16 {
        /// From 1.
        line: u64,
    },
}

impl NotText {
    /// The line, from 1.
    pub fn line(self) -> u64 {
        match self {
            Self::Utf8 { line } | Self::Utf16 { line } => line,
        }
    }
}

impl<'a> Delimited<'a> {
    /// Reads the bytes of a file.
    pub fn new(bytes: &'a [u8]) -> Result<Self, NotText> {
        let text = text(bytes)?;
        let mut lines = text.split(['\n', '\r']);
        let first = lines.next().unwrap_or_default();
        let Some(delimiter) = stated(first) else {
            let header = [first].into_iter().chain(lines).find(|line| !line.trim().is_empty());
            return Ok(Self { delimiter: delimiter(header.unwrap_or_default()), text, lines_before: 0 });
        };
        let after = text.find('\n').map_or(text.len(), |end| end + 1);
        let text = match text {
            Cow::Borrowed(text) => Cow::Borrowed(&text[after..]),
            Cow::Owned(text) => Cow::Owned(text[after..].to_owned()),
        };
        Ok(Self { text, delimiter, lines_before: 1 })
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Reads its rows; the first one is the header's. Rows may be shorter or longer than the header.
    pub fn reader(&self) -> csv::Reader<&[u8]> {
        csv::ReaderBuilder::new()
            .delimiter(self.delimiter)
            .has_headers(false)
            .flexible(true)
            .from_reader(self.text.as_bytes())
    }
}

/// What people mean by a cell: without blanks around it, and without quotes that follow a blank.
pub fn cell(cell: &str) -> &str {
    let blank = |letter: char| letter.is_whitespace() || letter == '\u{feff}' || letter == '\u{200b}';
    let trimmed = cell.trim_matches(blank);
    let unquoted = trimmed.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    unquoted.map_or(trimmed, |inner| inner.trim_matches(blank))
}

/// The delimiter that the line `sep=;` states, in quotes or not.
fn stated(line: &str) -> Option<u8> {
    let line = line.trim_matches(['"', ' ']);
    let is_stated = line.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("sep="));
    let stated = if is_stated { line.as_bytes().get(4) } else { None };
    stated.copied().filter(|byte| *byte == b'\t' || byte.is_ascii_punctuation() && *byte != b'"')
}

/// The text of bytes, with a mark for every letter that cannot be read.
pub fn text_with_gaps(bytes: &[u8]) -> Cow<'_, str> {
    match encoding(bytes) {
        Encoding::Utf16(bytes, unit) => Cow::Owned(String::from_utf16_lossy(&units(bytes, unit))),
        Encoding::Utf8(bytes) => String::from_utf8_lossy(bytes),
    }
}

/// The text of bytes in UTF-8 or UTF-16, without a byte order mark.
fn text(bytes: &[u8]) -> Result<Cow<'_, str>, NotText> {
    match encoding(bytes) {
        Encoding::Utf16(bytes, unit) => utf_16(bytes, unit).map(Cow::Owned),
        Encoding::Utf8(bytes) => {
            let line = |at: usize| 1 + bytes[..at].iter().filter(|&&byte| byte == b'\n').count() as u64;
            let text = std::str::from_utf8(bytes).map_err(|e| NotText::Utf8 { line: line(e.valid_up_to()) })?;
            Ok(Cow::Borrowed(text))
        }
    }
}

/// Bytes without a byte order mark, and how two of them are a unit of UTF-16.
enum Encoding<'a> {
    Utf8(&'a [u8]),
    Utf16(&'a [u8], fn([u8; 2]) -> u16),
}

fn encoding(bytes: &[u8]) -> Encoding<'_> {
    match bytes {
        [0xff, 0xfe, rest @ ..] => Encoding::Utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => Encoding::Utf16(rest, u16::from_be_bytes),
        // Some programs leave the mark out; a table's first two characters are Latin, its bytes then every other 0.
        [1..=255, 0, 1..=255, 0, ..] => Encoding::Utf16(bytes, u16::from_le_bytes),
        [0, 1..=255, 0, 1..=255, ..] => Encoding::Utf16(bytes, u16::from_be_bytes),
        _ => Encoding::Utf8(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)),
    }
}

fn units(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Vec<u16> {
    bytes.as_chunks::<2>().0.iter().map(|&pair| unit(pair)).collect()
}

fn utf_16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, NotText> {
    let mut text = String::with_capacity(bytes.len() / 2);
    for letter in char::decode_utf16(units(bytes, unit)) {
        match letter {
            Ok(letter) => text.push(letter),
            Err(_) => return Err(NotText::Utf16 { line: lines(&text) }),
        }
    }
    if bytes.len().is_multiple_of(2) { Ok(text) } else { Err(NotText::Utf16 { line: lines(&text) }) }
}

/// The number of a text's last line.
fn lines(text: &str) -> u64 {
    1 + text.matches('\n').count() as u64
}

/// The delimiter that a header has most of, outside quotes.
fn delimiter(header: &str) -> u8 {
    let mut counts = [0; DELIMITERS.len()];
    let mut is_quoted = false;
    for byte in header.bytes() {
        is_quoted ^= byte == b'"';
        if let Some(at) = DELIMITERS.iter().position(|&delimiter| delimiter == byte && !is_quoted) {
            counts[at] += 1;
        }
    }
    let most = counts.iter().max().copied().unwrap_or(0);
    DELIMITERS[counts.iter().position(|&count| count == most).unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: [[&str; 2]; 2] = [["path", "label"], ["b/é 猫.jpg", "n01443537"]];

    /// The rows of a file, or why it has none.
    fn check(bytes: &[u8], expected: Result<&[[&str; 2]], &str>) {
        let found = Delimited::new(bytes).map_err(|e| format!("line {}: {e}", e.line())).map(|table| {
            let rows = table.reader().into_records().map(|row| row.unwrap());
            rows.map(|row| row.iter().map(|found| cell(found).to_owned()).collect::<Vec<_>>()).collect::<Vec<_>>()
        });
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected),
            (Err(found), Err(part)) => assert!(found.contains(part), "{found}"),
            (found, expected) => panic!("{found:?} instead of {expected:?}"),
        }
    }

    fn lines(delimiter: &str) -> String {
        ROWS.map(|row| row.join(delimiter)).join("\r\n")
    }

    #[test]
    fn all_ways_of_saving_a_table_give_its_cells() {
        for text in [lines(","), lines(";"), lines("\t"), lines(" ;  "), format!("sep=;\r\n{}", lines(";"))] {
            check(text.as_bytes(), Ok(&ROWS));
            check(format!("\u{feff}{text}").as_bytes(), Ok(&ROWS));
            let wide = |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
            check(&[&[0xff, 0xfe][..], &wide(u16::to_le_bytes)].concat(), Ok(&ROWS));
            check(&[&[0xfe, 0xff][..], &wide(u16::to_be_bytes)].concat(), Ok(&ROWS));
            check(&wide(u16::to_le_bytes), Ok(&ROWS));
            check(&wide(u16::to_be_bytes), Ok(&ROWS));
        }
    }

    #[test]
    fn a_line_may_state_the_delimiter_and_blank_lines_may_come_first() {
        for start in ["sep=;\n", "\"sep=;\"\r\n", "SEP=; \n", "\n", "\r\n \r\n"] {
            let table = format!("{start}path;label\nb/é 猫.jpg;n01443537");
            let found = Delimited::new(table.as_bytes()).unwrap();
            assert_eq!(found.delimiter, b';', "{start:?}");
        }
        assert_eq!(Delimited::new(b"sep=\t\na\tb").unwrap().delimiter, b'\t');
        assert_eq!(Delimited::new("sep=é\na,b".as_bytes()).unwrap().delimiter, b',', "no delimiter has two bytes");
    }

    #[test]
    fn text_with_gaps_keeps_all_that_can_be_read() {
        assert_eq!(text_with_gaps(b"\xef\xbb\xbfa\xe9b"), "a\u{fffd}b");
        assert_eq!(text_with_gaps(b"\xff\xfea\0\x00\xd8b\0c"), "a\u{fffd}b");
    }

    #[test]
    fn delimiters_inside_quotes_do_not_count_and_quotes_after_blanks_are_quotes() {
        check(b"\"path;;; of it\",label\na, \"b\"\n", Ok(&[["path;;; of it", "label"], ["a", "b"]]));
    }

    #[test]
    fn what_is_not_text_is_named_with_its_line() {
        check(b"path,label\nb/\xe9.jpg,x\n", Err("line 2: the text is not UTF-8"));
        check(b"\xff\xfep\0a\0\n\0\x00\xd8a\0", Err("line 2: the text is not UTF-16"));
        check(b"\xff\xfep\0a\0\n\0a", Err("line 2: the text is not UTF-16"));
    }

    #[test]
    fn nothing_is_a_table_without_rows() {
        check(b"", Ok(&[]));
        check(b"\xef\xbb\xbf", Ok(&[]));
    }
}
