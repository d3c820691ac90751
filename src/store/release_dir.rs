//! A release: a folder that appears under its name whole or not at all, because people may copy it at any moment.
//!
//! It is filled next to its final place, in `<name>.unfinished`, and gets its name by one rename once everything is on
//! the disk. The draft holds the key of its inputs: a later call with the same key continues with the finished data
//! files, and a call with another key starts again.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Component, Path, PathBuf};

use walkdir::WalkDir;

use super::atomic::{PendingFile, UNFINISHED, sync_folder, write_whole};
use super::{Lock, StoreError};
use crate::domain::{DataFileRecord, ReleaseRecord, RunSpec, Sha256};

/// Version of the layout; raised when older programs could misread a release.
pub const RELEASE_FORMAT: u32 = 1;

/// The record of a release.
const RECORD: &str = "release.json";
/// The key of a draft.
const KEY: &str = "key";
/// The lock of a draft.
const LOCK: &str = "lock";
/// The only folder of a draft whose files a later call uses again.
const DATA: &str = "data";

/// An existing release.
#[derive(Debug, Clone)]
pub struct ReleaseDir(PathBuf);

impl ReleaseDir {
    /// The release at `path`, if its record exists.
    pub fn find(path: &Path) -> Option<Self> {
        let is_draft = path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(UNFINISHED));
        (!is_draft && path.join(RECORD).is_file()).then(|| Self(path.to_owned()))
    }

    /// Whether the folder at `path` is a release without its record.
    pub fn has_lost_record(path: &Path) -> bool {
        !path.join(RECORD).is_file() && path.join("SHA256SUMS").is_file()
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Its record.
    pub fn record(&self) -> Result<ReleaseRecord, StoreError> {
        let path = self.0.join(RECORD);
        let unreadable = |problem: String| StoreError::Damaged {
            path: path.display().to_string(),
            problem,
            remedy: "restore it, or use the version of hardset that wrote it".to_owned(),
        };
        let bytes = fs::read(&path).map_err(StoreError::io("read", &path))?;
        let record: ReleaseRecord = serde_json::from_slice(&bytes).map_err(|e| unreadable(e.to_string()))?;
        if record.format != RELEASE_FORMAT {
            let found = record.format;
            return Err(unreadable(format!("it has format {found}, but this hardset reads format {RELEASE_FORMAT}")));
        }
        Ok(record)
    }

    /// The path of one of its data files; an error for a path that leads out of the release.
    pub fn data(&self, file: &DataFileRecord) -> Result<PathBuf, StoreError> {
        let stays = Path::new(&file.path).components().all(|part| matches!(part, Component::Normal(_)));
        if !stays || file.path.is_empty() {
            return Err(self.damaged(format!("it names the data file {:?}, which is not inside it", file.path)));
        }
        Ok(self.0.join(&file.path))
    }

    fn damaged(&self, problem: String) -> StoreError {
        StoreError::Damaged {
            path: self.0.display().to_string(),
            problem,
            remedy: "download or make it again in another folder; `hardset verify` lists the damage".to_owned(),
        }
    }

    /// The recipe that was published with it.
    pub fn recipe(&self) -> Result<RunSpec, StoreError> {
        let path = self.0.join("recipe.toml");
        let text = fs::read_to_string(&path).map_err(StoreError::io("read", &path))?;
        toml::from_str(&text).map_err(|e: toml::de::Error| StoreError::Damaged {
            path: path.display().to_string(),
            problem: e.to_string().trim().to_owned(),
            remedy: "restore it, or use the version of hardset that wrote it".to_owned(),
        })
    }

    /// All files below it, as sorted paths with `/`.
    pub fn files(&self) -> Result<Vec<String>, StoreError> {
        files(&self.0)
    }

    /// Removes the lock and key of a draft that a process left when it was killed after the rename.
    fn sweep(&self) -> Result<(), StoreError> {
        for path in [LOCK, KEY].map(|name| self.0.join(name)).into_iter().filter(|path| path.is_file()) {
            fs::remove_file(&path).map_err(StoreError::io("remove", &path))?;
        }
        Ok(())
    }
}

