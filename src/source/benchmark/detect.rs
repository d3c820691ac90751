//! Tells how the images and labels of a pool lie, or says what was found and which `--layout` to give.

use std::path::Path;

use super::error::BenchmarkError;
use super::tree::{Tree, parts};
use super::{image_folder, imagenet_c, imagenet_d, objectnet, parquet};
use crate::config::built_in_set;
use crate::domain::BenchmarkLayout;
use crate::store::ReleaseDir;

/// The layout of the pool in the folder `root`.
pub fn layout(root: &Path) -> Result<BenchmarkLayout, BenchmarkError> {
    if ReleaseDir::find(root).is_some() {
        return Ok(BenchmarkLayout::Release);
    }
    let unclear = |found: &str, remedy: String| {
        Err(BenchmarkError::Layout { path: root.to_owned(), found: found.to_owned(), remedy })
    };
    if ReleaseDir::has_lost_record(root) {
        return unclear("it looks like a release without its release.json", "download or make it again".to_owned());
    }
    if root.join("evaluation.toml").is_file() {
        return unclear("it is an evaluation", "give the pool that it is of".to_owned());
    }
    if is_run(root) {
        return Ok(BenchmarkLayout::Run);
    }
    let (tree, tables) = (Tree::walk(root)?, parquet::files(root)?);
    match (tree.images.is_empty(), tables.is_empty()) {
        (true, true) => Err(BenchmarkError::Empty {
            path: root.to_owned(),
            layout: BenchmarkLayout::ImageFolder,
            found: if tree.passed_over.is_empty() { String::new() } else { format!(" ({})", tree.passed_over.words()) },
            remedy: "give a run, a release, or the folder of a benchmark".to_owned(),
        }),
        (true, false) => Ok(BenchmarkLayout::Parquet),
        (false, false) => {
            let found = format!("it has {} images in folders and {} Parquet files", tree.images.len(), tables.len());
            unclear(&found, "give --layout parquet or --layout image-folder".to_owned())
        }
        (false, true) => of_tree(root, &tree),
    }
}

/// Whether `root` is a run directory.
pub fn is_run(root: &Path) -> bool {
    root.join("spec.toml").is_file()
}

fn of_tree(root: &Path, tree: &Tree) -> Result<BenchmarkLayout, BenchmarkError> {
    let unclear = |found: String, remedy: String| Err(BenchmarkError::Layout { path: root.to_owned(), found, remedy });
    if imagenet_c::is_one(tree) {
        return Ok(BenchmarkLayout::ImagenetC);
    }
    if imagenet_d::is_one(tree) {
        return Ok(BenchmarkLayout::ImagenetD);
    }
    if imagenet_c::is_one_corruption(tree) {
        let found = "it seems to be one corruption of ImageNet-C, <severity>/<WordNet id>/<file>".to_owned();
        return unclear(found, "give the folder above it, so that the corruption has its name".to_owned());
    }
    if built_in_set(objectnet::SET)?.is_some_and(|set| objectnet::is_one(tree, &set)) {
        return Ok(BenchmarkLayout::Objectnet);
    }
    match tree.folders()[..] {
        _ if image_folder::has_ids_in_names(tree) => Ok(BenchmarkLayout::ImageFolder),
        [] => unclear(
            "its images are in the folder itself, not in folders that name their classes".to_owned(),
            "give a folder with a folder for each class, or files with WordNet ids in their names".to_owned(),
        ),
        // One class is no benchmark, but a folder around the folders of classes is common.
        [only] if tree.images.iter().all(|image| parts(&image.path).len() > 2) => unclear(
            format!("all of its images are below one folder, {only}"),
            format!("give {}, or --layout", root.join(only).display()),
        ),
        _ => Ok(BenchmarkLayout::ImageFolder),
    }
}
