//! Files of nuisances: what varies in the prompts of a grid.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Deserialize;

use super::{ConfigError, lookup};
use crate::domain::{NuisanceSet, NuisanceValue, Sha256, template_problem};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSet {
    #[serde(default)]
    templates: Vec<String>,
    values: Vec<RawValue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawValue {
    id: String,
    phrase: Option<String>,
    template: Option<String>,
}

/// Reads and checks the nuisance `name`, which the file `file` in folder `from` names.
pub fn load(name: &str, from: &Path, file: &str) -> Result<NuisanceSet, ConfigError> {
    let found = lookup::find("nuisances", name, from, file)?;
    let raw: RawSet = found.parse()?;
    check(&raw, &found.file)?;
    let sha256 = Sha256::of(found.text.as_bytes());
    let value = |RawValue { id, phrase, template }| NuisanceValue { id, phrase, template };
    let values = raw.values.into_iter().map(value).collect();
    Ok(NuisanceSet { kind: found.stem, sha256, templates: raw.templates, values })
}

fn check(raw: &RawSet, file: &str) -> Result<(), ConfigError> {
    let refuse = |key: &str, problem: &str| Err(ConfigError::value(file, key, problem));
    if raw.values.is_empty() {
        return refuse("values", "is empty; give at least one");
    }
    if let Some(problem) = raw.templates.iter().find_map(|template| template_problem(template)) {
        return refuse("templates", &format!("has a template that is not valid: {problem}"));
    }
    if raw.templates.iter().any(|template| !template.contains("{nuisance}")) {
        return refuse(
            "templates",
            "has a template without {nuisance}, which would give the same prompt for every value",
        );
    }
    if raw.templates.iter().collect::<BTreeSet<_>>().len() < raw.templates.len() {
        return refuse("templates", "lists a template twice");
    }
    let mut seen = BTreeSet::new();
    for value in &raw.values {
        let key = format!("values.{}", value.id);
        if value.id.is_empty() || !seen.insert(&value.id) {
            return refuse(&key, "is empty or listed twice; every id must be unique");
        }
        let problem = match (&value.phrase, &value.template) {
            (Some(phrase), None) => phrase_problem(phrase, &raw.templates).map(str::to_owned),
            (None, Some(template)) => own_template_problem(template, &raw.templates),
            _ => Some("has neither or both of `phrase` and `template`; give one".to_owned()),
        };
        if let Some(problem) = problem {
            return refuse(&key, &problem);
        }
    }
    Ok(())
}

/// What is wrong with the phrase of a value, if anything is.
fn phrase_problem(phrase: &str, templates: &[String]) -> Option<&'static str> {
    if phrase.trim().is_empty() || phrase.contains(['{', '}']) {
        return Some("has a `phrase` that is empty or has braces");
    }
    templates.is_empty().then_some("has a `phrase`, but the file has no `templates` to put it into")
}

/// What is wrong with a template that belongs to one value alone, if anything is.
fn own_template_problem(template: &str, templates: &[String]) -> Option<String> {
    if !templates.is_empty() {
        return Some("has its own `template`, but the file has `templates` for all; use one or the other".to_owned());
    }
    if template.contains("{nuisance}") {
        return Some("has a `template` with {nuisance}, but no phrase to put there".to_owned());
    }
    template_problem(template)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(name: &str) -> (usize, usize) {
        let set = load(name, Path::new("."), "test").unwrap();
        (set.values.len(), set.templates.len())
    }

    #[test]
    fn the_kinds_of_imagenet_d_and_the_templates_of_clip_are_complete() {
        assert_eq!(
            ["background", "texture", "material", "templates-clip-80"].map(count),
            [(468, 1), (47, 1), (32, 1), (80, 0)]
        );
    }

    #[test]
    fn what_is_wrong_is_said_by_name() {
        let refused = |text: &str| {
            let raw: RawSet = toml::from_str(text).unwrap();
            check(&raw, "x.toml").unwrap_err().to_string()
        };
        let one = "templates = [\"{category} {nuisance}\"]\n";
        let twice = format!("{one}values = [{{ id = \"a\", phrase = \"b\" }}, {{ id = \"a\", phrase = \"c\" }}]");
        assert!(refused(&twice).contains("x.toml: `values.a` is empty or listed twice"));
        assert!(refused(&format!("{one}values = []")).contains("at least one"));
        assert!(refused(&format!("{one}values = [{{ id = \"a\" }}]")).contains("neither or both"));
        assert!(refused("values = [{ id = \"a\", phrase = \"b\" }]").contains("no `templates`"));
        assert!(
            refused("templates = [\"{category}\"]\nvalues = [{ id = \"a\", phrase = \"b\" }]")
                .contains("without {nuisance}")
        );
    }
}
