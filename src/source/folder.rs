//! Photographs in a folder: listed in the order of their paths, pinned by hash, and read where they are.
//!
//! Holds always: nothing is written to the folder, because it belongs to somebody else; a file that cannot be an item
//! is listed with a reason.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use rayon::prelude::*;
use walkdir::{DirEntry, WalkDir};

use super::error::SourceError;
use super::kind::Source;
use super::labels::Labels;
use super::listing::{Listing, Rows};
use crate::domain::{
    Category, CategorySet, DropRow, EngineChoice, FolderSource, ItemId, Outcome, PassedOver, Philox, PlanRow, Sha256,
    Stage,
};
use crate::generator::{Generator, GeneratorError, Means, Picture, Pictures};
use crate::imaging::{self, DecodeLimits};
use crate::render::release::SourceFacts;

/// Those under which Pillow knows the formats that are read.
const EXTENSIONS: [&str; 9] = ["jpg", "jpeg", "jpe", "jfif", "png", "apng", "webp", "bmp", "dib"];

impl Source for FolderSource {
    fn list(&self, categories: &CategorySet, seed: u64) -> Result<Listing, SourceError> {
        list(self, categories, seed)
    }

    fn generator(&self, _means: &Means) -> Result<Box<dyn Generator>, SourceError> {
        Ok(Box::new(Folder(self.clone())))
    }

    fn stored_bytes(&self, _items: u64) -> u64 {
        0
    }

    fn folder(&self) -> Option<&Path> {
        Some(&self.root)
    }

    fn check_there(&self) -> Result<(), SourceError> {
        match fs::read_dir(&self.root) {
            Ok(_) => Ok(()),
            Err(source) => Err(SourceError::Gone { path: self.root.clone(), source }),
        }
    }

    fn limits(&self) -> DecodeLimits {
        DecodeLimits { max_pixels: self.max_pixels, max_file_bytes: self.max_file_bytes }
    }

    /// The folder's name without its path, because the page may be published.
    fn words(&self, _engine: Option<EngineChoice>) -> String {
        format!("folder {}", self.root.file_name().unwrap_or_default().display())
    }

    fn facts(&self) -> SourceFacts {
        SourceFacts::Photographs {
            folder_name: self.root.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        }
    }
}

/// Pins the files of a folder.
struct Folder(FolderSource);

impl Folder {
    fn pin(&self, request: &PlanRow) -> Outcome<Picture> {
        let Some(path) = request.source.clone() else {
            return Outcome::Failed("the plan names no file".to_owned());
        };
        let bytes = match read_picture_file(&self.0.root.join(&path), self.0.max_file_bytes, "generate.max_file_bytes")
        {
            Ok(bytes) => bytes,
            Err(reason) => return Outcome::Dropped(reason),
        };
        match imaging::dimensions(&bytes, &self.0.limits()) {
            Ok(size_px) => Outcome::Kept(Picture::Found {
                path,
                offset: 0,
                bytes: bytes.len() as u64,
                sha256: Sha256::of(&bytes),
                size_px,
            }),
            Err(error) => Outcome::Dropped(error.to_string()),
        }
    }
}

impl Generator for Folder {
    fn generate(&mut self, requests: &[PlanRow]) -> Result<Pictures, GeneratorError> {
        Ok(Pictures::ready(requests.par_iter().map(|request| self.pin(request)).collect()))
    }
}

/// The bytes of the picture file at `path`, or why they cannot be read; never reads more than `limit`, which people
/// know by the name `limited_by`.
///
/// A name that leads to something else than a file (a pipe, a device) is refused, because reading it may never end.
pub fn read_picture_file(path: &Path, limit: u64, limited_by: &str) -> Result<Vec<u8>, String> {
    let cannot = |e: io::Error| format!("the file cannot be read: {e}");
    let about = fs::metadata(path).map_err(cannot)?;
    if !about.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    let size = about.len();
    if size > limit {
        return Err(format!("the file has {size} bytes, more than {limited_by} = {limit}"));
    }
    let mut bytes = Vec::with_capacity(size as usize);
    File::open(path).map_err(cannot)?.take(limit).read_to_end(&mut bytes).map_err(cannot)?;
    Ok(bytes)
}

