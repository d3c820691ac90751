//! Tensors of safetensors files, mapped into memory: tensors that are not used are never read, and nothing is copied.
//!
//! A mapped file must not be cut while the program runs: the operating system would then stop the program.

use std::collections::BTreeMap;
use std::path::PathBuf;

use memmap2::{Mmap, UncheckedAdvice};
use safetensors::{Dtype, tensor::Metadata};

use super::ModelError;
use crate::input;

/// Longest header that is read; safetensors' own limit.
const MAX_HEADER: u64 = 100_000_000;

/// The tensors of one part of a model.
pub(in super::super) struct Weights {
    files: Vec<(PathBuf, Mmap)>,
    tensors: BTreeMap<String, Place>,
}

struct Place {
    file: usize,
    /// Where it begins in the file.
    start: usize,
    bytes: usize,
    shape: Vec<usize>,
    dtype: Dtype,
}

/// A tensor as it is stored: little-endian.
pub(in super::super) struct Raw<'a> {
    pub bytes: &'a [u8],
    pub dtype: RawType,
}

/// Types of number that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum RawType {
    F32,
    F16,
    Bf16,
}

impl Weights {
    /// Maps the files and reads their headers.
    pub fn open(paths: &[PathBuf]) -> Result<Self, ModelError> {
        let mut weights = Self { files: Vec::new(), tensors: BTreeMap::new() };
        for path in paths {
            let read = |source| ModelError::Read { file: path.display().to_string(), source };
            let file = input::open(path).map_err(read)?;
            // SAFETY: the map is only read; a file that is cut meanwhile stops the program, as the module says.
            let map = unsafe { Mmap::map(&file) }.map_err(read)?;
            let bad = |problem: String| ModelError::File { file: path.display().to_string(), problem };
            weights.add(&map).map_err(bad)?;
            weights.files.push((path.clone(), map));
        }
        Ok(weights)
    }

    /// Notes down the places of a file's tensors, or says what is wrong with it.
    fn add(&mut self, file: &[u8]) -> Result<(), String> {
        let header = header(file).ok_or("is cut off or not a safetensors file; fetch it again")?;
        let metadata: Metadata =
            serde_json::from_slice(header).map_err(|error| format!("is damaged ({error}); fetch it again"))?;
        let data = header.len() + 8;
        for (name, info) in metadata.tensors() {
            let (start, end) = info.data_offsets;
            if end > file.len() - data {
                return Err(format!("is cut off inside tensor `{name}`; fetch it again"));
            }
            let stored = stored_bytes(&info.shape, info.dtype);
            if stored.is_none() || end.checked_sub(start) != stored {
                return Err(format!("is damaged: tensor `{name}` has not the bytes of its shape; fetch it again"));
            }
            let (start, bytes) = (data + start, end - start);
            let place = Place { file: self.files.len(), start, bytes, shape: info.shape.clone(), dtype: info.dtype };
            if self.tensors.insert(name.clone(), place).is_some() {
                return Err(format!("has tensor `{name}`, which another file of the model has too"));
            }
        }
        Ok(())
    }

    /// Whether there is a tensor of this name.
    pub fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Numbers in all tensors together whose names begin with `prefix`.
    pub fn count(&self, prefix: &str) -> u64 {
        let inside = self.tensors.iter().filter(|(name, _)| name.starts_with(prefix));
        inside.map(|(_, place)| place.shape.iter().product::<usize>() as u64).sum()
    }

    /// The type of number that most bytes are stored in.
    pub fn main_type(&self) -> String {
        let largest = self.tensors.values().max_by_key(|place| place.bytes);
        largest.map_or_else(String::new, |place| format!("{:?}", place.dtype).to_lowercase())
    }

    /// The tensor `name`, which must have this shape.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<Raw<'_>, ModelError> {
        let file = |at: usize| self.files.get(at).map_or_else(String::new, |(path, _)| path.display().to_string());
        let refuse = |at: usize, problem: String| ModelError::Tensor { file: file(at), name: name.to_owned(), problem };
        let Some(place) = self.tensors.get(name) else {
            return Err(refuse(0, "is missing; these are not the weights that the model's JSON describes".to_owned()));
        };
        if place.shape != shape {
            return Err(refuse(place.file, format!("has shape {:?}; {shape:?} is wanted", place.shape)));
        }
        let dtype = match place.dtype {
            Dtype::F32 => RawType::F32,
            Dtype::F16 => RawType::F16,
            Dtype::BF16 => RawType::Bf16,
            other => return Err(refuse(place.file, format!("holds {other:?}; f32, f16 and bf16 can be read"))),
        };
        let (_, map) = &self.files[place.file];
        Ok(Raw { bytes: &map[place.start..][..place.bytes], dtype })
    }

    /// Gives the memory of pages that were read back to the system, which reads them again when they are needed.
    pub fn forget_pages(&self) {
        for (_, map) in &self.files {
            // SAFETY: the map is of a file and never written to: what is dropped comes back from the file. Failing is
            // harmless.
            let _ = unsafe { map.unchecked_advise(UncheckedAdvice::DontNeed) };
        }
    }
}

/// Bytes of a tensor of this shape; `None` if the number does not fit 64 bits.
fn stored_bytes(shape: &[usize], dtype: Dtype) -> Option<usize> {
    let count = shape.iter().try_fold(1_usize, |count, &side| count.checked_mul(side))?;
    Some(count.checked_mul(dtype.bitsize())? / 8)
}

/// The JSON at the head of a safetensors file, after 8 bytes of its length.
fn header(file: &[u8]) -> Option<&[u8]> {
    let (length, rest) = file.split_first_chunk::<8>()?;
    let length = u64::from_le_bytes(*length);
    if length > MAX_HEADER {
        return None;
    }
    rest.get(..length as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The one place that opens a file: one tensor of f32 with this shape and `bytes` bytes, which must be refused.
    #[track_caller]
    fn refused(shape: &str, bytes: usize) -> String {
        let header = format!(r#"{{"a":{{"dtype":"F32","shape":{shape},"data_offsets":[0,{bytes}]}}}}"#);
        let file = tempfile::NamedTempFile::new().unwrap();
        let length = (header.len() as u64).to_le_bytes();
        std::fs::write(file.path(), [&length, header.as_bytes(), &vec![0; bytes]].concat()).unwrap();
        Weights::open(&[file.path().to_owned()]).err().expect("the file is refused").to_string()
    }

    #[test]
    fn shapes_whose_sizes_no_number_holds_are_refused() {
        // 2^32 * 2^32 = 0 and 2^62 * 4 * 8 / 8 = 0 in 64 bits that wrap around.
        for shape in ["[4294967296,4294967296]", "[4611686018427387904]", "[18446744073709551615,3]", "[1e40]", "[2]"] {
            for bytes in [0, 4] {
                let problem = refused(shape, bytes);
                assert!(problem.contains("is damaged") && problem.contains("fetch it again"), "{shape}: {problem}");
            }
        }
        // The reader of headers refuses them too, today.
        assert_eq!(stored_bytes(&[1 << 32, 1 << 32], Dtype::F32), None);
        assert_eq!(stored_bytes(&[1 << 62], Dtype::F32), None);
        assert_eq!(stored_bytes(&[3, 5], Dtype::F16), Some(30));
        assert_eq!(stored_bytes(&[], Dtype::F32), Some(4));
    }
}
