//! Opens a pool: tells its layout, checks what can be checked before an image is read, and finds its categories.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::error::BenchmarkError;
use super::names::{ImagenetNames, set_of};
use super::opened::{OpenedPool, PoolOptions};
use super::tree::{Label, Tree};
use super::{detect, image_folder, imagenet_c, objectnet, parquet, release, run, trees};
use crate::config::{built_in_set, real_path};
use crate::domain::{BenchmarkLayout, BenchmarkSource, CategorySet, FolderNames, ParquetColumns, Sha256};
use crate::store::{ReleaseDir, RunDir};

/// Opens the pool at `path`.
pub fn open_pool(path: &Path, options: &PoolOptions) -> Result<OpenedPool, BenchmarkError> {
    let not_there = |source| BenchmarkError::NotThere { path: path.to_owned(), source };
    let root = real_path(path);
    if fs::metadata(&root).map_err(not_there)?.is_file() {
        return one_file(path, &root, options);
    }
    fs::read_dir(&root).map_err(not_there)?;
    let layout = match options.layout {
        Some(layout) => layout,
        None => detect::layout(&root)?,
    };
    check_options(path, layout, options)?;
    let mut pool = match layout {
        BenchmarkLayout::Release => of_release(&root, options),
        BenchmarkLayout::Run => of_run(&root, options),
        BenchmarkLayout::Parquet => of_parquet(&root, None, options),
        BenchmarkLayout::ImagenetD
        | BenchmarkLayout::ImagenetC
        | BenchmarkLayout::Objectnet
        | BenchmarkLayout::ImageFolder
        | BenchmarkLayout::Unlabelled => of_tree(&root, layout, options),
    }?;
    let is_ours = [BenchmarkLayout::Release, BenchmarkLayout::Run].contains(&layout);
    if options.layout.is_none() && !is_ours {
        pool.notes.insert(0, format!("{} was taken for {}; --layout says otherwise", pool.name, layout.words()));
    }
    Ok(pool)
}

fn one_file(path: &Path, file: &Path, options: &PoolOptions) -> Result<OpenedPool, BenchmarkError> {
    let is_parquet = file.extension().is_some_and(|ext| ext.eq_ignore_ascii_case("parquet"));
    let (Some(folder), Some(name), true) = (file.parent(), file.file_name(), is_parquet) else {
        return Err(BenchmarkError::Layout {
            path: path.to_owned(),
            found: "it is a file, and no Parquet".to_owned(),
            remedy: "give a run, a release, or the folder (or Parquet file) of a benchmark".to_owned(),
        });
    };
    check_options(path, options.layout.unwrap_or(BenchmarkLayout::Parquet), options)?;
    of_parquet(folder, Some(name.to_string_lossy().into_owned()), options)
}

/// An error for an option that says nothing of a pool of this layout.
fn check_options(path: &Path, layout: BenchmarkLayout, options: &PoolOptions) -> Result<(), BenchmarkError> {
    let columns = [
        ("--image-column", options.image_column.is_some()),
        ("--label-column", options.label_column.is_some()),
        ("--split", options.split.is_some()),
    ];
    let of_parquet = columns.into_iter().find(|&(_, given)| given && layout != BenchmarkLayout::Parquet);
    let own_categories = [BenchmarkLayout::Release, BenchmarkLayout::Run].contains(&layout);
    let stray = of_parquet.or((own_categories && options.categories.is_some()).then_some(("--categories", true)));
    match stray {
        None => Ok(()),
        Some((option, _)) => Err(BenchmarkError::Layout {
            path: path.to_owned(),
            found: format!("it is {}, for which {option} says nothing", layout.words()),
            remedy: format!("leave {option} out"),
        }),
    }
}

/// A source without what only some layouts have.
fn source(root: &Path, layout: BenchmarkLayout, contents: Sha256, options: &PoolOptions) -> BenchmarkSource {
    let border_px = if layout == BenchmarkLayout::Objectnet { objectnet::BORDER_PX } else { 0 };
    let prepared_px = (layout == BenchmarkLayout::ImagenetC).then_some(imagenet_c::PREPARED_PX);
    BenchmarkSource {
        root: root.to_owned(),
        layout,
        contents,
        photographs: None,
        folders: None,
        columns: None,
        border_px: options.border_px.unwrap_or(border_px),
        prepared_px: options.prepared_px.or(prepared_px),
        max_pixels: BenchmarkSource::MAX_PIXELS,
        max_file_bytes: BenchmarkSource::MAX_FILE_BYTES,
    }
}

fn of_release(root: &Path, options: &PoolOptions) -> Result<OpenedPool, BenchmarkError> {
    let Some(found) = ReleaseDir::find(root) else {
        return Err(not_one(root, BenchmarkLayout::Release, "it has no release.json"));
    };
    let checked = release::check(&found)?;
    if checked.record.images == 0 {
        return Err(empty(root, BenchmarkLayout::Release, "make a release with images"));
    }
    Ok(OpenedPool {
        source: source(root, BenchmarkLayout::Release, checked.key, options),
        categories: checked.categories,
        name: checked.record.name,
        version: Some(checked.record.version),
        key: Some(checked.key),
        surrogates: checked.record.surrogates,
        notes: Vec::new(),
    })
}

