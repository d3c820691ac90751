//! A folder for each class, as torchvision's `ImageFolder` reads them: ImageNet-A, -R, -Sketch and ImageNet's own
//! validation images by WordNet id, ImageNet-V2 by class index, and other trees by category. Also a folder of files
//! with WordNet ids in their names.

use super::error::BenchmarkError;
use super::names::ImagenetNames;
use super::tree::{Label, Labelled, Tree};
use crate::domain::{CategorySet, FolderNames};
use crate::source::labels::wordnet_ids_in;
use std::path::Path;

/// What the path of an image says; the class is the folder at the root, however deep the image lies.
pub fn labelled(path: &str, folders: FolderNames) -> Result<Labelled<'_>, String> {
    if folders == FolderNames::WordnetId {
        return Ok(Labelled { label: Label::Name(id_in(path)?), kind: None, nuisance: None });
    }
    let Some((folder, _)) = path.split_once('/') else {
        return Err("no label: the file is in the root itself, not in a folder that names its class".to_owned());
    };
    let label = match folders {
        FolderNames::Label | FolderNames::WordnetId => Label::Name(folder),
        FolderNames::ClassIndex => match index(folder) {
            Some(class) => Label::Class(class, folder),
            None => return Err(format!("no label: the folder `{folder}` is no class index")),
        },
    };
    Ok(Labelled { label, kind: None, nuisance: None })
}

/// The one WordNet id in the name of a file.
fn id_in(path: &str) -> Result<&str, String> {
    let mut ids = wordnet_ids_in(path.rsplit('/').next().unwrap_or(path));
    ids.sort_unstable();
    ids.dedup();
    match ids[..] {
        [id] => Ok(id),
        [] => Err("no label: the file's name has no WordNet id such as n01440764".to_owned()),
        _ => Err(format!("several labels: the file's name has the WordNet ids {}", ids.join(" and "))),
    }
}

/// Whether the images lie in the root itself and most have a WordNet id in their names.
pub fn has_ids_in_names(tree: &Tree) -> bool {
    let images = tree.images.len();
    let named = tree.images.iter().filter(|image| !image.path.contains('/') && id_in(&image.path).is_ok()).count();
    2 * named > images
}

/// Digits alone, with or without zeros before them.
fn index(folder: &str) -> Option<u32> {
    folder.bytes().all(|byte| byte.is_ascii_digit()).then(|| folder.parse().ok()).flatten()
}

/// What the folders of the tree are named by; `given`: the categories that people name.
///
/// Numbers are indices of ImageNet-1k only where there are all of them, or where people say which categories they are,
/// because other lists are numbered too.
pub fn names(
    root: &Path,
    tree: &Tree,
    given: Option<&CategorySet>,
    imagenet: &ImagenetNames,
) -> Result<FolderNames, BenchmarkError> {
    if has_ids_in_names(tree) {
        return Ok(FolderNames::WordnetId);
    }
    let folders = tree.folders();
    let are_ids = given.is_some_and(|set| folders.iter().any(|folder| set.by_id(folder).is_some()));
    let mut numbers: Vec<u32> = folders.iter().filter_map(|folder| index(folder)).collect();
    if are_ids || 2 * numbers.len() < folders.len() || numbers.is_empty() {
        return Ok(FolderNames::Label);
    }
    numbers.sort_unstable();
    let (classes, problem) = (imagenet.len(), |problem: String, remedy: String| BenchmarkError::Labels {
        path: root.to_owned(),
        problem,
        remedy,
    });
    if let Some(beyond) = numbers.iter().find(|&&number| number as usize >= classes) {
        return Err(problem(
            format!("its folder `{beyond}` is no class index of ImageNet-1k, which go from 0 to {}", classes - 1),
            "rename the folders (do they count from 1?), or give --categories with these ids".to_owned(),
        ));
    }
    if given.is_none() && numbers.len() != classes {
        let count = numbers.len();
        return Err(problem(
            format!("its {count} folders are numbers, which may be the classes of any list"),
            "give --categories imagenet-1k if they are class indices of ImageNet-1k, else a set with these ids"
                .to_owned(),
        ));
    }
    Ok(FolderNames::ClassIndex)
}
