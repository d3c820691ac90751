//! The rows of a table of answers, one by one.
//!
//! Holds always: a quotation mark that is never closed costs its own line alone. A cell may have several lines, but the
//! row must then have as many cells as the header; otherwise the mark is a mistake, and what follows it are rows. What
//! can be read both ways costs all of its lines: a remark of one person must not become the answers of another.

use csv::StringRecord;

use crate::input::Delimited;

/// The most lines of one row: cells with texts have a few.
const MOST_LINES: usize = 100;

/// A row of the table with the number of its first line in the file, from 1; or what is wrong with it.
pub(super) type Row = (u64, Result<StringRecord, String>);

/// The header, and the rows that are not empty.
pub(super) fn read(table: &Delimited) -> (StringRecord, Vec<Row>) {
    // Some programs for the Macintosh end lines as it did in 1984.
    let text = table.text();
    let end = if text.contains('\n') { '\n' } else { '\r' };
    let mut lines = Lines { rest: Some(text), end };
    let mut header = None;
    let mut rows = Vec::new();
    let mut number = table.lines_before + 1;
    while lines.rest.is_some() {
        let cells = header.as_ref().map(StringRecord::len);
        let (row, reading) = row_lines(lines.clone(), table.delimiter, cells);
        if !row.iter().all(|line| line.trim().is_empty()) {
            match (&header, reading) {
                (None, _) => header = Some(record(&row, table.delimiter)),
                (Some(_), Reading::Row) => rows.push((number, Ok(record(&row, table.delimiter)))),
                (Some(_), Reading::Open) => rows.push((number, Err(bad(number, "a quotation mark is not closed")))),
                (Some(_), Reading::Both) => {
                    let problem = "it is part of one cell, or a row of its own; quote it again";
                    rows.extend((number..).zip(&row).map(|(number, _)| (number, Err(bad(number, problem)))));
                }
            }
        }
        number += row.len() as u64;
        lines.by_ref().take(row.len()).for_each(drop);
    }
    (header.unwrap_or_default(), rows)
}

/// The lines of a text, without what ends them.
#[derive(Clone)]
struct Lines<'a> {
    rest: Option<&'a str>,
    end: char,
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let text = self.rest?;
        let (line, rest) = text.split_once(self.end).map_or((text, None), |(line, rest)| (line, Some(rest)));
        self.rest = rest;
        Some(line.strip_suffix('\r').unwrap_or(line))
    }
}

fn bad(number: u64, problem: &str) -> String {
    format!("line {number}: {problem}")
}

/// What lines are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// One row.
    Row,
    /// The beginning of something in which a quotation mark is not closed.
    Open,
    /// One row with a cell of several lines, or several rows with marks that are mistakes.
    Both,
}

/// The lines of the row at the beginning of `lines`; its first line alone if a quotation mark in it is not closed.
/// `cells`: of the header.
fn row_lines<'a>(lines: Lines<'a>, delimiter: u8, cells: Option<usize>) -> (Vec<&'a str>, Reading) {
    let mut state = State::Start;
    let mut is_clean = true;
    let mut row = Vec::new();
    for line in lines.take(MOST_LINES) {
        row.push(line);
        (state, is_clean) = state.after(line, delimiter, is_clean);
        if state != State::Quoted {
            let has_cells = cells.is_none_or(|cells| record(&row, delimiter).len() == cells);
            if row.len() == 1 || (is_clean && has_cells && !are_rows(&row[1..], delimiter, cells)) {
                return (row, Reading::Row);
            }
            if is_clean && has_cells {
                return (row, Reading::Both);
            }
            break;
        }
    }
    row.truncate(1);
    (row, Reading::Open)
}

/// Whether each of these lines has the cells of a row; with two columns any text with a comma would.
fn are_rows(lines: &[&str], delimiter: u8, cells: Option<usize>) -> bool {
    cells.is_some_and(|cells| cells > 2 && lines.iter().all(|line| record(&[line], delimiter).len() == cells))
}

