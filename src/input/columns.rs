//! Columns of a large table in blocks of rows, whatever kind of file they come from.
//!
//! Does not know what a column is for. Holds always: a number that is missing or cannot be read is NaN, and a text that
//! is missing is empty, because a cell costs its own row and nothing else.

/// A column that a file has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnInfo {
    /// Its name.
    pub name: String,
    /// Whether its cells are lists.
    pub is_list: bool,
}

/// What a column is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellKind {
    /// Texts; numbers as their digits.
    Text,
    /// Numbers.
    Number,
    /// Lists of texts.
    Texts,
    /// Lists of numbers.
    Numbers,
}

/// The cells of one column in one block.
#[derive(Debug, Clone, PartialEq)]
pub enum Cells {
    /// See [`CellKind::Text`].
    Text(Vec<String>),
    /// See [`CellKind::Number`].
    Number(Vec<f32>),
    /// See [`CellKind::Texts`].
    Texts(Vec<Vec<String>>),
    /// See [`CellKind::Numbers`].
    Numbers(Vec<Vec<f32>>),
}

impl Cells {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(cells) => cells.len(),
            Self::Number(cells) => cells.len(),
            Self::Texts(cells) => cells.len(),
            Self::Numbers(cells) => cells.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A path as it is compared: `/` between parts, without parts that change nothing, letters with accents in one part
/// (Unicode NFC). Letters in capitals stay.
pub fn comparable_path(path: &str) -> String {
    use unicode_normalization::{UnicodeNormalization, is_nfc};
    let plain = !path.contains(['\\', '.']) && !path.contains("//") && !path.ends_with('/');
    if plain && is_nfc(path) {
        return path.to_owned();
    }
    let path: String = path.nfc().map(|letter| if letter == '\\' { '/' } else { letter }).collect();
    let start = if path.starts_with('/') { "/" } else { "" };
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    format!("{start}{}", parts.join("/"))
}
