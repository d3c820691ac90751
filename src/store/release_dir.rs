//! A release: a folder that appears under its name whole or not at all, because people may copy it at any moment.
//!
//! It is filled next to its final place, in `<name>.unfinished`, and gets its name by one rename once everything is on
//! the disk. The draft holds the key of its inputs: a later call with the same key continues with the finished data
//! files, and a call with another key starts again.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};

use walkdir::WalkDir;

use super::atomic::{PendingFile, sync_folder, write_whole};
use super::unfinished::is_unfinished;
use super::{Lock, StoreError, hash_file, hash_once, seal, sealed_map, spec_file};
use crate::domain::{DataFileRecord, FormatVersion, ReleaseRecord, RunSpec, Sha256};

/// The format of releases.
pub const RELEASE_FORMAT: FormatVersion = FormatVersion { major: 2, minor: 0 };

/// The suffix of a draft's folder.
const DRAFT: &str = ".unfinished";

/// The record of a release.
const RECORD: &str = "release.json";
/// The key of a draft.
const KEY: &str = "key";
/// The hashes of a draft's finished data files.
const HASHES: &str = "hashes";
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
        let is_draft = path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(DRAFT));
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
        let bytes = fs::read(&path).map_err(|error| unreadable(format!("it cannot be read: {error}")))?;
        let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(|e| unreadable(e.to_string()))?;
        let tool = value.get("tool").and_then(serde_json::Value::as_str);
        let format = value.get("format").cloned().unwrap_or_default();
        match serde_json::from_value::<FormatVersion>(format.clone()) {
            Ok(found) if RELEASE_FORMAT.can_read(found) => {}
            Ok(found) => return Err(StoreError::format(&path, found.to_string(), tool, RELEASE_FORMAT)),
            // Format 1 had one number.
            Err(_) if format.is_u64() => {
                return Err(StoreError::format(&path, format.to_string(), tool, RELEASE_FORMAT));
            }
            Err(error) => return Err(unreadable(format!("it does not say its format: {error}"))),
        }
        let (_, text) = seal::open_json(&bytes).map_err(unreadable)?;
        serde_json::from_str(text).map_err(|e| unreadable(e.to_string()))
    }

    /// The path of one of its data files, which has the size and the hash of the record; an error if it has not, or if
    /// its path leads out of the release.
    ///
    /// The only way to a data file: Parquet with flipped bits may be read as other rows, or end the program.
    pub fn data(&self, file: &DataFileRecord) -> Result<PathBuf, StoreError> {
        let stays = Path::new(&file.path).components().all(|part| matches!(part, Component::Normal(_)));
        if !stays || file.path.is_empty() {
            let problem = format!("it names the data file {:?}, which is not inside it", file.path);
            return Err(damaged(&self.0, problem));
        }
        let path = self.0.join(&file.path);
        let unread = |error: io::Error| damaged(&path, format!("it cannot be read: {error}"));
        let bytes = path.metadata().map_err(unread)?.len();
        if bytes != file.bytes {
            return Err(damaged(&path, format!("it has {bytes} bytes, but {RECORD} says {}", file.bytes)));
        }
        let (_, sha256) = hash_file(&path).map_err(unread)?;
        if sha256 != file.sha256 {
            return Err(damaged(&path, format!("its SHA-256 is not the one in {RECORD}")));
        }
        Ok(path)
    }

    /// An error for a release that is not as it was made.
    pub fn damaged(&self, problem: String) -> StoreError {
        StoreError::Damaged {
            path: self.0.display().to_string(),
            problem,
            remedy: "`hardset verify` lists the damage; make or download it again in another folder".to_owned(),
        }
    }

    /// The recipe that was published with it.
    pub fn recipe(&self) -> Result<RunSpec, StoreError> {
        spec_file::read(&self.0.join("recipe.toml"))
    }

    /// All files below it, as sorted paths with `/`.
    pub fn files(&self) -> Result<Vec<String>, StoreError> {
        files(&self.0)
    }

    /// Removes the lock and key of a draft that a process left when it was killed after the rename.
    fn sweep(&self) -> Result<(), StoreError> {
        for path in [LOCK, KEY, HASHES].map(|name| self.0.join(name)).into_iter().filter(|path| path.is_file()) {
            fs::remove_file(&path).map_err(StoreError::io("remove", &path))?;
        }
        Ok(())
    }
}

