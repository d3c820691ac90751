//! `--set a.b=value`: changes one key of a recipe from the command line.

use std::path::Path;
use std::str::FromStr;

use serde::{Serialize, de::DeserializeOwned};
use toml::{Table, Value};

use super::ConfigError;

/// Keys whose values are paths. On the command line they are relative to the working directory, not to the recipe.
const PATH_KEYS: [&str; 4] =
    ["generate.root", "generate.labels_csv", "annotate.sentinels.known_good", "evaluate.clean"];

/// One overridden key.
#[derive(Debug, Clone, PartialEq)]
pub struct Override {
    key: String,
    value: Value,
}

impl Override {
    /// Sets `key`, dotted, to `value`.
    pub fn new(key: &str, value: impl Into<Value>) -> Self {
        Self { key: key.to_owned(), value: value.into() }
    }

    /// Sets the key in `table` and adds the tables on the way; `file` is for messages.
    pub fn apply(&self, table: &mut Table, file: &str) -> Result<(), ConfigError> {
        let mut parts: Vec<&str> = self.key.split('.').collect();
        let last = parts.pop().unwrap_or_default();
        let mut place = table;
        for part in parts {
            let inner = place.entry(part).or_insert_with(|| Value::Table(Table::new()));
            let Some(inner) = inner.as_table_mut() else {
                let problem = format!("cannot be set: `{part}` is not a table");
                return Err(ConfigError::value(file, &self.key, problem));
            };
            place = inner;
        }
        place.insert(last.to_owned(), self.value.clone());
        Ok(())
    }
}

impl Override {
    /// The stored section `name` of a recipe with some keys changed; `overrides` name them in full (`name.a.b`).
    pub(super) fn section<T: Serialize + DeserializeOwned>(
        name: &str,
        spec: &T,
        overrides: &[Self],
        file: &str,
    ) -> Result<T, ConfigError> {
        let cannot = |message: String| ConfigError::Toml { file: format!("{file} with --set"), message };
        let section = Value::try_from(spec).map_err(|e| cannot(e.to_string()))?;
        let mut table = Table::from_iter([(name.to_owned(), section)]);
        for change in overrides {
            change.apply(&mut table, file)?;
        }
        let section = table.remove(name).filter(|_| table.is_empty());
        let section = section.ok_or_else(|| cannot(format!("only keys of [{name}] can be set here")))?;
        section.try_into().map_err(|e: toml::de::Error| cannot(e.to_string().trim().to_owned()))
    }
}

impl FromStr for Override {
    type Err = ConfigError;

    /// `key=value`; a value that is not TOML is read as a string.
    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let malformed = || ConfigError::Override(text.to_owned());
        let (key, value) = text.split_once('=').ok_or_else(malformed)?;
        if key.is_empty() || key.split('.').any(str::is_empty) {
            return Err(malformed());
        }
        let parsed = toml::from_str::<Table>(&format!("x = {value}")).ok().and_then(|mut table| table.remove("x"));
        // A model is named by a folder or by an id; only a folder that exists is a path.
        let is_path =
            PATH_KEYS.contains(&key) || key == "generate.model" && Path::new(value.trim_matches('"')).is_dir();
        let value = if is_path {
            let path = parsed.as_ref().and_then(Value::as_str).unwrap_or(value);
            Value::String(absolute(path))
        } else {
            parsed.unwrap_or_else(|| Value::String(value.to_owned()))
        };
        Ok(Self { key: key.to_owned(), value })
    }
}

fn absolute(path: &str) -> String {
    std::path::absolute(path).map_or_else(|_| path.to_owned(), |path| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let mut table: Table = toml::from_str("[mine]\nrule = 'all'").unwrap();
        text.parse::<Override>().unwrap().apply(&mut table, "x.toml").unwrap();
        assert_eq!(table, toml::from_str::<Table>(expected).unwrap());
    }

    #[test]
    fn values_are_toml_or_else_strings() {
        check("seed=3", "seed = 3\n[mine]\nrule = 'all'");
        check("mine.rule=at-least=2", "[mine]\nrule = 'at-least=2'");
        check("mine.surrogates=['a','b']", "[mine]\nrule = 'all'\nsurrogates = ['a', 'b']");
        check("generate.root=/photos", "[mine]\nrule = 'all'\n[generate]\nroot = '/photos'");
    }

    #[test]
    fn malformed_ones_are_refused() {
        for text in ["seed", "=3", "a..b=1"] {
            assert!(text.parse::<Override>().is_err(), "{text}");
        }
        let into_a_value = "mine.rule.x=1".parse::<Override>().unwrap();
        let mut table: Table = toml::from_str("[mine]\nrule = 'all'").unwrap();
        assert!(into_a_value.apply(&mut table, "x.toml").unwrap_err().to_string().contains("`rule` is not a table"));
    }
}
