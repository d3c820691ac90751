//! Finds TOML files by path or by name: beside the file that names them, in a folder above it, among the built-in
//! ones, or among those that a wheel has installed.

use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};
use serde::de::DeserializeOwned;

use super::ConfigError;
use crate::{input, installed};

static CATEGORIES: Dir = include_dir!("$CARGO_MANIFEST_DIR/categories");
static CLASS_SPACES: Dir = include_dir!("$CARGO_MANIFEST_DIR/class-spaces");
static NUISANCES: Dir = include_dir!("$CARGO_MANIFEST_DIR/nuisances");
static SURROGATES: Dir = include_dir!("$CARGO_MANIFEST_DIR/surrogates");
static PIPELINES: Dir = include_dir!("$CARGO_MANIFEST_DIR/pipelines");

/// A TOML file that was found.
#[derive(Debug, Clone)]
pub struct TomlFile {
    /// Its name in messages: its path, or `built-in …`.
    pub file: String,
    /// Its text.
    pub text: String,
    /// The folder to which paths in it are relative.
    pub dir: PathBuf,
    /// The stem of its name.
    pub stem: String,
}

impl TomlFile {
    /// Reads the file at `path`.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let file = path.display().to_string();
        let text = input::read_text(path, input::TOML_BYTES)
            .map_err(|source| ConfigError::Read { file: file.clone(), source })?;
        let dir = match path.parent() {
            Some(dir) if !dir.as_os_str().is_empty() => dir.to_owned(),
            _ => PathBuf::from("."),
        };
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { file, text, dir, stem })
    }

    /// Parses it; an unknown key is an error that names the key and its line.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        toml::from_str(&self.text)
            .map_err(|e| ConfigError::Toml { file: self.file.clone(), message: e.to_string().trim().to_owned() })
    }

    /// Whether it names files outside its folder, which a built-in file does not have.
    fn has_neighbours(&self) -> bool {
        ["\"../", "'../"].iter().any(|path| self.text.contains(path))
    }
}

/// Finds the file that `name` refers to: a path if it looks like one, else `<folder>/<name>.toml` in the folder `from`
/// or the nearest folder above it, else a built-in file, or one that was installed with the program. `file` is the file
/// that names it, for messages.
pub fn find(folder: &'static str, name: &str, from: &Path, file: &str) -> Result<TomlFile, ConfigError> {
    if folder == "surrogates" && Path::new(name).extension().is_some_and(|end| end.eq_ignore_ascii_case("onnx")) {
        return Err(ConfigError::ModelForToml { model: name.to_owned() });
    }
    if name.ends_with(".toml") || name.contains('/') {
        return TomlFile::read(&from.join(name));
    }
    let absolute = real_path(from);
    let places = absolute.ancestors().map(|dir| dir.join(folder).join(format!("{name}.toml")));
    if let Some(path) = places.into_iter().find(|path| path.is_file()) {
        return TomlFile::read(&path);
    }
    match built_in(folder, name) {
        Some(found) if found.has_neighbours() => in_share(folder, name),
        Some(found) => Ok(found),
        None => Err(ConfigError::Unknown {
            kind: kind_of(folder),
            folder,
            name: name.to_owned(),
            from: file.to_owned(),
            known: built_in_names(folder).join(", "),
        }),
    }
}

/// The file of a built-in one that needs others beside it: as the wheel has installed it.
fn in_share(folder: &'static str, name: &str) -> Result<TomlFile, ConfigError> {
    let path = installed::share().map(|share| share.join(folder).join(format!("{name}.toml")));
    match path.filter(|path| path.is_file()) {
        Some(path) => TomlFile::read(&path),
        None => Err(ConfigError::NeedsFiles { folder, name: name.to_owned() }),
    }
}

/// `path` without links and `..`, so that a folder has one name; a path that does not exist is only made absolute.
pub fn real_path(path: &Path) -> PathBuf {
    path.canonicalize().or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.to_owned())
}

pub(super) fn built_in(folder: &str, name: &str) -> Option<TomlFile> {
    let text = dir_of(folder).get_file(format!("{name}.toml"))?.contents_utf8()?;
    Some(TomlFile {
        file: format!("built-in {folder}/{name}.toml"),
        text: text.to_owned(),
        dir: PathBuf::from("."),
        stem: name.to_owned(),
    })
}

/// The sorted names of the built-in files in `folder` (`categories`, `class-spaces`, …).
pub fn built_in_names(folder: &str) -> Vec<String> {
    let stems = dir_of(folder).files().filter_map(|file| file.path().file_stem()?.to_str());
    let mut names: Vec<String> = stems.map(str::to_owned).collect();
    names.sort();
    names
}

fn dir_of(folder: &str) -> &'static Dir<'static> {
    match folder {
        "categories" => &CATEGORIES,
        "class-spaces" => &CLASS_SPACES,
        "nuisances" => &NUISANCES,
        "surrogates" => &SURROGATES,
        _ => &PIPELINES,
    }
}

fn kind_of(folder: &str) -> &'static str {
    match folder {
        "categories" => "category set",
        "class-spaces" => "class space",
        "nuisances" => "nuisance",
        "surrogates" => "surrogate",
        _ => "pipeline",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_is_built_in_only_the_quick_start_needs_a_checkout() {
        let mut needing = Vec::new();
        for folder in ["categories", "class-spaces", "nuisances", "surrogates", "pipelines"] {
            for name in built_in_names(folder) {
                if built_in(folder, &name).is_some_and(|found| found.has_neighbours()) {
                    needing.push((folder, name));
                }
            }
        }
        assert_eq!(needing, [("pipelines", "quickstart".to_owned())]);
    }
}
