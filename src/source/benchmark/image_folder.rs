//! A folder for each class, as torchvision's `ImageFolder` reads them: ImageNet-A, -R, -Sketch and ImageNet's own
//! validation images by WordNet id, ImageNet-V2 by class index, and other trees by category.

use super::error::BenchmarkError;
use super::names::ImagenetNames;
use super::tree::{Label, Labelled, Tree};
use crate::domain::{CategorySet, FolderNames};
use std::path::Path;

/// What the path of an image says; the class is the folder at the root, however deep the image lies.
pub fn labelled(path: &str, folders: FolderNames) -> Result<Labelled<'_>, String> {
    let Some((folder, _)) = path.split_once('/') else {
        return Err("no label: the file is in the root itself, not in a folder that names its class".to_owned());
    };
    let label = match folders {
        FolderNames::Label => Label::Name(folder),
        FolderNames::ClassIndex => match index(folder) {
            Some(class) => Label::Class(class, folder),
            None => return Err(format!("no label: the folder `{folder}` is no class index")),
        },
    };
    Ok(Labelled { label, kind: None, nuisance: None })
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
