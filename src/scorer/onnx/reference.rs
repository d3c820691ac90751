//! A reference file of a zero-shot model: what transformers makes of it, tensor by tensor.
//!
//! A safetensors file; its metadata has `prompts`, `classes`, `templates` and `photos`, each a list in JSON. Tensors
//! may be absent: then they are not compared.

use std::path::Path;

use safetensors::{Dtype, SafeTensors};

use crate::input;

/// The largest reference, in bytes.
const MOST_BYTES: u64 = 1 << 30;

/// A reference file, read whole.
pub struct Reference {
    bytes: Vec<u8>,
    /// Texts, as they were given to the tokenizer's cleaning.
    pub prompts: Vec<String>,
    /// Names of classes.
    pub classes: Vec<String>,
    /// Templates.
    pub templates: Vec<String>,
    /// Names of the files of the pictures.
    pub photos: Vec<String>,
}

/// A tensor's shape and numbers.
pub struct Numbers<T> {
    /// Lengths of its axes.
    pub shape: Vec<usize>,
    /// Its numbers.
    pub numbers: Vec<T>,
}

impl Reference {
    /// Reads the file at `path`.
    pub fn read(path: &Path) -> Result<Self, String> {
        let bytes = input::read(path, MOST_BYTES).map_err(|error| format!("cannot be read: {error}"))?;
        let (_, metadata) =
            SafeTensors::read_metadata(&bytes).map_err(|error| format!("is not a safetensors file: {error}"))?;
        let list = |key: &str| -> Result<Vec<String>, String> {
            let Some(text) = metadata.metadata().as_ref().and_then(|map| map.get(key)) else { return Ok(Vec::new()) };
            serde_json::from_str(text)
                .map_err(|error| format!("has metadata `{key}` that is no list of texts: {error}"))
        };
        let (prompts, classes) = (list("prompts")?, list("classes")?);
        let (templates, photos) = (list("templates")?, list("photos")?);
        Ok(Self { prompts, classes, templates, photos, bytes })
    }

    /// An f32 tensor, if it is there.
    pub fn f32(&self, name: &str) -> Result<Option<Numbers<f32>>, String> {
        self.tensor(name, Dtype::F32, |bytes| {
            bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
        })
    }

    /// An i64 tensor, if it is there.
    pub fn i64(&self, name: &str) -> Result<Option<Numbers<i64>>, String> {
        self.tensor(name, Dtype::I64, |bytes| {
            bytes.as_chunks::<8>().0.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect()
        })
    }

    /// A u8 tensor, if it is there.
    pub fn u8(&self, name: &str) -> Result<Option<Numbers<u8>>, String> {
        self.tensor(name, Dtype::U8, <[u8]>::to_vec)
    }

    fn tensor<T>(
        &self,
        name: &str,
        dtype: Dtype,
        numbers: impl Fn(&[u8]) -> Vec<T>,
    ) -> Result<Option<Numbers<T>>, String> {
        let tensors = SafeTensors::deserialize(&self.bytes).map_err(|error| error.to_string())?;
        let Ok(tensor) = tensors.tensor(name) else { return Ok(None) };
        if tensor.dtype() != dtype {
            return Err(format!("has tensor `{name}` of {:?}; {dtype:?} is wanted", tensor.dtype()));
        }
        Ok(Some(Numbers { shape: tensor.shape().to_vec(), numbers: numbers(tensor.data()) }))
    }
}
