//! The header of a numpy array, and its elements as numbers or texts.

use std::io::Read;

use half::f16;

/// Most bytes of a header.
const HEADER_BYTES: usize = 1 << 16;

/// What an array says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// Type of its elements, or why they cannot be read.
    pub element: Result<Element, String>,
    /// Whether the first axis changes fastest.
    pub is_fortran: bool,
    /// Length of each axis.
    pub shape: Vec<u64>,
}

/// Type of elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// A number.
    Number {
        /// `f`, `i`, `u` or `b`.
        kind: u8,
        /// Its bytes.
        bytes: usize,
        /// Whether the last byte comes first.
        is_little: bool,
    },
    /// Text of a fixed length, padded with zeros.
    Text {
        /// Characters (or bytes).
        length: usize,
        /// Whether a character has four bytes.
        is_unicode: bool,
        /// Whether the last byte of a character comes first.
        is_little: bool,
    },
}

impl Header {
    /// Reads the header at the start of an array.
    pub fn read(bytes: &mut impl Read) -> Result<Self, String> {
        let cut = |error: std::io::Error| format!("cannot be read: {error}");
        let mut start = [0; 8];
        bytes.read_exact(&mut start).map_err(cut)?;
        if &start[..6] != b"\x93NUMPY" {
            return Err("is no array of numpy".to_owned());
        }
        let length = if start[6] == 1 {
            let mut two = [0; 2];
            bytes.read_exact(&mut two).map_err(cut)?;
            usize::from(u16::from_le_bytes(two))
        } else {
            let mut four = [0; 4];
            bytes.read_exact(&mut four).map_err(cut)?;
            u32::from_le_bytes(four) as usize
        };
        if length > HEADER_BYTES {
            return Err(format!("has a header of {length} bytes"));
        }
        let mut text = vec![0; length];
        bytes.read_exact(&mut text).map_err(cut)?;
        Self::parse(&String::from_utf8_lossy(&text))
    }

    /// Reads `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
    fn parse(text: &str) -> Result<Self, String> {
        let after = |key: &str| {
            let (_, rest) = text.split_once(&format!("'{key}':"))?;
            Some(rest.trim_start())
        };
        let wrong = || format!("has a header that cannot be read: {}", text.trim());
        let descr = after("descr").and_then(|rest| rest.strip_prefix('\'')).and_then(|rest| rest.split('\'').next());
        let element = Element::parse(descr.ok_or_else(wrong)?);
        let is_fortran = after("fortran_order").ok_or_else(wrong)?.starts_with("True");
        let shape = after("shape").and_then(|rest| rest.strip_prefix('(')).and_then(|rest| rest.split(')').next());
        let axes = shape.ok_or_else(wrong)?.split(',').map(str::trim).filter(|axis| !axis.is_empty());
        let shape = axes.map(|axis| axis.trim_end_matches('L').parse::<u64>().map_err(|_| wrong()));
        Ok(Self { element, is_fortran, shape: shape.collect::<Result<_, _>>()? })
    }

    /// Elements of a row; `None` if no number holds them.
    pub fn row_length(&self) -> Option<u64> {
        self.shape.iter().skip(1).try_fold(1_u64, |length, axis| length.checked_mul(*axis))
    }
}

impl Element {
    fn parse(descr: &str) -> Result<Self, String> {
        let other = || {
            format!(
                "has elements of type {descr}; save numbers (float16, float32, float64, integers) or texts of a fixed \
                     length (astype(str)), not objects"
            )
        };
        let bytes = descr.as_bytes();
        let (&order, rest) = bytes.split_first().ok_or_else(other)?;
        let (&kind, digits) = rest.split_first().ok_or_else(other)?;
        let size: usize = std::str::from_utf8(digits).ok().and_then(|size| size.parse().ok()).ok_or_else(other)?;
        let is_little = order != b'>';
        match (kind, size) {
            (b'f', 2 | 4 | 8) | (b'i' | b'u', 1 | 2 | 4 | 8) | (b'b', 1) => {
                Ok(Self::Number { kind, bytes: size, is_little })
            }
            (b'U', 0..=65536) => Ok(Self::Text { length: size, is_unicode: true, is_little }),
            (b'S', 0..=65536) => Ok(Self::Text { length: size, is_unicode: false, is_little }),
            _ => Err(other()),
        }
    }

    /// Bytes of an element.
    pub fn bytes(self) -> usize {
        match self {
            Self::Number { bytes, .. } => bytes,
            Self::Text { length, is_unicode, .. } => length * if is_unicode { 4 } else { 1 },
        }
    }