fn list(source: &FolderSource, categories: &CategorySet, seed: u64) -> Result<Listing, SourceError> {
    let labels = Labels::new(source, categories)?;
    let root = source.root.as_path();
    let found = search(root, source.recursive).map_err(|e| SourceError::Folder { path: root.to_owned(), source: e })?;
    let Found { files, passed_over } = found;
    if files.is_empty() {
        return Err(SourceError::Empty { root: root.to_owned(), passed_over });
    }
    u32::try_from(files.len()).map_err(|_| SourceError::TooMany)?;
    labels.check(files.iter().map(|file| file.path.as_str()))?;
    let notes = labels.notes(files.iter().map(|file| file.path.as_str()));
    let (mut rows, mut all_lost) = (Vec::new(), Vec::new());
    for (FoundFile { path, problem }, item) in files.into_iter().zip(0..) {
        let item_id = ItemId(item);
        match problem.map_or_else(|| labels.of(&path), Err) {
            Ok(category) => rows.push(row(item_id, path, category, seed)),
            Err(reason) => all_lost.push(lost(item_id, path, reason)),
        }
    }
    if rows.is_empty() {
        let reason = [&[all_lost[0].reason.clone()][..], &notes].concat().join("; ");
        return Err(SourceError::NoLabel { root: root.to_owned(), reason });
    }
    Ok(Listing { rows: Rows::Listed(rows), lost: all_lost, passed_over, notes })
}

pub(super) fn lost(item_id: ItemId, source: String, reason: String) -> DropRow {
    DropRow { item_id, stage: Stage::Plan, source, reason }
}

pub(super) fn row(item_id: ItemId, path: String, category: &Category, seed: u64) -> PlanRow {
    // The seed depends on the file's name, not on its position, so that more photographs change no other item.
    let mut named = b"\x04\0\0\0\0\0\0\0path".to_vec();
    named.extend((path.len() as u64).to_le_bytes());
    named.extend(path.as_bytes());
    let [a, b, c, d, e, f, g, h, ..] = *Sha256::of(&named).bytes();
    let stream = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
    PlanRow {
        item_id,
        category: category.id.clone(),
        label_ids: category.imagenet_ids.iter().map(|&id| id as i32).collect(),
        nuisance_kind: None,
        nuisance: None,
        template: None,
        prompt: None,
        negative_prompt: None,
        seed: Philox::new(seed, stream).u64(0),
        source: Some(path),
    }
}

/// The images below a folder, for comparing with them.
#[derive(Debug)]
pub struct ImagesBelow {
    /// Relative to the folder, with `/` between parts, sorted.
    pub paths: Vec<String>,
    /// The other files.
    pub passed_over: PassedOver,
}

/// All images below `root`. Names that cannot be images of a run are ignored; a folder that cannot be read is an error.
pub fn images_below(root: &Path) -> Result<ImagesBelow, SourceError> {
    let found = search(root, true).map_err(|e| SourceError::Compare { path: root.to_owned(), source: e })?;
    let paths = found.files.into_iter().filter(|found| found.problem.is_none()).map(|found| found.path).collect();
    Ok(ImagesBelow { paths, passed_over: found.passed_over })
}

/// An image below a folder, or something that looks like one.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FoundFile {
    /// Relative to the root, with `/` between parts.
    pub path: String,
    /// Why it cannot be an item.
    pub problem: Option<String>,
}

/// What is below a folder.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Images and what looks like one, by path.
    pub files: Vec<FoundFile>,
    /// The other files, without hidden ones.
    pub passed_over: PassedOver,
}

/// All images below `root`, sorted. Links are followed, but not back to a folder around them.
///
/// Hidden files are ignored, files without an image's extension are counted. A root that cannot be read is an error,
/// and so is a folder that cannot be named.
pub(super) fn search(root: &Path, recursive: bool) -> io::Result<Found> {
    fs::read_dir(root)?;
    let depth = if recursive { usize::MAX } else { 1 };
    let is_shown = |entry: &DirEntry| entry.depth() == 0 || !is_hidden(entry.path());
    let mut found = Found::default();
    for entry in WalkDir::new(root).follow_links(true).max_depth(depth).into_iter().filter_entry(is_shown) {
        match entry {
            Ok(entry) => match image(root, entry.path()) {
                Some(file) => found.files.push(file),
                None if entry.file_type().is_file() => found.passed_over.add(&entry.file_name().to_string_lossy()),
                None => {}
            },
            // Some errors below the root name no path: without one there can be no row, and nothing may be lost.
            Err(error) if error.depth() == 0 || error.path().is_none() => return Err(error.into()),
            Err(error) => found.files.extend(unreadable(root, &error)),
        }
    }
    found.files.sort();
    Ok(found)
}

