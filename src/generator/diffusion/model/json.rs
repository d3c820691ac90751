//! One JSON file of a model, read key by key; every problem is reported with file and key.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::input;

/// Why a model cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file cannot be read.
    #[error("cannot read {file}: {source}; a model is a folder in the Hugging Face diffusers layout")]
    Read {
        /// The file.
        file: String,
        /// The cause.
        source: std::io::Error,
    },
    /// A file does not hold what it should.
    #[error("{file}: {problem}")]
    File {
        /// The file.
        file: String,
        /// What is wrong.
        problem: String,
    },
    /// A value asks for something that cannot be run.
    #[error("{file}: `{key}` {problem}")]
    Key {
        /// The file.
        file: String,
        /// The key.
        key: String,
        /// What is wrong, and what is accepted.
        problem: String,
    },
    /// There are no weights.
    #[error(
        "{folder} has no {stem}.safetensors, no index of shards and none of the variants fp16, bf16 or fp32; \
         convert other formats with diffusers' save_pretrained"
    )]
    NoWeights {
        /// The folder.
        folder: String,
        /// Stem of the file.
        stem: String,
    },
    /// A tensor is missing or has another shape.
    #[error("{file}: tensor `{name}` {problem}")]
    Tensor {
        /// The file, or the first of several.
        file: String,
        /// The tensor.
        name: String,
        /// What is wrong.
        problem: String,
    },
}

/// Levels of a network: each halves the picture.
const MOST_LEVELS: usize = 8;

/// A JSON object and where it came from.
pub(super) struct Json {
    file: String,
    value: Value,
}

/// Name for messages and text of file `name` of a model.
pub(super) fn read_text(root: &Path, name: &str) -> Result<(String, String), ModelError> {
    let file = root.join(name).display().to_string();
    match input::read_text(&root.join(name), input::JSON_BYTES) {
        Ok(text) => Ok((file, text)),
        Err(source) => Err(ModelError::Read { file, source }),
    }
}

impl Json {
    pub fn read(root: &Path, name: &str) -> Result<Self, ModelError> {
        let (file, text) = read_text(root, name)?;
        let value = serde_json::from_str::<serde_json::Map<String, Value>>(&text);
        let value = value.map_err(|error| ModelError::File {
            file: file.clone(),
            problem: format!("is not a JSON object: {error}"),
        })?;
        Ok(Self { file, value: Value::Object(value) })
    }

    pub fn refuse(&self, key: &str, problem: impl Into<String>) -> ModelError {
        ModelError::Key { file: self.file.clone(), key: key.to_owned(), problem: problem.into() }
    }

