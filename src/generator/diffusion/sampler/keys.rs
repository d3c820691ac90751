//! Reads single keys of a scheduler's file, each with diffusers' default and a refusal that names it.
//!
//! Knows no sampler's set of keys; `config` does. Holds always: an absent key is its default, and so is `null`, except
//! that a `null` flag is false, as it is in Python.

use std::ops::RangeInclusive;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{SamplerError, SamplerKind};

/// The keys of a file, as one sampler reads them.
pub struct Keys<'a> {
    map: &'a Map<String, Value>,
    sampler: SamplerKind,
}

impl<'a> Keys<'a> {
    /// `map` as `sampler` reads it.
    pub fn new(map: &'a Map<String, Value>, sampler: SamplerKind) -> Self {
        Self { map, sampler }
    }

    /// Whether the file has the key.
    pub fn has(&self, key: &str) -> bool {
        self.map.contains_key(key)
    }

    /// The refusal of a key's value.
    pub fn refusal(&self, key: &'static str, takes: &'static str) -> SamplerError {
        let value = self.map.get(key).map_or("(absent)".to_owned(), Value::to_string);
        SamplerError::Key { key, value, sampler: self.sampler.name(), takes }
    }

    /// `true` or `false`.
    pub fn flag(&self, key: &'static str, default: bool) -> Result<bool, SamplerError> {
        match self.map.get(key) {
            None => Ok(default),
            Some(Value::Null) => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(self.refusal(key, "true or false")),
        }
    }

    /// A flag that must be `only`, also when it is absent.
    pub fn only_flag(&self, key: &'static str, only: bool) -> Result<(), SamplerError> {
        let takes = if only { "true" } else { "false" };
        if self.flag(key, only)? == only { Ok(()) } else { Err(self.refusal(key, takes)) }
    }

    /// A key that must be absent or null.
    pub fn only_null(&self, key: &'static str) -> Result<(), SamplerError> {
        match self.map.get(key) {
            None | Some(Value::Null) => Ok(()),
            Some(_) => Err(self.refusal(key, "null")),
        }
    }

    /// A value of a type, if there is one.
    pub fn value<T: DeserializeOwned>(
        &self,
        key: &'static str,
        takes: &'static str,
    ) -> Result<Option<T>, SamplerError> {
        let value = self.map.get(key).filter(|value| !value.is_null());
        value.map(|value| T::deserialize(value).map_err(|_| self.refusal(key, takes))).transpose()
    }

    /// A whole number within `range`.
    pub fn count(
        &self,
        key: &'static str,
        default: u32,
        range: RangeInclusive<u32>,
        takes: &'static str,
    ) -> Result<u32, SamplerError> {
        let count = self.value(key, takes)?.unwrap_or(default);
        if range.contains(&count) { Ok(count) } else { Err(self.refusal(key, takes)) }
    }

    /// One of the `known` words, whose list for messages is `takes`.
    pub fn word<T: Copy>(
        &self,
        key: &'static str,
        default: T,
        known: &[(&str, T)],
        takes: &'static str,
    ) -> Result<T, SamplerError> {
        let Some(word) = self.value::<String>(key, takes)? else { return Ok(default) };
        let found = known.iter().find(|(name, _)| *name == word);
        found.map(|(_, meaning)| *meaning).ok_or_else(|| self.refusal(key, takes))
    }
}
