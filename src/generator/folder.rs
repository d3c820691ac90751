//! Photographs in a folder: listed in the order of their paths, read and pinned where they are.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::labels::Labels;
use super::{Generator, GeneratorError, Listing, Picture, Pictures, Rows};
use crate::domain::{CategorySet, DropRow, FolderSource, ItemId, KeyHasher, Outcome, Philox, PlanRow, Sha256, Stage};
use crate::imaging::{self, DecodeLimits};

const EXTENSIONS: [&str; 5] = ["jpg", "jpeg", "png", "webp", "bmp"];

pub(super) struct Folder(FolderSource);

impl Folder {
    pub(super) fn new(source: &FolderSource) -> Self {
        Self(source.clone())
    }

    fn pin(&self, request: &PlanRow) -> Outcome<Picture> {
        let Some(path) = request.source.clone() else {
            return Outcome::Failed("the plan names no file".to_owned());
        };
        let bytes = match read_limited(&self.0.root.join(&path), self.0.max_file_bytes) {
            Ok(bytes) => bytes,
            Err(reason) => return Outcome::Dropped(reason),
        };
        let limits = DecodeLimits { max_pixels: self.0.max_pixels, max_file_bytes: self.0.max_file_bytes };
        match imaging::dimensions(&bytes, &limits) {
            Ok(size_px) => {
                Outcome::Kept(Picture::Found { path, bytes: bytes.len() as u64, sha256: Sha256::of(&bytes), size_px })
            }
            Err(error) => Outcome::Dropped(error.to_string()),
        }
    }
}

impl Generator for Folder {
    fn generate(&mut self, requests: &[PlanRow]) -> Result<Pictures, GeneratorError> {
        Ok(Pictures::ready(requests.par_iter().map(|request| self.pin(request)).collect()))
    }
}

/// The file's bytes, or why they cannot be had; never more than `limit` are read.
fn read_limited(path: &Path, limit: u64) -> Result<Vec<u8>, String> {
    let cannot = |e: io::Error| format!("the file cannot be read: {e}");
    let file = File::open(path).map_err(cannot)?;
    let size = file.metadata().map_err(cannot)?.len();
    if size > limit {
        return Err(format!("the file has {size} bytes, more than generate.max_file_bytes = {limit}"));
    }
    let mut bytes = Vec::with_capacity(size as usize);
    file.take(limit).read_to_end(&mut bytes).map_err(cannot)?;
    Ok(bytes)
}

pub(super) fn list(source: &FolderSource, categories: &CategorySet, seed: u64) -> Result<Listing, GeneratorError> {
    let labels = Labels::new(source, categories)?;
    let mut search = Search { recursive: source.recursive, above: Vec::new(), found: Vec::new() };
    let root = source.root.as_path();
    search.folder(root, "").map_err(|e| GeneratorError::Folder { path: root.to_owned(), source: e })?;
    let mut found = search.found;
    found.sort();
    if found.is_empty() {
        return Err(GeneratorError::Empty(root.to_owned()));
    }
    u32::try_from(found.len()).map_err(|_| GeneratorError::TooMany)?;
    let (mut rows, mut all_lost) = (Vec::new(), Vec::new());
    for ((path, problem), item) in found.into_iter().zip(0..) {
        let item_id = ItemId(item);
        match problem.map_or_else(|| labels.of(&path), Err) {
            Ok(category) => rows.push(row(item_id, path, (&category.id, &category.imagenet_ids), seed)),
            Err(reason) => all_lost.push(lost(item_id, path, reason)),
        }
    }
    match rows.is_empty() {
        true => Err(GeneratorError::NoLabel { root: root.to_owned(), reason: all_lost[0].reason.clone() }),
        false => Ok(Listing { rows: Rows::Listed(rows), lost: all_lost }),
    }
}

fn lost(item_id: ItemId, source: String, reason: String) -> DropRow {
    DropRow { item_id, stage: Stage::Plan, source, reason }
}

fn row(item_id: ItemId, path: String, (category, ids): (&str, &[u32]), seed: u64) -> PlanRow {
    // The seed hangs on the file's name, not on its place, so that more photographs change no other item.
    let stream = KeyHasher::new().field("path", &path).finish().to_string();
    let stream = u64::from_str_radix(&stream[..16], 16).unwrap_or(0);
    PlanRow {
        item_id,
        category: category.to_owned(),
        label_ids: ids.iter().map(|&id| id as i32).collect(),
        nuisance_kind: None,
        nuisance: None,
        template: None,
        prompt: None,
        negative_prompt: None,
        seed: Philox::new(seed, stream).u64(0),
        source: Some(path),
    }
}

/// For comparing with other images: paths of all images below `root`, relative to it with `/` between parts, in their order.
///
/// What cannot be an image of a run is passed over; a folder that cannot be read is an error.
pub fn images_below(root: &Path) -> Result<Vec<String>, GeneratorError> {
    let mut search = Search { recursive: true, above: Vec::new(), found: Vec::new() };
    search.folder(root, "").map_err(|e| GeneratorError::Compare { path: root.to_owned(), source: e })?;
    let mut found: Vec<String> =
        search.found.into_iter().filter(|(_, problem)| problem.is_none()).map(|(path, _)| path).collect();
    found.sort();
    Ok(found)
}

/// The images below a folder, and what stands in the way of some of them.
struct Search {
    recursive: bool,
    /// The folders that are being searched, without links: a link back to one of them is not followed.
    above: Vec<PathBuf>,
    /// Path relative to the root, with `/` between parts, and the problem if it cannot be an item.
    found: Vec<(String, Option<String>)>,
}

impl Search {
    fn folder(&mut self, folder: &Path, inner: &str) -> io::Result<()> {
        let real = folder.canonicalize()?;
        if self.above.contains(&real) {
            return Ok(());
        }
        let entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
        self.above.push(real);
        entries.iter().for_each(|entry| self.entry(&entry.path(), inner));
        self.above.pop();
        Ok(())
    }

    /// Hidden files and files without an image's extension are passed over.
    fn entry(&mut self, path: &Path, inner: &str) {
        let name = path.file_name().unwrap_or_default();
        let relative = match inner {
            "" => name.to_string_lossy().into_owned(),
            inner => format!("{inner}/{}", name.to_string_lossy()),
        };
        if name.to_string_lossy().starts_with('.') {
            return;
        }
        let problem = if path.is_dir() {
            let searched = if self.recursive { self.folder(path, &relative) } else { Ok(()) };
            let Err(error) = searched else { return };
            format!("the folder cannot be read: {error}")
        } else if !is_image(&name.to_string_lossy()) {
            return;
        } else if name.to_str().is_none() || relative.contains(char::REPLACEMENT_CHARACTER) {
            "its name, or that of its folder, is not UTF-8; rename it".to_owned()
        } else if !path.is_file() {
            "it is no regular file".to_owned()
        } else {
            return self.found.push((relative, None));
        };
        self.found.push((relative, Some(problem)));
    }
}

fn is_image(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, ext)| EXTENSIONS.contains(&ext.to_ascii_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Category, LabelSource};

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
        let outcomes = Folder::new(&source(dir.path(), true)).generate(&rows).unwrap().finish().unwrap();
        assert!(outcomes[0].reason().unwrap().contains("more than generate.max_file_bytes = 1024"));
    }
}