    /// The value; `None` where it is absent or null.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.value.get(key).filter(|value| !value.is_null())
    }

    /// A whole number from 1 to 2^24; `default` where it is absent, an error where there is no default either.
    pub fn count(&self, key: &str, default: Option<usize>) -> Result<usize, ModelError> {
        match (self.get(key), default) {
            (None, Some(default)) => Ok(default),
            (None, None) => Err(self.refuse(key, "is missing")),
            (Some(value), _) => self.as_count(key, value),
        }
    }

    fn as_count(&self, key: &str, value: &Value) -> Result<usize, ModelError> {
        let count = value.as_u64().filter(|count| (1..=1 << 24).contains(count));
        count.map(|count| count as usize).ok_or_else(|| self.refuse(key, format!("is {value}; a count is wanted")))
    }

    /// One count for each of `n` levels: a list, or one number for all.
    pub fn counts(&self, key: &str, n: usize, default: Option<usize>) -> Result<Vec<usize>, ModelError> {
        match self.get(key) {
            Some(Value::Array(list)) if list.len() == n => list.iter().map(|value| self.as_count(key, value)).collect(),
            Some(Value::Array(list)) => Err(self.refuse(key, format!("has {} entries; {n} are wanted", list.len()))),
            _ => Ok(vec![self.count(key, default)?; n]),
        }
    }

    /// A list of counts of any length but 0.
    pub fn list(&self, key: &str) -> Result<Vec<usize>, ModelError> {
        match self.get(key) {
            Some(Value::Array(list)) if (1..=MOST_LEVELS).contains(&list.len()) => self.counts(key, list.len(), None),
            other => Err(self.refuse(key, format!("is {}; 1 to {MOST_LEVELS} counts are wanted", shown(other)))),
        }
    }

    /// A list of words.
    pub fn words(&self, key: &str) -> Result<Vec<String>, ModelError> {
        let list = self.get(key).and_then(Value::as_array);
        let words = list.and_then(|list| list.iter().map(|word| word.as_str().map(str::to_owned)).collect());
        words.ok_or_else(|| self.refuse(key, format!("is {}; a list of names is wanted", shown(self.get(key)))))
    }

    /// A finite number.
    pub fn number(&self, key: &str, default: f64) -> Result<f64, ModelError> {
        let Some(value) = self.get(key) else { return Ok(default) };
        value.as_f64().ok_or_else(|| self.refuse(key, format!("is {value}; a number is wanted")))
    }

    /// A number above 0 that f32 can hold.
    pub fn positive(&self, key: &str, default: f64) -> Result<f64, ModelError> {
        let number = self.number(key, default)?;
        if !(1e-30..=1e30).contains(&number) {
            return Err(self.refuse(key, format!("is {number}; a number above 0 is wanted")));
        }
        Ok(number)
    }

    /// true or false.
    pub fn flag(&self, key: &str, default: bool) -> Result<bool, ModelError> {
        let Some(value) = self.get(key) else { return Ok(default) };
        value.as_bool().ok_or_else(|| self.refuse(key, format!("is {value}; true or false is wanted")))
    }

    /// One of the given words; the first of them where the key is absent.
    pub fn one_of<T: Copy>(&self, key: &str, known: &[(&str, T)]) -> Result<T, ModelError> {
        let names = || known.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let found = match self.get(key) {
            None => known.first(),
            Some(value) => known.iter().find(|(name, _)| value.as_str() == Some(name)),
        };
        let refuse = || self.refuse(key, format!("is {}, which cannot be run; {} can", shown(self.get(key)), names()));
        found.map(|(_, value)| *value).ok_or_else(refuse)
    }

    /// An error unless the key is absent or one of these words.
    pub fn only(&self, key: &str, known: &[&str]) -> Result<(), ModelError> {
        let known: Vec<(&str, ())> = known.iter().map(|name| (*name, ())).collect();
        self.one_of(key, &known)
    }

    /// An error unless the key is absent, null, false, 0 or `neutral`.
    pub fn unused(&self, key: &str, neutral: Value) -> Result<(), ModelError> {
        match self.get(key) {
            None | Some(Value::Bool(false)) => Ok(()),
            Some(value) if *value == neutral || value.as_f64() == neutral.as_f64().or(Some(0.0)) => Ok(()),
            Some(value) => Err(self.refuse(key, format!("is {value}, which cannot be run; only {neutral} can"))),
        }
    }

    /// In a pipeline's index: an error unless the part is of class `class`.
    pub fn only_part(&self, part: &str, class: &str) -> Result<(), ModelError> {
        match self.get(part).and_then(|entry| entry.get(1)).and_then(Value::as_str) {
            Some(found) if found == class => Ok(()),
            Some(found) => Err(self.refuse(part, format!("is a {found}, which cannot be run; only a {class} can"))),
            None => Err(self.refuse(part, format!("is missing; a {class} is wanted"))),
        }
    }

    /// The files of an index of shards, in order, each once.
    pub fn shards(&self, folder: &Path) -> Result<Vec<PathBuf>, ModelError> {
        let map = self.get("weight_map").and_then(Value::as_object);
        let map = map.ok_or_else(|| self.refuse("weight_map", "is missing"))?;
        let mut names: Vec<&str> = map.values().filter_map(Value::as_str).collect();
        names.sort_unstable();
        names.dedup();
        match names.iter().find(|name| name.contains(['/', '\\']) || name.starts_with('.')) {
            Some(name) => Err(self.refuse("weight_map", format!("names `{name}`, which is not a plain file name"))),
            None if names.is_empty() => Err(self.refuse("weight_map", "is empty")),
            None => Ok(names.into_iter().map(|name| folder.join(name)).collect()),
        }
    }
}

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "missing".to_owned(), Value::to_string)
}
