//! The section `[evaluate]` of a recipe: the targets that a build evaluates on the release of its hard set.
//!
//! Does not look for weights or pools: `stage` does. Holds always: the section is no part of a run's spec, because
//! nothing that a run keeps depends on it.

use std::path::PathBuf;

use serde::Deserialize;

use super::{ConfigError, SurrogateDef, lookup::TomlFile, real_path, surrogate};

/// The section, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct EvaluateRecipe {
    /// The targets, in the order of the recipe.
    pub targets: Vec<SurrogateDef>,
    /// Images of the same categories as models know them: a pool.
    pub clean: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawEvaluate {
    targets: Vec<String>,
    clean: Option<PathBuf>,
}

/// Checks the section of the recipe `found`; `surrogates`: those that mine.
pub fn check(raw: RawEvaluate, found: &TomlFile, surrogates: &[SurrogateDef]) -> Result<EvaluateRecipe, ConfigError> {
    let file = &found.file;
    let refuse = |key: &str, problem: String| Err(ConfigError::value(file, &format!("evaluate.{key}"), problem));
    if raw.targets.is_empty() {
        return refuse("targets", "is empty; name a target, or leave out the section [evaluate]".to_owned());
    }
    let mut targets: Vec<SurrogateDef> = Vec::with_capacity(raw.targets.len());
    for name in &raw.targets {
        let target = surrogate::load(name, &found.dir, file)?;
        let name = &target.name;
        if surrogates.iter().any(|surrogate| surrogate.name == *name) {
            return refuse("targets", format!("names `{name}`, which is a surrogate; a surrogate cannot be a target"));
        }
        if targets.iter().any(|other| other.name == *name) {
            return refuse("targets", format!("names `{name}` twice; give each target once, under a name of its own"));
        }
        targets.push(target);
    }
    let clean = match raw.clean {
        Some(path) if path.as_os_str().is_empty() => {
            return refuse("clean", "is empty; name a pool, or leave the key out".to_owned());
        }
        path => path.map(|path| real_path(&found.dir.join(path))),
    };
    Ok(EvaluateRecipe { targets, clean })
}
