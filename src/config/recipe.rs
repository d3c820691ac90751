//! A pipeline's TOML -> a checked recipe; `stage` finds the weights later.

use std::path::Path;

use serde::Deserialize;
use toml::Table;

use super::evaluate::{self, EvaluateRecipe, RawEvaluate};
use super::generate::{self, RawGenerate};
use super::{ConfigError, Override, SurrogateDef, annotate, categories, lookup, lookup::TomlFile, release, surrogate};
use crate::domain::{
    AnnotateSpec, CategorySet, GenerateSpec, ImportedScores, LabelSpace, ReleaseSpec, Rule, RuleError, SelectSpec,
};

/// A margin at which the rounding of another machine has been seen to change a top class.
const NEAR_TIE: f64 = 0.01;

/// A checked recipe.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipe {
    /// Name of the benchmark, and of the run directory.
    pub name: String,
    /// Seed of everything random.
    pub seed: u64,
    /// Items per shard, if the recipe sets it.
    pub shard_items: Option<u32>,
    /// What the images show.
    pub categories: CategorySet,
    /// Where images come from.
    pub generate: GenerateSpec,
    /// Which models score them, and how hard items are selected.
    pub mine: MineRecipe,
    /// How people judge them.
    pub annotate: AnnotateSpec,
    /// The metadata of its release.
    pub release: ReleaseSpec,
    /// What a build evaluates on its release.
    pub evaluate: Option<EvaluateRecipe>,
}

/// Which models score, and how hard items are selected.
#[derive(Debug, Clone, PartialEq)]
pub struct MineRecipe {
    /// Images per call of a model, if the recipe sets it.
    pub batch: Option<u32>,
    /// The mining.
    pub select: SelectSpec,
    /// The surrogates, in the order of the recipe.
    pub surrogates: Vec<SurrogateDef>,
    /// The targets: models that are scored and never vote.
    pub targets: Vec<SurrogateDef>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRecipe {
    name: String,
    seed: Option<u64>,
    shard_items: Option<u32>,
    categories: String,
    generate: RawGenerate,
    mine: RawMine,
    #[serde(default)]
    annotate: AnnotateSpec,
    #[serde(default)]
    release: ReleaseSpec,
    evaluate: Option<RawEvaluate>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMine {
    surrogates: Vec<String>,
    #[serde(default)]
    targets: Vec<String>,
    rule: Option<Rule>,
    label_space: Option<LabelSpace>,
    max_true_prob: Option<f64>,
    max_margin: Option<f64>,
    near_tie: Option<f64>,
    batch: Option<u32>,
}

impl Recipe {
    /// Reads the pipeline `name` (a path, or the name of one in `pipelines/` or built in), with some keys overridden.
    pub fn load(name: &str, overrides: &[Override]) -> Result<Self, ConfigError> {
        let path = Path::new(name);
        let found = if path.is_file() {
            TomlFile::read(path)?
        } else {
            lookup::find("pipelines", name, Path::new("."), "the working directory")?
        };
        check(parse(&found, overrides)?, &found)
    }
}

fn parse(found: &TomlFile, overrides: &[Override]) -> Result<RawRecipe, ConfigError> {
    if overrides.is_empty() {
        return found.parse();
    }
    let mut table: Table = found.parse()?;
    for change in overrides {
        change.apply(&mut table, &found.file)?;
    }
    table.try_into().map_err(|e: toml::de::Error| ConfigError::Toml {
        file: format!("{} with --set", found.file),
        message: e.to_string().trim().to_owned(),
    })
}

fn check(raw: RawRecipe, found: &TomlFile) -> Result<Recipe, ConfigError> {
    let file = &found.file;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if raw.name.is_empty() || raw.name.starts_with('.') || !raw.name.chars().all(plain) {
        return Err(ConfigError::value(
            file,
            "name",
            "also names the run directory; use letters, digits, `-`, `_` and `.`, and no leading dot",
        ));
    }
    if raw.shard_items.is_some_and(|n| !(1..=1 << 20).contains(&n)) {
        return Err(ConfigError::value(file, "shard_items", "is outside 1 to 1048576"));
    }
    let categories = categories::load(&raw.categories, &found.dir, file)?;
    let mine = mine(raw.mine, found)?;
    // Here, because no weights need be there to find it out.
    let evaluate = raw.evaluate.map(|raw| evaluate::check(raw, found, &mine.surrogates)).transpose()?;
    let evaluated = evaluate.iter().flat_map(|section| &section.targets);
    let scorers = mine.surrogates.iter().chain(&mine.targets).chain(evaluated);
    scorers.into_iter().try_for_each(|def| def.space(&categories).map(|_| ()))?;
    Ok(Recipe {
        name: raw.name,
        seed: raw.seed.unwrap_or(0),
        shard_items: raw.shard_items,
        categories,
        generate: generate::check(raw.generate, found)?,
        mine,
        annotate: annotate::check(raw.annotate, &found.dir, file)?,
        release: release::check(raw.release, file)?,
        evaluate,
    })
}

fn mine(raw: RawMine, found: &TomlFile) -> Result<MineRecipe, ConfigError> {
    let file = &found.file;
    let load = |names: &[String]| {
        names.iter().map(|name| surrogate::load(name, &found.dir, file)).collect::<Result<Vec<_>, _>>()
    };
    let (surrogates, targets) = (load(&raw.surrogates)?, load(&raw.targets)?);
    for (at, target) in targets.iter().enumerate() {
        if surrogates.iter().chain(&targets[..at]).any(|other| other.name == target.name) {
            let problem = format!(
                "names `{}`, which is listed twice, or is also a surrogate; a surrogate cannot be a target",
                target.name
            );
            return Err(ConfigError::value(file, "mine.targets", problem));
        }
    }
    let select = SelectSpec {
        surrogates: surrogates.iter().map(|surrogate| surrogate.name.clone()).collect(),
        rule: raw.rule.unwrap_or(Rule::All),
        label_space: raw.label_space.unwrap_or(LabelSpace::AnyOfIds),
        max_true_prob: raw.max_true_prob.unwrap_or(1.0),
        max_margin: raw.max_margin.unwrap_or(0.0),
        near_tie: raw.near_tie.unwrap_or(NEAR_TIE),
    };
    select.check().map_err(|source: RuleError| ConfigError::Rule { file: file.clone(), source })?;
    if raw.batch.is_some_and(|batch| !(1..=1024).contains(&batch)) {
        return Err(ConfigError::value(file, "mine.batch", "is outside 1 to 1024"));
    }
    Ok(MineRecipe { batch: raw.batch, select, surrogates, targets })
}

impl SurrogateDef {
    /// A scorer of ImageNet-1k whose scores another program has written to `file`.
    pub fn imported(name: &str, file: &Path, scores: ImportedScores) -> Self {
        surrogate::imported_alone(name, file, scores)
    }

    /// Reads the surrogate `name`: a path to a TOML, or a name looked up from folder `from` (see [`super::find`]).
    pub fn load(name: &str, from: &Path) -> Result<Self, ConfigError> {
        surrogate::load(name, from, "the working directory")
    }
}