fn of_run(root: &Path, options: &PoolOptions) -> Result<OpenedPool, BenchmarkError> {
    if !detect::is_run(root) {
        return Err(not_one(root, BenchmarkLayout::Run, "it has no spec.toml"));
    }
    let found = run::find(&RunDir::at(root))?;
    let mut source = source(root, BenchmarkLayout::Run, found.contents, options);
    source.photographs = found.photographs;
    if run::list(&source)?.rows.is_empty() {
        return Err(empty(root, BenchmarkLayout::Run, "`hardset status` says what it has lost"));
    }
    Ok(OpenedPool {
        source,
        categories: found.spec.categories,
        name: found.spec.name,
        version: None,
        key: None,
        surrogates: found.voters,
        notes: Vec::new(),
    })
}

fn of_parquet(root: &Path, file: Option<String>, options: &PoolOptions) -> Result<OpenedPool, BenchmarkError> {
    let name = match &file {
        Some(file) => Path::new(file).file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        None => folder_name(root),
    };
    let parquet::Found { columns, contents, labels } = parquet::find(root, file, options)?;
    let mut notes = vec![parquet_note(&columns)];
    let imagenet = ImagenetNames::load()?;
    let labels: BTreeSet<&str> = labels.iter().map(String::as_str).collect();
    let categories = match (&options.categories, labels.is_empty()) {
        (Some(set), _) => set.clone(),
        (None, false) => detected(root, &labels, &imagenet, &mut notes)?,
        (None, true) => {
            return Err(BenchmarkError::Labels {
                path: root.to_owned(),
                problem: format!("the labels in its column `{}` are numbers without names", columns.label),
                remedy: "give --categories with the set whose places they are".to_owned(),
            });
        }
    };
    let mut source = source(root, BenchmarkLayout::Parquet, contents, options);
    source.columns = Some(columns);
    Ok(OpenedPool { source, categories, name, version: None, key: None, surrogates: Vec::new(), notes })
}

fn parquet_note(columns: &ParquetColumns) -> String {
    format!("images are in the column `{}`, labels in `{}`", columns.image, columns.label)
}

fn of_tree(root: &Path, layout: BenchmarkLayout, options: &PoolOptions) -> Result<OpenedPool, BenchmarkError> {
    let tree = Tree::walk(root)?;
    if tree.images.is_empty() {
        return Err(empty(root, layout, "give another folder or --layout"));
    }
    let (imagenet, mut notes) = (ImagenetNames::load()?, Vec::new());
    let mut source = source(root, layout, tree.contents(root), options);
    if layout == BenchmarkLayout::ImageFolder {
        source.folders = Some(image_folder::names(root, &tree, options.categories.as_ref(), &imagenet)?);
    }
    let built_in = match layout {
        BenchmarkLayout::ImagenetD => built_in_set("imagenet-d")?,
        BenchmarkLayout::Objectnet => built_in_set(objectnet::SET)?,
        // Any set: none of its images has a category.
        BenchmarkLayout::Unlabelled => built_in_set("imagenet-1k")?,
        _ if source.folders == Some(FolderNames::ClassIndex) => built_in_set("imagenet-1k")?,
        _ => None,
    };
    let categories = match options.categories.clone().or(built_in) {
        Some(set) => set,
        None => detected(root, &names_of(&tree, &source), &imagenet, &mut notes)?,
    };
    if source.border_px > 0 {
        notes.push(format!("{} px are cut off at each side of its images", source.border_px));
    }
    if let Some(px) = source.prepared_px {
        notes.push(format!("images of {px} x {px} px are not resized again"));
    }
    let name = folder_name(root);
    Ok(OpenedPool { source, categories, name, version: None, key: None, surrogates: Vec::new(), notes })
}

/// What the tree calls its classes.
fn names_of<'t>(tree: &'t Tree, source: &BenchmarkSource) -> BTreeSet<&'t str> {
    let labelled = |path: &'t str| trees::labelled(source.layout, source.folders, path).ok();
    let name = |label: Label<'t>| match label {
        Label::Name(name) | Label::Class(_, name) => name,
        Label::Nothing => "",
    };
    tree.images.iter().filter_map(|image| labelled(&image.path)).map(|labelled| name(labelled.label)).collect()
}

/// The built-in set of `labels`, with a note that says which it is.
fn detected(
    root: &Path,
    labels: &BTreeSet<&str>,
    imagenet: &ImagenetNames,
    notes: &mut Vec<String>,
) -> Result<CategorySet, BenchmarkError> {
    let labels_error = |problem: String| BenchmarkError::Labels {
        path: root.to_owned(),
        problem,
        remedy: "give --categories with the set that it is of".to_owned(),
    };
    if labels.is_empty() {
        return Err(labels_error("none of its images has a label where the layout has one".to_owned()));
    }
    let set = set_of(labels, imagenet)?.map_err(labels_error)?;
    notes.push(format!("its {} classes are of the category set {}", labels.len(), set.name));
    Ok(set)
}

fn folder_name(root: &Path) -> String {
    root.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn not_one(root: &Path, layout: BenchmarkLayout, found: &str) -> BenchmarkError {
    let remedy = format!("it is not {}: leave --layout out, or give another one", layout.words());
    BenchmarkError::Layout { path: root.to_owned(), found: found.to_owned(), remedy }
}

fn empty(root: &Path, layout: BenchmarkLayout, remedy: &str) -> BenchmarkError {
    BenchmarkError::Empty { path: root.to_owned(), layout, found: String::new(), remedy: remedy.to_owned() }
}
