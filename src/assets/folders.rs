//! Data directories: `--data-dir`, `$HARDSET_DATA_DIR` and the user's cache, searched for file names at any depth.

use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::{AssetError, pins};
use crate::domain::{DataEntry, DataSource, Sha256};
use crate::store::hash_file;

/// Where external files are looked for, in order.
#[derive(Debug, Clone)]
pub struct DataFolders {
    folders: Vec<PathBuf>,
    cache: PathBuf,
}

/// A file that was found and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// Where it is.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Its hash.
    pub sha256: Sha256,
}

impl DataFolders {
    /// `given`, then `$HARDSET_DATA_DIR`, then the cache: `$HARDSET_CACHE_DIR`, else `hardset` below `$XDG_CACHE_HOME`
    /// or `~/.cache`.
    pub fn from_env(given: &[PathBuf]) -> Self {
        let var = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let base = || var("XDG_CACHE_HOME").or_else(|| var("HOME").map(|home| home.join(".cache")));
        let cache = var("HARDSET_CACHE_DIR").or_else(|| base().map(|base| base.join("hardset")));
        let cache = cache.unwrap_or_else(|| std::env::temp_dir().join("hardset-cache"));
        Self { folders: given.iter().cloned().chain(var("HARDSET_DATA_DIR")).collect(), cache }
    }

    /// The folder into which files are fetched.
    pub fn cache(&self) -> &Path {
        &self.cache
    }

    /// All folders, in the order in which they are searched.
    pub fn all(&self) -> impl Iterator<Item = &Path> {
        self.folders.iter().chain([&self.cache]).map(PathBuf::as_path)
    }

    /// Files of this name below the folders, in order.
    pub fn files_named(&self, matches: impl Fn(&str) -> bool) -> Vec<PathBuf> {
        self.all().flat_map(|folder| search(folder, &matches)).collect()
    }

    /// Finds and checks the file of `entry`.
    pub fn locate(&self, entry: &DataEntry) -> Result<Located, AssetError> {
        let wanted = self.wanted_hash(entry);
        let mut wrong = None;
        for path in self.files_named(|name| name == entry.file) {
            // A file that cannot be read must not hide a good file of the same name.
            let Ok(located) = read(&path) else { continue };
            match wanted {
                Some(hash) if hash != located.sha256 => {
                    wrong.get_or_insert((path, located.sha256, hash));
                }
                _ => return Ok(located),
            }
        }
        Err(match wrong {
            Some((path, found, wanted)) => AssetError::WrongHash {
                id: entry.id.clone(),
                path: path.display().to_string(),
                found: format!("SHA-256 {found}"),
                wanted: wanted.to_string(),
            },
            None => self.missing(entry),
        })
    }

    /// The hash that a file must have: the manifest's, or the one that was pinned when it was fetched.
    pub fn wanted_hash(&self, entry: &DataEntry) -> Option<Sha256> {
        entry.sha256.or_else(|| pins::pinned(&self.cache, &entry.id))
    }

    /// The first file of this name, without a check of its hash: for a library, whose version is checked instead.
    pub fn locate_unpinned(&self, name: &str) -> Option<PathBuf> {
        self.files_named(|file| file == name).into_iter().next()
    }

    fn missing(&self, entry: &DataEntry) -> AssetError {
        let folders: Vec<String> = self.all().map(|folder| folder.display().to_string()).collect();
        let remedy = match &entry.source {
            Some(DataSource::Hub { .. } | DataSource::Pip(_)) => {
                format!("run `hardset fetch {}`, or name its folder with --data-dir", entry.id)
            }
            None => "name the folder that has it with --data-dir or $HARDSET_DATA_DIR".to_owned(),
        };
        AssetError::Missing { id: entry.id.clone(), file: entry.file.clone(), folders: folders.join(", "), remedy }
    }
}

/// Hashes the file at `path`.
pub(super) fn read(path: &Path) -> Result<Located, AssetError> {
    let (bytes, sha256) = hash_file(path).map_err(AssetError::io("read", path))?;
    Ok(Located { path: path.to_owned(), bytes, sha256 })
}

impl Located {
    /// Hashes a file that a recipe names by path, and compares it with the hash in the recipe, if there is one.
    pub fn at(path: &Path, name: &str, wanted: Option<Sha256>) -> Result<Self, AssetError> {
        let located = read(path)?;
        match wanted {
            Some(wanted) if wanted != located.sha256 => Err(AssetError::WrongHash {
                id: name.to_owned(),
                path: path.display().to_string(),
                found: format!("SHA-256 {}", located.sha256),
                wanted: wanted.to_string(),
            }),
            _ => Ok(located),
        }
    }
}

/// Files below `folder` whose names match, in the order of names. Folders that cannot be read hold none; links are
/// followed, but not back to a folder around them.
fn search(folder: &Path, matches: &impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let entries = WalkDir::new(folder).min_depth(1).follow_links(true).sort_by_file_name().into_iter().flatten();
    let files = entries.filter(|entry| entry.file_type().is_file() && matches(&entry.file_name().to_string_lossy()));
    files.map(DirEntry::into_path).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn entry(sha256: Option<Sha256>) -> DataEntry {
        DataEntry { id: "m".into(), file: "m.onnx".into(), bytes: None, sha256, licence: "MIT".into(), source: None }
    }

    #[test]
    fn of_several_files_the_one_with_the_right_hash_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        for (folder, bytes) in [("a", b"wrong"), ("b", b"right")] {
            fs::create_dir_all(dir.path().join(folder)).unwrap();
            fs::write(dir.path().join(folder).join("m.onnx"), bytes).unwrap();
        }
        let folders = DataFolders { folders: vec![dir.path().to_owned()], cache: dir.path().join("none") };
        let located = folders.locate(&entry(Some(Sha256::of(b"right")))).unwrap();
        assert_eq!((located.path, located.bytes), (dir.path().join("b/m.onnx"), 5));
        let wrong = folders.locate(&entry(Some(Sha256::of(b"other")))).unwrap_err().to_string();
        assert!(wrong.contains("a/m.onnx is not `m`"), "{wrong}");
        let missing = folders.locate(&DataEntry { file: "n.onnx".into(), ..entry(None) }).unwrap_err().to_string();
        assert!(missing.contains("--data-dir"), "{missing}");
    }
}