/// All files below `folder` except a draft's lock and key, as paths with `/`, sorted by their bytes.
fn files(folder: &Path) -> Result<Vec<String>, StoreError> {
    let mut found = Vec::new();
    for entry in WalkDir::new(folder).min_depth(1) {
        let entry = entry.map_err(unreadable(folder))?;
        if !entry.file_type().is_dir() {
            let path = entry.path().strip_prefix(folder).unwrap_or(entry.path());
            let parts = path.iter().map(|part| part.to_string_lossy());
            found.push(parts.collect::<Vec<_>>().join("/"));
        }
    }
    found.retain(|name| name != LOCK && name != KEY);
    found.sort();
    Ok(found)
}

/// `folder` and all folders below it; links are not followed.
fn folders(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let mut found = Vec::new();
    for entry in WalkDir::new(folder) {
        let entry = entry.map_err(unreadable(folder))?;
        if entry.file_type().is_dir() {
            found.push(entry.into_path());
        }
    }
    Ok(found)
}

/// A problem of a walk through `folder`; meant for `map_err`.
fn unreadable(folder: &Path) -> impl Fn(walkdir::Error) -> StoreError {
    move |error| {
        let path = error.path().unwrap_or(folder).to_owned();
        // A walk that follows no links meets no other errors.
        let source = error.into_io_error().unwrap_or_else(|| std::io::Error::other("it cannot be walked through"));
        StoreError::io("read", &path)(source)
    }
}

/// What was found at the place of a release.
pub enum ReleasePlace {
    /// The same release, made earlier.
    Done(ReleaseDir),
    /// A draft to fill.
    Draft(Draft),
}

/// A release being filled.
pub struct Draft {
    place: PathBuf,
    folder: PathBuf,
    _lock: Lock,
}

impl Draft {
    /// An error if `out` exists and is neither a release nor an empty folder; for a check before any work is done.
    pub fn check(out: &Path) -> Result<(), StoreError> {
        let place = place_of(out)?;
        if ReleaseDir::find(&place).is_some() {
            return Ok(());
        }
        check_free(&place)
    }

    /// Takes the place `out` for the release with this key; it must be new, an empty folder, or that release.
    pub fn open(out: &Path, key: Sha256) -> Result<ReleasePlace, StoreError> {
        let place = place_of(out)?;
        if let Some(done) = check_place(&place, key)? {
            return Ok(ReleasePlace::Done(done));
        }
        let mut name = place.file_name().unwrap_or_default().to_owned();
        name.push(UNFINISHED);
        let folder = place.with_file_name(name);
        refuse_foreign(&folder)?;
        let lock = Lock::take_new(&folder)?;
        // Another process may have finished its release before the lock was taken.
        let settled = check_place(&place, key);
        if !matches!(settled, Ok(None)) {
            // A failure is harmless: it leaves an empty folder.
            let _ = fs::remove_file(folder.join(LOCK)).and_then(|()| fs::remove_dir(&folder));
        }
        if let Some(done) = settled? {
            return Ok(ReleasePlace::Done(done));
        }
        let draft = Self { place, folder, _lock: lock };
        draft.take_over(key)?;
        Ok(ReleasePlace::Draft(draft))
    }

    /// Removes the files that cannot be used again, and writes the key.
    fn take_over(&self, key: Sha256) -> Result<(), StoreError> {
        let same = fs::read_to_string(self.folder.join(KEY)).is_ok_and(|found| found == key.to_string());
        for entry in fs::read_dir(&self.folder).map_err(StoreError::io("read", &self.folder))?.flatten() {
            let (name, path) = (entry.file_name(), entry.path());
            let stays = name == LOCK || same && (name == KEY || name == DATA);
            if stays {
                continue;
            }
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let removed = if is_folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.map_err(StoreError::io("remove", &path))?;
        }
        write_whole(&self.folder.join(KEY), key.to_string().as_bytes())
    }

