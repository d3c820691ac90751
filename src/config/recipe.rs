//! A pipeline's TOML -> a checked recipe, weights still to be found.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Table;

use super::{ConfigError, Override, SurrogateDef, categories, lookup, lookup::Found, surrogate};
use crate::domain::{
    CategorySet, FakeImages, FolderSource, GenerateSpec, LabelSource, LabelSpace, Rule, RuleError, SelectSpec, Sha256,
    WeightsSpec,
};

/// Largest picture decoded unless the recipe says otherwise: the size above which Pillow warns of a decompression bomb.
const MAX_PIXELS: u64 = 89_478_485;
const MAX_FILE_BYTES: u64 = 256 << 20;
/// Images per call of a model. Small batches are the fastest on a CPU (`docs/performance.md`).
const BATCH: u32 = 2;
/// Margin within which another machine's rounding has been seen to turn a verdict.
const NEAR_TIE: f64 = 0.01;

/// A checked recipe.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipe {
    /// Name of the benchmark; names the run directory.
    pub name: String,
    /// Seed of everything random.
    pub seed: u64,
    /// Items per shard, if the recipe says so.
    pub shard_items: Option<u32>,
    /// What the images show.
    pub categories: CategorySet,
    /// Where images come from.
    pub generate: GenerateSpec,
    /// Who mines them and how.
    pub mine: MineRecipe,
}

