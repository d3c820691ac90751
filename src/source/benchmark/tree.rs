//! The image files of a pool that is a tree of folders, and what such a tree says of an image.
//!
//! Does not know layouts: each has a file of its own.

use std::fs;
use std::path::Path;

use rayon::prelude::*;

use super::error::BenchmarkError;
use crate::domain::{Key, PassedOver, Sha256};
use crate::source::folder::{Found, FoundFile, search};

/// The files below a folder.
#[derive(Debug)]
pub struct Tree {
    /// Images and what looks like one, by path; not those in hidden folders.
    pub images: Vec<FoundFile>,
    /// The other files.
    pub passed_over: PassedOver,
}

/// What a tree says of the image at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Labelled<'p> {
    /// Its class.
    pub label: Label<'p>,
    /// Kind of nuisance.
    pub kind: Option<&'p str>,
    /// The nuisance's value.
    pub nuisance: Option<&'p str>,
}

/// What a tree calls a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label<'p> {
    /// A WordNet id, or the id or name of a category.
    Name(&'p str),
    /// An index of ImageNet-1k, as the folder writes it.
    Class(u32, &'p str),
    /// Its images are of none of the categories; a plan needs one, so they get the first.
    Nothing,
}

impl Tree {
    /// The files below `root`.
    pub fn walk(root: &Path) -> Result<Self, BenchmarkError> {
        let found = search(root, true);
        let Found { files, passed_over } =
            found.map_err(|source| BenchmarkError::NotThere { path: root.to_owned(), source })?;
        Ok(Self { images: files, passed_over })
    }

    /// Hash of the names and sizes of its images.
    pub fn contents(&self, root: &Path) -> Sha256 {
        contents(root, self.images.iter().map(|image| image.path.as_str()).collect())
    }

    /// The folders at the root in which there are images, sorted, each once.
    pub fn folders(&self) -> Vec<&str> {
        let mut folders: Vec<&str> =
            self.images.iter().filter_map(|image| image.path.split_once('/')).map(|parts| parts.0).collect();
        folders.sort_unstable();
        folders.dedup();
        folders
    }
}

/// Hash of the names and sizes of the files at `paths`, relative to `root`.
pub fn contents(root: &Path, paths: Vec<&str>) -> Sha256 {
    let sizes: Vec<u64> =
        paths.par_iter().map(|path| fs::metadata(root.join(path)).map_or(0, |found| found.len())).collect();
    Key::new("contents of a pool", 1).list("files", paths).field("bytes", sizes.as_slice()).finish()
}

/// The parts of a path: folders, then the file.
pub fn parts(path: &str) -> Vec<&str> {
    path.split('/').collect()
}