fn damaged(path: &Path, problem: String) -> StoreError {
    StoreError::Damaged {
        path: path.display().to_string(),
        problem,
        remedy: "download or make it again in another folder; `hardset verify` lists the damage".to_owned(),
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
    found.retain(|name| ![LOCK, KEY, HASHES].contains(&name.as_str()));
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
        let source = error.into_io_error().unwrap_or_else(|| io::Error::other("it cannot be walked through"));
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
        name.push(DRAFT);
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
            let stays = name == LOCK || same && (name == KEY || name == DATA || name == HASHES);
            if stays {
                continue;
            }
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let removed = if is_folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.map_err(StoreError::io("remove", &path))?;
        }
        // Nobody else works on a draft: what is unfinished there is a killed process's.
        for entry in WalkDir::new(&self.folder).into_iter().flatten() {
            if is_unfinished(&entry.file_name().to_string_lossy()) && entry.file_type().is_file() {
                fs::remove_file(entry.path()).map_err(StoreError::io("remove", entry.path()))?;
            }
        }
        write_whole(&self.folder.join(KEY), key.to_string().as_bytes())
    }

    /// The folder in which it is filled.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether the file `name` (a path inside with `/`) is finished.
    pub fn has(&self, name: &str) -> bool {
        // Without its hash, or with another one, it is written again.
        let finished = sealed_map::read::<Sha256>(&self.folder.join(HASHES)).ok().flatten().unwrap_or_default();
        let found = hash_once(&self.folder.join(name)).ok();
        found.is_some() && finished.get(name).copied() == found
    }

    /// Notes that the file `name` is finished, so that the next call uses it if this process is killed.
    pub fn finished(&self, name: &str) -> Result<(), StoreError> {
        let (path, hashes) = (self.folder.join(name), self.folder.join(HASHES));
        let mut finished = sealed_map::read::<Sha256>(&hashes).ok().flatten().unwrap_or_default();
        finished.insert(name.to_owned(), hash_once(&path).map_err(StoreError::io("read", &path))?);
        write_whole(&hashes, sealed_map::text(&hashes, &finished)?.as_bytes())
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
        let path = self.folder.join(RECORD);
        let text = serde_json::to_string_pretty(record).map_err(|e| StoreError::io("write", &path)(e.into()))? + "\n";
        self.put(RECORD, seal::seal_json(&text).0.as_bytes())
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
        for file in &record.files {
            there.data(file)?;
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
    let is_first = |name: &str| name == LOCK || name == KEY || name.starts_with(KEY) && is_unfinished(name);
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    match names.find(|name| !is_first(name)) {
        Some(found) => Err(StoreError::Taken { path: folder.display().to_string(), found }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: &[u8]) -> ReleaseRecord {
        ReleaseRecord {
            format: RELEASE_FORMAT,
            tool: "hardset".to_owned(),
            key: Sha256::of(key),
            name: "a".to_owned(),
            version: "1.0.0".to_owned(),
            verified: false,
            mining: String::new(),
            images: 0,
            pool_images: 0,
            excluded: 0,
            near_duplicates: 0,
            compared: Vec::new(),
            people: None,
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
    fn a_data_file_is_handed_out_only_with_the_size_and_the_hash_of_the_record() {
        let dir = tempfile::tempdir().unwrap();
        let release = ReleaseDir(dir.path().to_owned());
        fs::write(dir.path().join("a.parquet"), "rows").unwrap();
        fs::create_dir(dir.path().join("folder")).unwrap();
        let check = |path: &str, bytes: u64, content: &[u8], part: Option<&str>| {
            let file = DataFileRecord { path: path.to_owned(), images: 1, bytes, sha256: Sha256::of(content) };
            match (release.data(&file), part) {
                (Ok(found), None) => assert_eq!(found, dir.path().join(path)),
                (Err(error), Some(part)) => assert!(error.to_string().contains(part), "{error}"),
                (found, _) => panic!("{path}: {found:?}"),
            }
        };
        check("a.parquet", 4, b"rows", None);
        check("a.parquet", 5, b"rows!", Some("a.parquet is damaged: it has 4 bytes, but release.json says 5"));
        check("a.parquet", 4, b"cows", Some("a.parquet is damaged: its SHA-256 is not the one in release.json"));
        check("b.parquet", 4, b"rows", Some("b.parquet is damaged: it cannot be read"));
        check("folder", dir.path().join("folder").metadata().unwrap().len(), b"", Some("it cannot be read"));
        check("../a.parquet", 4, b"rows", Some("not inside it"));
        check("", 4, b"rows", Some("not inside it"));
    }

    #[test]
    fn a_draft_goes_on_with_its_data_files_if_it_has_the_same_key() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("r");
        let first = draft(&out, b"k");
        write_whole(&first.folder().join("data/x.parquet"), b"x").unwrap();
        write_whole(&first.folder().join("data/y.parquet"), b"y").unwrap();
        first.finished("data/x.parquet").unwrap();
        first.finished("data/y.parquet").unwrap();
        fs::write(first.folder().join("data/y.parquet"), b"z").unwrap();
        first.put("README.md", b"half").unwrap();
        drop(first);
        let second = draft(&out, b"k");
        assert!(second.has("data/x.parquet") && !second.has("README.md"));
        assert!(!second.has("data/y.parquet"), "it was damaged meanwhile");
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
