//! Names of classes and categories, for people.
//!
//! Holds always: a class without a known name is shown by its index, because a folder without its run has no lists.

use std::collections::BTreeMap;

use super::error::EvaluateError;
use crate::config::space_of;
use crate::domain::{ClassSpace, PoolRole, TargetRecord};
use crate::store::EvaluationDir;

/// See the module.
#[derive(Debug, Default)]
pub struct Names {
    spaces: BTreeMap<String, ClassSpace>,
    categories: BTreeMap<String, String>,
}

impl Names {
    /// Those of the run inside the evaluation, if it is there.
    pub fn of(dir: &EvaluationDir) -> Result<Self, EvaluateError> {
        let mut names = Self::default();
        let Some(spec) = dir.run(PoolRole::Pool).spec_if_any()? else { return Ok(names) };
        for category in &spec.categories.entries {
            names.categories.insert(category.id.clone(), category.name.clone());
        }
        for scorer in &spec.mine.surrogates {
            names.spaces.extend(space_of(&spec, &scorer.space).map(|space| (scorer.space.clone(), space)));
        }
        Ok(names)
    }

    /// The name of a class of a target's class space.
    pub fn class(&self, target: &TargetRecord, class: i32) -> String {
        match self.spaces.get(&target.class_space) {
            _ if class < 0 => "no answer".to_owned(),
            Some(space) => space.class_name(class).to_owned(),
            None => format!("class {class}"),
        }
    }

    /// The name of a category.
    pub fn category(&self, id: &str) -> String {
        self.categories.get(id).cloned().unwrap_or_else(|| id.to_owned())
    }
}