    /// All elements as numbers; texts that are none are NaN.
    pub fn numbers(self, bytes: &[u8]) -> Vec<f32> {
        match self {
            Self::Number { kind, bytes: size, is_little } => {
                bytes.chunks_exact(size).map(|element| number(kind, element, is_little) as f32).collect()
            }
            Self::Text { .. } => self
                .texts(bytes, bytes.len() / self.bytes().max(1))
                .iter()
                .map(|text| text.parse().unwrap_or(f32::NAN))
                .collect(),
        }
    }

    /// All `count` elements as texts; whole numbers as their digits.
    pub fn texts(self, bytes: &[u8], count: usize) -> Vec<String> {
        match self {
            Self::Number { kind, bytes: size, is_little } => {
                bytes.chunks_exact(size).map(|element| number(kind, element, is_little).to_string()).collect()
            }
            Self::Text { length: 0, .. } => vec![String::new(); count],
            Self::Text { is_unicode: false, .. } => {
                let text = |element: &[u8]| String::from_utf8_lossy(element).trim_end_matches('\0').to_owned();
                bytes.chunks_exact(self.bytes()).map(text).collect()
            }
            Self::Text { is_unicode: true, is_little, .. } => {
                bytes.chunks_exact(self.bytes()).map(|element| unicode(element, is_little)).collect()
            }
        }
    }
}

fn unicode(element: &[u8], is_little: bool) -> String {
    let letter = |four: &[u8; 4]| if is_little { u32::from_le_bytes(*four) } else { u32::from_be_bytes(*four) };
    let letters = element.as_chunks::<4>().0.iter().map(letter).take_while(|&letter| letter != 0);
    letters.map(|letter| char::from_u32(letter).unwrap_or('\u{fffd}')).collect()
}

/// The element as a number; integers are exact up to 2^53.
fn number(kind: u8, element: &[u8], is_little: bool) -> f64 {
    let mut word = [0; 8];
    for (at, byte) in element.iter().enumerate() {
        word[if is_little { at } else { element.len() - 1 - at }] = *byte;
    }
    let bits = u64::from_le_bytes(word);
    let unused = 64 - 8 * element.len() as u32;
    match (kind, element.len()) {
        (b'f', 2) => f16::from_bits(bits as u16).to_f64(),
        (b'f', 4) => f64::from(f32::from_bits(bits as u32)),
        (b'f', _) => f64::from_bits(bits),
        (b'i', _) => ((bits << unused) as i64 >> unused) as f64,
        _ => bits as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_numpy_writes_them() {
        let header = Header::parse("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }   \n").unwrap();
        assert_eq!((header.shape.clone(), header.is_fortran, header.row_length()), (vec![3, 4], false, Some(4)));
        let header = Header::parse("{'descr': '|S12', 'fortran_order': True, 'shape': (7,), }").unwrap();
        assert_eq!((header.shape, header.is_fortran, header.element.unwrap().bytes()), (vec![7], true, 12));
        let objects = Header::parse("{'descr': '|O', 'fortran_order': False, 'shape': (3,), }").unwrap();
        assert!(objects.element.is_err() && objects.shape == [3]);
        for wrong in ["", "{'descr': '<f4'}"] {
            assert!(Header::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn elements_of_all_types_become_numbers_and_texts() {
        let of = |descr: &str, bytes: &[u8]| Element::parse(descr).unwrap().numbers(bytes);
        assert_eq!(of("<f4", &1.5_f32.to_le_bytes()), [1.5]);
        assert_eq!(of(">f8", &(-2.5_f64).to_be_bytes()), [-2.5]);
        assert_eq!(of("<f2", &f16::from_f32(0.25).to_le_bytes()), [0.25]);
        assert_eq!(of("<i2", &(-3_i16).to_le_bytes()), [-3.0]);
        assert_eq!(of("|u1", &[200, 1]), [200.0, 1.0]);
        let texts = |descr: &str, bytes: &[u8]| {
            let element = Element::parse(descr).unwrap();
            element.texts(bytes, bytes.len() / element.bytes().max(1))
        };
        assert_eq!(texts("<i8", &16_777_217_i64.to_le_bytes()), ["16777217"]);
        assert_eq!(texts("|S3", b"ab\0abc"), ["ab", "abc"]);
        let unicode: Vec<u8> = ['\u{e9}', '\0'].iter().flat_map(|&letter| (letter as u32).to_le_bytes()).collect();
        assert_eq!(texts("<U2", &unicode), ["\u{e9}"]);
    }
}
