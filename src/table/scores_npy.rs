//! `predictions/<target>/NNN/NNNNNN.HASH.npy`: the probabilities of all classes, one row for each prediction of the
//! shard, as an array of numpy: `[images, classes]` f32.
//!
//! Source of the format: numpy, `numpy/lib/format.py`, version 1.0.

const MAGIC: &[u8] = b"\x93NUMPY\x01\x00";
/// Headers are padded to a multiple of this.
const ALIGN: usize = 64;

/// The rows as bytes; each has `classes` numbers.
pub fn encode<'a>(classes: usize, rows: impl Iterator<Item = &'a Vec<f32>>) -> Vec<u8> {
    let mut numbers = Vec::new();
    let mut images = 0;
    for row in rows {
        images += 1;
        row.iter().for_each(|number| numbers.extend(number.to_le_bytes()));
    }
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({images}, {classes}), }}");
    let begins = MAGIC.len() + 2;
    let length = (begins + header.len() + 1).next_multiple_of(ALIGN) - begins;
    let mut bytes = Vec::with_capacity(begins + length + numbers.len());
    bytes.extend(MAGIC);
    bytes.extend((length as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.resize(begins + length - 1, b' ');
    bytes.push(b'\n');
    bytes.extend(numbers);
    bytes
}

/// The rows of a file of [`encode`]; an error says what is wrong.
pub fn decode(bytes: &[u8], classes: usize) -> Result<Vec<Vec<f32>>, String> {
    let rest = bytes.strip_prefix(MAGIC).ok_or("it is no array of numpy, version 1.0")?;
    let (length, rest) = rest.split_first_chunk().ok_or("it is cut")?;
    let numbers = rest.get(usize::from(u16::from_le_bytes(*length))..).ok_or("it is cut")?;
    if classes == 0 || !numbers.len().is_multiple_of(4 * classes) {
        return Err(format!("its rows do not have {classes} numbers"));
    }
    let number = |bytes: &[u8]| bytes.try_into().map_or(f32::NAN, f32::from_le_bytes);
    Ok(numbers.chunks(4 * classes).map(|row| row.chunks(4).map(number).collect()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_and_the_header_is_aligned() {
        let rows = vec![vec![0.25, 0.75, 0.0], vec![1.0, 0.0, f32::MIN_POSITIVE]];
        let bytes = encode(3, rows.iter());
        assert_eq!((bytes.len() - 24) % ALIGN, 0);
        assert_eq!(decode(&bytes, 3), Ok(rows));
        assert_eq!(decode(&encode(3, [].iter()), 3), Ok(Vec::new()));
        assert!(decode(&bytes, 4).is_err() && decode(&bytes[..20], 3).is_err() && decode(b"", 3).is_err());
    }
}
