//! Single numbers of a safetensors file, found by name; the rest of the file is not read.
//!
//! Format: safetensors, "Format": eight bytes of length, a JSON of names, then the numbers.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use serde_json::Value;

use crate::input;

/// The number of the tensor whose name ends in `name` and that has one number; `None` if there is none to be read.
pub fn scalar(path: &Path, name: &str) -> Option<f64> {
    let mut file = input::open(path).ok()?;
    let mut length = [0; 8];
    file.read_exact(&mut length).ok()?;
    let length = u64::from_le_bytes(length);
    if length > input::JSON_BYTES {
        return None;
    }
    let mut header = vec![0; length as usize];
    file.read_exact(&mut header).ok()?;
    let header: Value = serde_json::from_slice(&header).ok()?;
    let is_named = |key: &str| key == name || key.ends_with(&format!(".{name}"));
    let (_, about) = header.as_object()?.iter().find(|(key, _)| is_named(key))?;
    let start = about.get("data_offsets")?.get(0)?.as_u64()?;
    let at = start.checked_add(8)?.checked_add(length)?;
    read_number(&mut file, at, about.get("dtype")?.as_str()?).filter(|number| number.is_finite())
}

fn read_number(file: &mut File, at: u64, dtype: &str) -> Option<f64> {
    file.seek(SeekFrom::Start(at)).ok()?;
    let mut bytes = [0; 8];
    let mut take = |count: usize| file.read_exact(&mut bytes[..count]).ok().map(|()| bytes);
    match dtype {
        "F64" => take(8).map(f64::from_le_bytes),
        "F32" => take(4).map(|[a, b, c, d, ..]| f32::from_le_bytes([a, b, c, d]).into()),
        "F16" => take(2).map(|[a, b, ..]| half(u16::from_le_bytes([a, b]))),
        "BF16" => take(2).map(|[a, b, ..]| f32::from_le_bytes([0, 0, a, b]).into()),
        _ => None,
    }
}

/// The value of a 16-bit float of IEEE 754: a sign, five bits of exponent, ten of fraction.
fn half(bits: u16) -> f64 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023) / 1024.0);
    let value = match exponent {
        0 => fraction * 2_f64.powi(-14),
        31 => f64::NAN,
        exponent => (1.0 + fraction) * 2_f64.powi(exponent - 15),
    };
    if bits >> 15 == 1 { -value } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_read() {
        assert_eq!([0x3c00, 0xc000, 0x449a, 0x0001].map(half), [1.0, -2.0, 4.6015625, 2_f64.powi(-24)]);
    }

    #[test]
    fn one_number_is_read_from_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.safetensors");
        let header = r#"{"__metadata__":{},"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},
            "model.logit_scale":{"dtype":"F32","shape":[],"data_offsets":[4,8]}}"#;
        let numbers = [7.5_f32, 4.605].map(f32::to_le_bytes).concat();
        let file = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &numbers].concat();
        std::fs::write(&path, &file).unwrap();
        assert_eq!(scalar(&path, "logit_scale"), Some(f64::from(4.605_f32)));
        assert_eq!(scalar(&path, "scale"), None);
        for cut in [3, 20, file.len() - 1] {
            std::fs::write(&path, &file[..cut]).unwrap();
            assert_eq!(scalar(&path, "logit_scale"), None);
        }
        std::fs::write(&path, [0xff; 64]).unwrap();
        assert_eq!(scalar(&path, "logit_scale"), None);
    }
}
