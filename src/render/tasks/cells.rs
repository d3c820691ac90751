//! Cells and rows of CSV files that people open in a spreadsheet.

use std::borrow::Cow;

/// A cell that a spreadsheet does not read as a formula (OWASP, "CSV injection").
pub(super) fn cell(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

/// Rows as CSV (RFC 4180, line feeds).
pub(super) fn rows_as_csv<'a>(rows: impl IntoIterator<Item = Vec<Cow<'a, str>>>) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    for row in rows {
        // This cannot fail: it writes into memory, and all rows have the same number of cells.
        let _ = writer.write_record(row.iter().map(|cell| cell.as_ref()));
    }
    writer.into_inner().unwrap_or_default()
}
