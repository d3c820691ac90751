//! Tensors of safetensors files, read one by one: never a whole file in memory beside the model itself.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use safetensors::{Dtype, tensor::Metadata};

use super::ModelError;

/// Longest header that is read; safetensors' own limit.
const MAX_HEADER: u64 = 100_000_000;

/// The tensors of one part of a model.
pub(in super::super) struct Weights {
    files: Vec<(PathBuf, File)>,
    tensors: BTreeMap<String, Place>,
}

struct Place {
    file: usize,
    start: u64,
    bytes: u64,
    shape: Vec<usize>,
    dtype: Dtype,
}

/// A tensor as it is stored: little-endian.
pub(in super::super) struct Raw {
    pub bytes: Vec<u8>,
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
    /// Reads the headers.
    pub fn open(paths: &[PathBuf]) -> Result<Self, ModelError> {
        let mut weights = Self { files: Vec::new(), tensors: BTreeMap::new() };
        for path in paths {
            let read = |source| ModelError::Read { file: path.display().to_string(), source };
            let mut file = File::open(path).map_err(read)?;
            let size = file.metadata().map_err(read)?.len();
            let bad = |problem: String| ModelError::File { file: path.display().to_string(), problem };
            let header = header(&mut file, size).map_err(read)?;
            let header = header.ok_or_else(|| bad("is cut off or no safetensors file; fetch it again".to_owned()))?;
            let metadata: Metadata = serde_json::from_slice(&header)
                .map_err(|error| bad(format!("is damaged ({error}); fetch it again")))?;
            let data = header.len() as u64 + 8;
            for (name, info) in metadata.tensors() {
                let (start, end) = info.data_offsets;
                if data + end as u64 > size {
                    return Err(bad(format!("is cut off inside tensor `{name}`; fetch it again")));
                }
                let stored = info.shape.iter().product::<usize>() as u64 * info.dtype.bitsize() as u64 / 8;
                if (end as u64).checked_sub(start as u64) != Some(stored) {
                    return Err(bad(format!(
                        "is damaged: tensor `{name}` has not the bytes of its shape; fetch it again"
                    )));
                }
                let (start, bytes) = (data + start as u64, (end - start) as u64);
                let place =
                    Place { file: weights.files.len(), start, bytes, shape: info.shape.clone(), dtype: info.dtype };
                if weights.tensors.insert(name.clone(), place).is_some() {
                    return Err(bad(format!("has tensor `{name}`, which another file of the model has too")));
                }
            }
            weights.files.push((path.clone(), file));
        }
        Ok(weights)
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
    pub fn read(&mut self, name: &str, shape: &[usize]) -> Result<Raw, ModelError> {
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
        let (path, file) = &mut self.files[place.file];
        let bytes = read_at(file, place.start, place.bytes);
        let bytes = bytes.map_err(|source| ModelError::Read { file: path.display().to_string(), source })?;
        Ok(Raw { bytes, dtype })
    }
}

fn header(file: &mut File, size: u64) -> std::io::Result<Option<Vec<u8>>> {
    let mut length = [0; 8];
    if size < 8 {
        return Ok(None);
    }
    file.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    match length <= MAX_HEADER && length + 8 <= size {
        true => read_at(file, 8, length).map(Some),
        false => Ok(None),
    }
}

fn read_at(file: &mut File, start: u64, bytes: u64) -> std::io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(start))?;
    let mut buffer = vec![0; bytes as usize];
    file.read_exact(&mut buffer)?;
    Ok(buffer)
}