    /// The folder in which it is filled.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether the file `name` (a path inside with `/`) is finished.
    pub fn has(&self, name: &str) -> bool {
        self.folder.join(name).is_file()
    }

    /// Starts the file `name` (a path inside with `/`), which appears only when it is whole.
    pub fn start(&self, name: &str) -> Result<PendingFile, StoreError> {
        PendingFile::create(&self.folder.join(name))
    }

    /// Writes one of many small files; only [`Draft::commit`] ensures that it is on the disk.
    pub fn put(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.folder.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(StoreError::io("make folder", folder))?;
        }
        let written = File::create(&path).and_then(|mut file| file.write_all(bytes));
        written.map_err(StoreError::io("write", &path))
    }

    /// All files of the release so far, as sorted paths with `/`.
    pub fn files(&self) -> Result<Vec<String>, StoreError> {
        files(&self.folder)
    }

    /// Writes the record.
    pub fn put_record(&self, record: &ReleaseRecord) -> Result<(), StoreError> {
        let text = serde_json::to_string_pretty(record).unwrap_or_default() + "\n";
        self.put(RECORD, text.as_bytes())
    }

    /// Gives the release its name, once everything is on the disk.
    pub fn commit(self) -> Result<ReleaseDir, StoreError> {
        for name in files(&self.folder)? {
            sync(&self.folder.join(name))?;
        }
        for folder in folders(&self.folder)? {
            sync(&folder)?;
        }
        fs::rename(&self.folder, &self.place).map_err(StoreError::io("write", &self.place))?;
        sync_folder(&self.place)?;
        let done = ReleaseDir(self.place.clone());
        done.sweep()?;
        Ok(done)
    }
}

fn sync(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(StoreError::io("write", path))
}

/// The absolute path of `out`, with links resolved; an error if a folder cannot be renamed to it.
fn place_of(out: &Path) -> Result<PathBuf, StoreError> {
    let taken = |found: &str| StoreError::Taken { path: out.display().to_string(), found: found.to_owned() };
    let place = match out.canonicalize() {
        Ok(real) => real,
        Err(_) => std::path::absolute(out).map_err(StoreError::io("find", out))?,
    };
    let Some((parent, _)) = place.parent().zip(place.file_name()) else { return Err(taken("it has no name")) };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let device = |path: &Path| path.metadata().map(|metadata| metadata.dev()).ok();
        if device(&place).is_some_and(|own| device(parent) != Some(own)) {
            return Err(taken("it is a mount point; give a folder inside it"));
        }
    }
    Ok(place)
}

/// The release at `place`, if it has this key; an error if anything else is there.
fn check_place(place: &Path, key: Sha256) -> Result<Option<ReleaseDir>, StoreError> {
    let taken = |found: String| StoreError::Taken { path: place.display().to_string(), found };
    if let Some(there) = ReleaseDir::find(place) {
        let record = there.record()?;
        if record.key != key {
            return Err(taken(format!("{} {}", record.name, record.version)));
        }
        let mut missing = record.files.iter().filter(|file| there.data(file).map_or(true, |path| !path.is_file()));
        if let Some(file) = missing.next() {
            return Err(there.damaged(format!("its data file {} is missing", file.path)));
        }
        there.sweep()?;
        return Ok(Some(there));
    }
    check_free(place).map(|()| None)
}

/// An error if `place` exists and is not an empty folder.
fn check_free(place: &Path) -> Result<(), StoreError> {
    let taken = |found: String| Err(StoreError::Taken { path: place.display().to_string(), found });
    match fs::read_dir(place) {
        Ok(mut entries) => match entries.next() {
            Some(Ok(entry)) => taken(entry.file_name().to_string_lossy().into_owned()),
            _ => Ok(()),
        },
        Err(_) if place.symlink_metadata().is_ok() => taken("it is not a folder".to_owned()),
        Err(_) => Ok(()),
    }
}

