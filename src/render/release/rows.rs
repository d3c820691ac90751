//! The rows of the data files in the texts of other forms: JSON of their columns, a sample of WebDataset.
//!
//! Does not read rows: whoever writes a release has them from its run, whoever checks one from its data files. Holds
//! always: the same cells give the same bytes, because the forms of a release are compared with its data files.

use serde_json::{Map, Number, Value};

use crate::domain::{Cell, ColumnFacts, ColumnKind};

/// The columns of a row but the image, with their values as JSON.
pub fn json_columns<'a>(row: impl Iterator<Item = (&'a ColumnFacts, &'a Cell)>) -> Vec<(String, Value)> {
    let columns = row.filter(|(column, _)| column.kind != ColumnKind::Image);
    columns.map(|(column, cell)| (column.name.clone(), json(cell))).collect()
}

/// A cell as JSON. 64-bit seeds become text, because most readers of JSON cannot represent them.
fn json(cell: &Cell) -> Value {
    let number = |number: f64| Number::from_f64(number).map_or(Value::Null, Value::Number);
    match cell {
        Cell::Null | Cell::Image(..) => Value::Null,
        Cell::Text(text) => text.as_str().into(),
        Cell::Bool(flag) => (*flag).into(),
        Cell::Int32(n) => (*n).into(),
        Cell::Int64(n) => (*n).into(),
        Cell::UInt32(n) => (*n).into(),
        Cell::UInt64(n) => n.to_string().into(),
        Cell::Float32(n) => number(shortest(*n)),
        Cell::Float64(n) => number(*n),
        Cell::TextList(list) => list.clone().into(),
        Cell::Int32List(list) => list.clone().into(),
        Cell::Float32List(list) => list.iter().map(|n| number(shortest(*n))).collect(),
    }
}

/// The double with the shortest text of the float: 0.1, not 0.10000000149011612.
fn shortest(number: f32) -> f64 {
    number.to_string().parse().unwrap_or_else(|_| f64::from(number))
}

/// The members of a sample of WebDataset beside its image `file`, each with its name: the label, and the columns.
pub fn sample_texts(file: &str, label: usize, columns: &[(String, Value)]) -> [(String, Vec<u8>); 2] {
    let json: Map<String, Value> = columns.iter().cloned().collect();
    [
        (format!("{}.cls", stem(file)), label.to_string().into_bytes()),
        (format!("{}.json", stem(file)), Value::Object(json).to_string().into_bytes()),
    ]
}

/// A file's name without its extension.
pub fn stem(file: &str) -> &str {
    file.rsplit_once('.').map_or(file, |(stem, _)| stem)
}