/// Who mines and how.
#[derive(Debug, Clone, PartialEq)]
pub struct MineRecipe {
    /// Images per call of a model.
    pub batch: u32,
    /// The mining.
    pub select: SelectSpec,
    /// The surrogates, in the order of the recipe.
    pub surrogates: Vec<SurrogateDef>,
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
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGenerate {
    source: String,
    root: Option<PathBuf>,
    labels: Option<LabelSource>,
    labels_csv: Option<PathBuf>,
    recursive: Option<bool>,
    max_pixels: Option<u64>,
    max_file_bytes: Option<u64>,
    images_per_category: Option<u32>,
    size_px: Option<u32>,
    fail_every: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMine {
    surrogates: Vec<String>,
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
        let found = match Path::new(name).is_file() {
            true => Found::read(Path::new(name))?,
            false => lookup::find("pipelines", name, Path::new("."), "the working directory")?,
        };
        check(parse(&found, overrides)?, &found)
    }
}

fn parse(found: &Found, overrides: &[Override]) -> Result<RawRecipe, ConfigError> {
    if overrides.is_empty() {
        return found.parse();
    }
    let mut table: Table = found.parse()?;
    overrides.iter().try_for_each(|change| change.apply(&mut table, &found.file))?;
    let with_overrides = || format!("{} with --set", found.file);
    table.try_into().map_err(|e: toml::de::Error| ConfigError::Toml {
        file: with_overrides(),
        message: e.to_string().trim().to_owned(),
    })
}

fn check(raw: RawRecipe, found: &Found) -> Result<Recipe, ConfigError> {
    let file = &found.file;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if raw.name.is_empty() || raw.name.starts_with('.') || !raw.name.chars().all(plain) {
        return Err(ConfigError::value(file, "name", "names the run directory; use letters, digits, `-`, `_` and `.`"));
    }
    if raw.shard_items.is_some_and(|n| !(1..=1 << 20).contains(&n)) {
        return Err(ConfigError::value(file, "shard_items", "lies outside 1 to 1048576"));
    }
    Ok(Recipe {
        name: raw.name,
        seed: raw.seed.unwrap_or(0),
        shard_items: raw.shard_items,
        categories: categories::load(&raw.categories, &found.dir, file)?,
        generate: generate(raw.generate, found)?,
        mine: mine(raw.mine, found)?,
    })
}

fn generate(raw: RawGenerate, found: &Found) -> Result<GenerateSpec, ConfigError> {
    let file = &found.file;
    let fake_keys = [
        ("images_per_category", raw.images_per_category.is_some()),
        ("size_px", raw.size_px.is_some()),
        ("fail_every", raw.fail_every.is_some()),
    ];
    let folder_keys = [
        ("root", raw.root.is_some()),
        ("labels", raw.labels.is_some()),
        ("labels_csv", raw.labels_csv.is_some()),
        ("recursive", raw.recursive.is_some()),
        ("max_pixels", raw.max_pixels.is_some()),
        ("max_file_bytes", raw.max_file_bytes.is_some()),
    ];
    match raw.source.as_str() {
        "folder" => none_of(&fake_keys, "folder", file).and_then(|()| folder(raw, found)),
        "fake" => none_of(&folder_keys, "fake", file).and_then(|()| fake(&raw, file)),
        other => {
            Err(ConfigError::value(file, "generate.source", format!("is `{other}`; it can be `folder` or `fake`")))
        }
    }
}

fn none_of(keys: &[(&str, bool)], source: &str, file: &str) -> Result<(), ConfigError> {
    match keys.iter().find(|(_, present)| *present) {
        Some((key, _)) => Err(ConfigError::value(
            file,
            &format!("generate.{key}"),
            format!("has no meaning with source = \"{source}\""),
        )),
        None => Ok(()),
    }
}

fn folder(raw: RawGenerate, found: &Found) -> Result<GenerateSpec, ConfigError> {
    let file = &found.file;
    let root = raw.root.ok_or_else(|| {
        ConfigError::value(
            file,
            "generate.root",
            "is missing; name the folder of photographs, or give --set generate.root=DIR",
        )
    })?;
    let labels = raw.labels.unwrap_or(LabelSource::WordnetId);
    let labels_csv = match (labels, raw.labels_csv) {
        (LabelSource::Csv, Some(csv)) => Some(hashed(&found.dir.join(csv))?),
        (LabelSource::Csv, None) => {
            return Err(ConfigError::value(file, "generate.labels_csv", "is missing; labels = \"csv\" needs it"));
        }
        (_, None) => None,
        (_, Some(_)) => {
            return Err(ConfigError::value(file, "generate.labels_csv", "has no meaning unless labels = \"csv\""));
        }
    };
    Ok(GenerateSpec::Folder(FolderSource {
        root: lookup::real_path(&found.dir.join(root)),
        labels,
        labels_csv,
        recursive: raw.recursive.unwrap_or(true),
        max_pixels: raw.max_pixels.unwrap_or(MAX_PIXELS),
        max_file_bytes: raw.max_file_bytes.unwrap_or(MAX_FILE_BYTES),
    }))
}

fn hashed(path: &Path) -> Result<WeightsSpec, ConfigError> {
    let bytes = std::fs::read(path).map_err(|source| ConfigError::Read { file: path.display().to_string(), source })?;
    Ok(WeightsSpec { path: lookup::real_path(path), bytes: bytes.len() as u64, sha256: Sha256::of(&bytes) })
}

fn fake(raw: &RawGenerate, file: &str) -> Result<GenerateSpec, ConfigError> {
    let fake = FakeImages {
        images_per_category: raw.images_per_category.unwrap_or(1),
        size_px: raw.size_px.unwrap_or(64),
        fail_every: raw.fail_every,
    };
    if fake.images_per_category == 0 || !(1..=4096).contains(&fake.size_px) || fake.fail_every == Some(0) {
        return Err(ConfigError::value(file, "generate", "has a count of 0 or a size_px outside 1 to 4096"));
    }
    Ok(GenerateSpec::Fake(fake))
}

fn mine(raw: RawMine, found: &Found) -> Result<MineRecipe, ConfigError> {
    let file = &found.file;
    let surrogates =
        raw.surrogates.iter().map(|name| surrogate::load(name, &found.dir, file)).collect::<Result<Vec<_>, _>>()?;
    let select = SelectSpec {
        surrogates: surrogates.iter().map(|surrogate| surrogate.name.clone()).collect(),
        rule: raw.rule.unwrap_or(Rule::All),
        label_space: raw.label_space.unwrap_or(LabelSpace::AnyOfIds),
        max_true_prob: raw.max_true_prob.unwrap_or(1.0),
        max_margin: raw.max_margin.unwrap_or(0.0),
        near_tie: raw.near_tie.unwrap_or(NEAR_TIE),
    };
    select.check().map_err(|source: RuleError| ConfigError::Rule { file: file.clone(), source })?;
    match raw.batch.unwrap_or(BATCH) {
        batch @ 1..=1024 => Ok(MineRecipe { batch, select, surrogates }),
        _ => Err(ConfigError::value(file, "mine.batch", "lies outside 1 to 1024")),
    }
}

impl SurrogateDef {
    /// Reads the surrogate `name`: a path to a TOML, or a name looked up from folder `from` (see [`super::find`]).
    pub fn load(name: &str, from: &Path) -> Result<Self, ConfigError> {
        surrogate::load(name, from, "the working directory")
    }
}