/// An error if the folder exists and is not a draft.
fn refuse_foreign(folder: &Path) -> Result<(), StoreError> {
    let key = fs::read_to_string(folder.join(KEY)).unwrap_or_default();
    if Sha256::try_from(key).is_ok() {
        return Ok(());
    }
    // A process that was killed before it wrote the key leaves only these files.
    let first = [LOCK.to_owned(), KEY.to_owned(), format!("{KEY}{UNFINISHED}")];
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    match names.find(|name| !first.contains(name)) {
        Some(found) => Err(StoreError::Taken { path: folder.display().to_string(), found }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: &[u8]) -> ReleaseRecord {
        ReleaseRecord {
            format: 1,
            tool: "hardset".to_owned(),
            key: Sha256::of(key),
            name: "a".to_owned(),
            version: "1.0.0".to_owned(),
            verified: false,
            mining: String::new(),
            images: 0,
            categories: Vec::new(),
            surrogates: Vec::new(),
            files: Vec::new(),
            also: Vec::new(),
            base: None,
        }
    }

    fn draft(out: &Path, key: &[u8]) -> Draft {
        match Draft::open(out, Sha256::of(key)).unwrap() {
            ReleasePlace::Draft(draft) => draft,
            ReleasePlace::Done(_) => panic!("nothing is there yet"),
        }
    }

    #[test]
    fn a_release_appears_whole_and_is_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("r");
        let filled = draft(&out, b"k");
        filled.put("README.md", b"card").unwrap();
        filled.put("imagefolder/a/1.png", b"1").unwrap();
        assert!(!out.exists());
        assert!(Draft::open(&out, Sha256::of(b"k")).is_err(), "another process fills it");
        filled.put_record(&record(b"k")).unwrap();
        let done = filled.commit().unwrap();
        assert_eq!(done.files().unwrap(), ["README.md", "imagefolder/a/1.png", "release.json"]);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(!out.join(KEY).exists() && !out.join(LOCK).exists());
        assert!(matches!(Draft::open(&out, Sha256::of(b"k")), Ok(ReleasePlace::Done(_))));
        assert!(Draft::open(&out, Sha256::of(b"other")).err().unwrap().to_string().contains("a 1.0.0"));
    }

    #[test]
    fn a_draft_goes_on_with_its_data_files_if_it_has_the_same_key() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("r");
        let first = draft(&out, b"k");
        write_whole(&first.folder().join("data/x.parquet"), b"x").unwrap();
        first.put("README.md", b"half").unwrap();
        drop(first);
        let second = draft(&out, b"k");
        assert!(second.has("data/x.parquet") && !second.has("README.md"));
        drop(second);
        assert!(!draft(&out, b"other").has("data/x.parquet"));
    }

    #[test]
    fn what_others_put_there_stays() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("r")).unwrap();
        fs::write(dir.path().join("r/mine.txt"), "mine").unwrap();
        assert!(Draft::open(&dir.path().join("r"), Sha256::of(b"k")).is_err());
        fs::create_dir(dir.path().join("s.unfinished")).unwrap();
        fs::write(dir.path().join("s.unfinished/mine.txt"), "mine").unwrap();
        assert!(Draft::open(&dir.path().join("s"), Sha256::of(b"k")).is_err());
        assert!(dir.path().join("s.unfinished/mine.txt").is_file());
        // A run has a file `lock`, too.
        fs::create_dir(dir.path().join("u.unfinished")).unwrap();
        fs::write(dir.path().join("u.unfinished/lock"), "").unwrap();
        fs::write(dir.path().join("u.unfinished/spec.toml"), "").unwrap();
        assert!(Draft::open(&dir.path().join("u"), Sha256::of(b"k")).is_err());
        fs::create_dir(dir.path().join("t")).unwrap();
        draft(&dir.path().join("t"), b"k").commit().unwrap();
    }
}