/// One row, of which every quotation mark is closed or literal.
fn record(lines: &[&str], delimiter: u8) -> StringRecord {
    let text = lines.join("\n");
    let mut reader = csv::ReaderBuilder::new();
    // A lost `\r` inside a row ends no row, or what follows it would vanish.
    let reader = reader.delimiter(delimiter).terminator(csv::Terminator::Any(b'\n')).has_headers(false).flexible(true);
    reader.from_reader(text.as_bytes()).into_records().next().and_then(Result::ok).unwrap_or_default()
}

/// Where a reader of CSV (RFC 4180) is at the end of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// At the start of a cell.
    Start,
    /// In a cell, where quotation marks are letters.
    Plain,
    /// Between quotation marks.
    Quoted,
}

impl State {
    /// The state after another line; and whether every mark so far that closes a cell is the end of that cell.
    fn after(self, line: &str, delimiter: u8, mut is_clean: bool) -> (Self, bool) {
        let mut state = self;
        let mut bytes = line.bytes().peekable();
        while let Some(byte) = bytes.next() {
            state = match (state, byte) {
                (Self::Start, b'"') => Self::Quoted,
                (Self::Quoted, b'"') if bytes.peek() == Some(&b'"') => {
                    bytes.next();
                    Self::Quoted
                }
                (Self::Quoted, b'"') => {
                    is_clean &= bytes.peek().is_none_or(|next| *next == delimiter);
                    Self::Plain
                }
                (Self::Quoted, _) => Self::Quoted,
                (_, byte) if byte == delimiter => Self::Start,
                _ => Self::Plain,
            };
        }
        (state, is_clean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows as cells joined by `|`, or `!` and what is wrong.
    fn check(text: &str, expected: &[&str]) {
        let table = Delimited::new(text.as_bytes()).unwrap();
        let (_, rows) = read(&table);
        let mut shown = Vec::new();
        for (_, row) in &rows {
            shown.push(match row {
                Ok(row) => row.iter().collect::<Vec<_>>().join("|"),
                Err(problem) => format!("! {problem}"),
            });
        }
        assert_eq!(shown, expected, "{text}");
    }

    #[test]
    fn cells_may_have_several_lines_and_quotation_marks() {
        check("a,b\n1,\"x\ny \"\"z\"\"\"\n\n2,q\"q\r\n", &["1|x\ny \"z\"", "2|q\"q"]);
        check("a;b\n\"1;2\";3\n", &["1;2|3"]);
        check("a,b\n1\n1,2,3\n", &["1", "1|2|3"]);
        check("a,b\r1,\"x\ry\"\r\r2,z", &["1|x\ny", "2|z"]);
        check("a,b\n1,x\r2,y\n3,z\n", &["1|x\r2|y", "3|z"]);
    }

    #[test]
    fn a_mark_that_is_not_closed_costs_its_line() {
        check("a,b\n1,\"x\n2,y\n3,z\n", &["! line 2: a quotation mark is not closed", "2|y", "3|z"]);
        // The next mark is the beginning of another cell.
        check("a,b\n1,\"x\n2,y\n3,\"z\"\n4,w\n", &["! line 2: a quotation mark is not closed", "2|y", "3|z", "4|w"]);
        // Two marks that are not closed, or a remark of three lines: nobody can tell.
        let pair = ["1,b,\"x", "2,b,y", "3,b,z\""];
        let both = |line: u32| format!("! line {line}: it is part of one cell, or a row of its own; quote it again");
        let expected = [both(2), both(3), both(4), "4|b|w".to_owned()];
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        check(&format!("a,b,c\n{}\n4,b,w\n", pair.join("\n")), &expected);
        check("sep=;\na;b\n\"1;x\n2;y", &["! line 3: a quotation mark is not closed", "2|y"]);
        let long = format!("a,b\n1,\"x\n{}", "2,y\n".repeat(5000));
        let (_, rows) = read(&Delimited::new(long.as_bytes()).unwrap());
        assert_eq!(rows.iter().filter(|(_, row)| row.is_ok()).count(), 5000);
    }
}