/// The image at `path`; `None` for anything else.
fn image(root: &Path, path: &Path) -> Option<FoundFile> {
    let name = path.file_name().unwrap_or_default();
    if path.is_dir() || !is_image(&name.to_string_lossy()) {
        return None;
    }
    let relative = relative(root, path);
    let problem = if name.to_str().is_none() || relative.contains(char::REPLACEMENT_CHARACTER) {
        Some("its name, or that of its folder, is not UTF-8; rename it".to_owned())
    } else if !path.is_file() {
        Some("it is not a regular file".to_owned())
    } else {
        None
    };
    Some(FoundFile { path: relative, problem })
}

/// The problem with a folder that cannot be read, or with a broken link; `None` for a link back up.
fn unreadable(root: &Path, error: &walkdir::Error) -> Option<FoundFile> {
    let path = error.path().filter(|path| !is_hidden(path))?;
    if error.loop_ancestor().is_some() {
        return None;
    }
    if !path.is_dir() {
        return image(root, path);
    }
    let cause = error.io_error().map_or_else(|| error.to_string(), ToString::to_string);
    Some(FoundFile { path: relative(root, path), problem: Some(format!("the folder cannot be read: {cause}")) })
}

fn relative(root: &Path, path: &Path) -> String {
    let parts = path.strip_prefix(root).unwrap_or(path).iter().map(|part| part.to_string_lossy());
    parts.collect::<Vec<_>>().join("/")
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().unwrap_or_default().to_string_lossy().starts_with('.')
}

fn is_image(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, ext)| EXTENSIONS.contains(&ext.to_ascii_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::LabelSource;

    fn source(root: &Path, recursive: bool) -> FolderSource {
        FolderSource {
            root: root.to_owned(),
            labels: LabelSource::WordnetId,
            labels_csv: None,
            recursive,
            max_pixels: 1 << 20,
            max_file_bytes: 1 << 10,
        }
    }

    fn categories() -> CategorySet {
        let entries = vec![Category::new("fish", &[0, 1])];
        CategorySet { name: "x".into(), sha256: Sha256::of(b""), entries }
    }

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let path = dir.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"?").unwrap();
        }
        dir
    }

    #[test]
    fn every_image_is_planned_or_lost_in_the_order_of_paths() {
        let dir =
            folder(&["b/n01440764_1.JPEG", "a/n01443537_2.png", "nolabel.jpg", "notes.txt", ".hidden/n01440764.jpg"]);
        let listing = list(&source(dir.path(), true), &categories(), 0).unwrap();
        let planned: Vec<_> =
            listing.rows.part(0..2).into_iter().map(|row| (row.item_id.0, row.source.unwrap())).collect();
        assert_eq!(planned, [(0, "a/n01443537_2.png".to_owned()), (1, "b/n01440764_1.JPEG".to_owned())]);
        assert_eq!(listing.lost.len(), 1);
        assert_eq!((listing.lost[0].item_id.0, listing.lost[0].source.as_str()), (2, "nolabel.jpg"));
        let flat = list(&source(dir.path(), false), &categories(), 0).unwrap_err().to_string();
        assert!(flat.contains("no label"), "{flat}");
    }

    #[test]
    #[cfg(unix)]
    fn links_back_up_are_not_followed_and_odd_files_have_a_row() {
        use std::os::unix::ffi::OsStrExt;
        let dir = folder(&["a/n01440764_1.png"]);
        std::os::unix::fs::symlink("..", dir.path().join("a/up")).unwrap();
        std::os::unix::fs::symlink("/nonexistent", dir.path().join("n01440764_gone.png")).unwrap();
        let odd = std::ffi::OsStr::from_bytes(b"n01440764_\xff.png");
        fs::write(dir.path().join(odd), b"?").unwrap();
        let listing = list(&source(dir.path(), true), &categories(), 0).unwrap();
        assert_eq!((listing.rows.len(), listing.lost.len()), (1, 2));
    }

    #[test]
    fn an_empty_or_missing_folder_is_an_error() {
        let dir = folder(&["notes.txt"]);
        assert!(list(&source(dir.path(), true), &categories(), 0).unwrap_err().to_string().contains("no image"));
        let missing = dir.path().join("missing");
        assert!(list(&source(&missing, true), &categories(), 0).unwrap_err().to_string().contains("missing"));
    }

    #[test]
    fn a_file_over_the_limit_is_not_read() {
        let dir = folder(&[]);
        fs::write(dir.path().join("n01440764.png"), vec![0; 2000]).unwrap();
        let rows = list(&source(dir.path(), true), &categories(), 0).unwrap().rows.part(0..1);
        let outcomes = Folder(source(dir.path(), true)).generate(&rows).unwrap().finish().unwrap();
        assert!(outcomes[0].reason().unwrap().contains("more than generate.max_file_bytes = 1024"));
    }
}
