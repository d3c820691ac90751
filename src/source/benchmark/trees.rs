//! Lists the images of a pool that is a tree of folders.

use std::path::Path;

use super::error::BenchmarkError;
use super::names::{ImagenetNames, Names, NoCategory};
use super::tree::{Label, Labelled, Tree};
use super::{image_folder, imagenet_c, imagenet_d, objectnet};
use crate::domain::{BenchmarkLayout, BenchmarkSource, Category, CategorySet, FolderNames, ItemId};
use crate::source::folder::{FoundFile, lost, row};
use crate::source::listing::{Listing, Rows};

/// What the path of an image says in the source's layout.
pub fn labelled<'p>(
    layout: BenchmarkLayout,
    folders: Option<FolderNames>,
    path: &'p str,
) -> Result<Labelled<'p>, String> {
    match layout {
        BenchmarkLayout::ImagenetD => imagenet_d::labelled(path),
        BenchmarkLayout::ImagenetC => imagenet_c::labelled(path),
        BenchmarkLayout::Objectnet => objectnet::labelled(path),
        BenchmarkLayout::Unlabelled => Ok(Labelled { label: Label::Nothing, kind: None, nuisance: None }),
        BenchmarkLayout::ImageFolder | BenchmarkLayout::Parquet | BenchmarkLayout::Release | BenchmarkLayout::Run => {
            image_folder::labelled(path, folders.unwrap_or(FolderNames::Label))
        }
    }
}

/// All images, by path.
pub fn list(source: &BenchmarkSource, categories: &CategorySet, seed: u64) -> Result<Listing, BenchmarkError> {
    let root = source.root.as_path();
    let Tree { images, passed_over } = Tree::walk(root)?;
    u32::try_from(images.len()).map_err(|_| BenchmarkError::TooMany { path: root.to_owned() })?;
    let imagenet = ImagenetNames::load()?;
    let names = Names::new(categories, &imagenet);
    let (mut rows, mut all_lost, mut outside) = (Vec::new(), Vec::new(), Outside::default());
    for (FoundFile { path, problem }, item) in images.into_iter().zip(0..) {
        let item_id = ItemId(item);
        let found = match problem {
            Some(reason) => Err(NoCategory::Unknown(reason)),
            None => labelled(source.layout, source.folders, &path)
                .map_err(NoCategory::Unknown)
                .and_then(|labelled| Ok((category(&labelled, &names, source.layout)?, labelled))),
        };
        match found {
            Ok((category, labelled)) => {
                let (kind, nuisance) = (labelled.kind.map(str::to_owned), labelled.nuisance.map(str::to_owned));
                let mut row = row(item_id, path.clone(), category, seed);
                (row.nuisance_kind, row.nuisance) = (kind, nuisance);
                rows.push(row);
            }
            Err(NoCategory::Outside) => outside.images += 1,
            Err(NoCategory::Unknown(reason)) => all_lost.push(lost(item_id, path, reason)),
        }
    }
    if rows.is_empty() {
        return Err(no_label(root, all_lost.first().map(|lost| lost.reason.as_str()), categories));
    }
    Ok(Listing { rows: Rows::Listed(rows), lost: all_lost, passed_over, notes: outside.notes(categories) })
}

fn category<'a>(labelled: &Labelled, names: &Names<'a>, layout: BenchmarkLayout) -> Result<&'a Category, NoCategory> {
    let found = match labelled.label {
        Label::Name(name) => names.category(name),
        Label::Class(class, name) => names.of_class(class, name),
        Label::Nothing => names.any(),
    };
    match found {
        // Two hundred of ObjectNet's classes are none of ImageNet's.
        Err(NoCategory::Unknown(_)) if layout == BenchmarkLayout::Objectnet => Err(NoCategory::Outside),
        found => found,
    }
}

/// Images whose classes the set does not have: they are no part of the pool.
#[derive(Default)]
pub struct Outside {
    /// How many.
    pub images: u64,
}

impl Outside {
    /// What people should know about them.
    pub fn notes(&self, categories: &CategorySet) -> Vec<String> {
        match self.images {
            0 => Vec::new(),
            1 => vec![format!("1 image is of a class that is not in {} and is left out", categories.name)],
            n => vec![format!("{n} images are of classes that are not in {} and are left out", categories.name)],
        }
    }
}

/// The error for a pool of which no image has a category.
pub fn no_label(path: &Path, reason: Option<&str>, categories: &CategorySet) -> BenchmarkError {
    let problem = match reason {
        Some(reason) => format!("no image has a category; the first one: {reason}"),
        None => format!("no image is of a class of {}", categories.name),
    };
    let remedy = "give --categories, or --layout if it was read in the wrong way".to_owned();
    BenchmarkError::Labels { path: path.to_owned(), problem, remedy }
}
