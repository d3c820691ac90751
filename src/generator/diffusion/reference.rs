//! A reference file: what diffusers makes of a model, tensor by tensor (`tests/golden/make_sd.py` says what each is).

use std::path::Path;

use safetensors::{Dtype, SafeTensors};

use super::engine::Array;
use super::error::DiffusionError;
use crate::input;

/// The largest reference, in bytes: one step at full size has some megabytes.
const MOST_BYTES: u64 = 8 << 30;

/// A reference file, read whole.
pub(super) struct Reference {
    file: String,
    bytes: Vec<u8>,
    names: Vec<String>,
    pub prompts: Vec<String>,
    pub negative: String,
    pub guidance: f32,
    pub steps: u32,
}

impl Reference {
    pub fn read(path: &Path) -> Result<Self, DiffusionError> {
        let file = path.display().to_string();
        let bad = |problem: String| DiffusionError::Reference { file: path.display().to_string(), problem };
        let bytes = input::read(path, MOST_BYTES).map_err(|error| bad(format!("cannot be read: {error}")))?;
        let (_, metadata) =
            SafeTensors::read_metadata(&bytes).map_err(|error| bad(format!("is not a safetensors file: {error}")))?;
        let names = metadata.tensors().into_keys().collect();
        let text = |key: &str| metadata.metadata().as_ref().and_then(|map| map.get(key)).cloned();
        let missing = |key: &str| bad(format!("has no (readable) `{key}` in its metadata"));
        let prompts = text("prompts").and_then(|text| serde_json::from_str::<Vec<String>>(&text).ok());
        Ok(Self {
            prompts: prompts.filter(|prompts| !prompts.is_empty()).ok_or_else(|| missing("prompts"))?,
            negative: text("negative").unwrap_or_default(),
            guidance: text("guidance").and_then(|text| text.parse().ok()).ok_or_else(|| missing("guidance"))?,
            steps: text("steps").and_then(|text| text.parse().ok()).ok_or_else(|| missing("steps"))?,
            names,
            file,
            bytes,
        })
    }

    /// Names of the samplers whose final latents are in the file, in order; at least one.
    pub fn samplers(&self) -> Result<Vec<String>, DiffusionError> {
        let mut names: Vec<String> =
            self.names.iter().filter_map(|name| name.strip_prefix("final_latents_").map(str::to_owned)).collect();
        names.sort();
        if names.is_empty() {
            let problem = "has no tensor `final_latents_…`: there is nothing to compare a sampler with".to_owned();
            return Err(DiffusionError::Reference { file: self.file.clone(), problem });
        }
        Ok(names)
    }

    /// An f32 tensor of this shape; 0 means any length.
    pub fn array(&self, name: &str, shape: &[usize]) -> Result<Array, DiffusionError> {
        let (found, bytes) = self.tensor(name, Dtype::F32, shape)?;
        let numbers = bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
        Ok(Array::new(found, numbers.collect()))
    }

    /// An i64 tensor's numbers.
    pub fn ids(&self, name: &str, shape: &[usize]) -> Result<Vec<i64>, DiffusionError> {
        let (_, bytes) = self.tensor(name, Dtype::I64, shape)?;
        Ok(bytes.as_chunks::<8>().0.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect())
    }

    /// A u8 tensor `[n, 3, h, w]` as pixels `[n, h, w, 3]`.
    pub fn pixels(&self, name: &str, shape: &[usize; 4]) -> Result<Vec<u8>, DiffusionError> {
        let (_, bytes) = self.tensor(name, Dtype::U8, shape)?;
        let size = shape[2] * shape[3];
        let image = |planes: &[u8]| {
            (0..size).flat_map(|at| [planes[at], planes[size + at], planes[2 * size + at]]).collect::<Vec<_>>()
        };
        Ok(bytes.chunks(3 * size).flat_map(image).collect())
    }

    fn tensor(&self, name: &str, dtype: Dtype, shape: &[usize]) -> Result<(Vec<usize>, Vec<u8>), DiffusionError> {
        let bad = |problem: String| DiffusionError::Reference { file: self.file.clone(), problem };
        let tensors = SafeTensors::deserialize(&self.bytes).map_err(|error| bad(error.to_string()))?;
        let tensor = tensors.tensor(name).map_err(|_| bad(format!("has no tensor `{name}`")))?;
        if tensor.dtype() != dtype {
            return Err(bad(format!("tensor `{name}` holds {:?}; {dtype:?} is wanted", tensor.dtype())));
        }
        if !fits(tensor.shape(), shape) {
            let problem = format!("tensor `{name}` has shape {:?}; {shape:?} is wanted, 0 for any", tensor.shape());
            return Err(bad(problem));
        }
        Ok((tensor.shape().to_vec(), tensor.data().to_vec()))
    }
}

/// Whether a shape is the one that is wanted, in which 0 means any length from 1 on.
fn fits(found: &[usize], wanted: &[usize]) -> bool {
    found.len() == wanted.len()
        && found.iter().zip(wanted).all(|(&found, &wanted)| found == wanted || (wanted == 0 && found > 0))
}
